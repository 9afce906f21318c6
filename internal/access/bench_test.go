package access_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"casbroker/internal/access"
)

// holding returns a view of so many blocks and as many revocations.
func holding(t testing.TB, blocks int) *access.Watcher {
	t.Helper()
	var s access.Snapshot
	for i := range blocks {
		s.Version++
		s.Barriers = append(s.Barriers, access.Barrier{Subject: fmt.Sprint("app:blocked", i), At: begin, Version: s.Version})
		s.Version++
		s.Marks = append(s.Marks, access.Change{Version: s.Version, Kind: access.RevokeUser, Subject: fmt.Sprint("app:revoked", i), At: begin})
	}
	w := access.NewWatcher(access.WatchOptions{
		Keeper: snapshot{s: s}, Wire: silent{}, Log: slog.New(slog.DiscardHandler), Now: time.Now, Poll: time.Hour, MaxAge: time.Hour,
	})
	if err := w.Look(t.Context(), access.LearnedPolled); err != nil {
		t.Fatal(err)
	}
	return w
}

// snapshot is a Keeper that has what it is given.
type snapshot struct {
	access.Keeper
	s access.Snapshot
}

func (k snapshot) AccessVersion(context.Context) (int64, error) { return k.s.Version, nil }

func (k snapshot) AccessSnapshot(context.Context, time.Time, time.Time) (access.Snapshot, error) {
	return k.s, nil
}

// check is what a request for a token that is cached asks of the view.
func check(w *access.Watcher, subject string) bool {
	version, err := w.Admit(subject)
	return err == nil && w.Counts(subject, "gr_01kf0a6v3m9t2w8x4y5z7b1c2d", version)
}

func TestACheckAllocatesNothing(t *testing.T) {
	w := holding(t, 1000)
	for subject, want := range map[string]bool{asha: true, "app:blocked7": false, "app:revoked7": true} {
		if check(w, subject) != want {
			t.Errorf("%s: want %v", subject, want)
		}
		if n := testing.AllocsPerRun(100, func() { check(w, subject) }); n != 0 {
			t.Errorf("%s: %v allocations", subject, n)
		}
	}
}

// BenchmarkCheck measures what blocks cost a request, which takes some 30 microseconds
// in all.
func BenchmarkCheck(b *testing.B) {
	for _, blocks := range []int{0, 10_000} {
		b.Run(fmt.Sprint(blocks, " blocks"), func(b *testing.B) {
			w := holding(b, blocks)
			b.ReportAllocs()
			b.RunParallel(func(each *testing.PB) {
				for each.Next() {
					if !check(w, asha) {
						b.Error("asha is not let in")
					}
				}
			})
		})
	}
}
