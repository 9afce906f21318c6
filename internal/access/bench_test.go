package access_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"casbroker/internal/access"
)

// watcherWith returns a Watcher with the given number of blocks and as many revocations.
func watcherWith(t testing.TB, blocks int) *access.Watcher {
	t.Helper()
	var s access.Snapshot
	for i := range blocks {
		s.Version++
		s.Blocks = append(s.Blocks, access.ActiveBlock{Subject: fmt.Sprint("app:blocked", i), At: begin, Version: s.Version})
		s.Version++
		s.Revocations = append(s.Revocations, access.Change{Version: s.Version, Kind: access.RevokeUser, Subject: fmt.Sprint("app:revoked", i), At: begin})
	}
	w := access.NewWatcher(access.WatchOptions{
		Store: snapshot{content: s}, PubSub: noMessages{}, Log: slog.New(slog.DiscardHandler), Now: time.Now, Poll: time.Hour, MaxAge: time.Hour,
		Hash: strings.ToUpper,
	})
	if err := w.Refresh(t.Context(), access.TriggerPoll); err != nil {
		t.Fatal(err)
	}
	return w
}

// snapshot is a Store with fixed content.
type snapshot struct {
	access.Store
	content access.Snapshot
}

func (s snapshot) AccessVersion(context.Context) (int64, error) { return s.content.Version, nil }

func (s snapshot) AccessSnapshot(context.Context, time.Time, time.Time) (access.Snapshot, error) {
	return s.content, nil
}

// check makes the calls of a request that is answered with a cached token.
func check(w *access.Watcher, subject string) bool {
	version, err := w.Admit(subject)
	return err == nil && w.Valid(subject, "gr_01kf0a6v3m9t2w8x4y5z7b1c2d", version)
}

func TestCheckAllocatesNothing(t *testing.T) {
	w := watcherWith(t, 1000)
	for subject, want := range map[string]bool{asha: true, "app:blocked7": false, "app:revoked7": true} {
		if check(w, subject) != want {
			t.Errorf("%s: got %v, want %v", subject, !want, want)
		}
		if n := testing.AllocsPerRun(100, func() { check(w, subject) }); n != 0 {
			t.Errorf("%s: %v allocations, want 0", subject, n)
		}
	}
}

// BenchmarkCheck measures the checks of one request. The whole request takes some 30
// microseconds.
func BenchmarkCheck(b *testing.B) {
	for _, blocks := range []int{0, 10_000} {
		b.Run(fmt.Sprint(blocks, " blocks"), func(b *testing.B) {
			w := watcherWith(b, blocks)
			b.ReportAllocs()
			b.RunParallel(func(each *testing.PB) {
				for each.Next() {
					if !check(w, asha) {
						b.Error("asha is refused")
					}
				}
			})
		})
	}
}
