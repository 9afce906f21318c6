package telemetry_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"casbroker/internal/telemetry"
)

// sink is a writer that keeps each write. While it is held, writes block.
type sink struct {
	held sync.Mutex
	err  error // of all writes, which then take nothing

	mu     sync.Mutex
	writes []string
	wrote  chan struct{} // receives after each write, unless nil
}

func (s *sink) Write(p []byte) (int, error) {
	s.held.Lock()
	defer s.held.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return 0, s.err
	}
	s.writes = append(s.writes, string(p))
	if s.wrote != nil {
		s.wrote <- struct{}{}
	}
	return len(p), nil
}

// taken returns the writes so far.
func (s *sink) taken() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.writes)
}

func (s *sink) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func TestLaterLinesAreWrittenTogetherWithinMilliseconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out sink
		w := telemetry.NewLineWriter(&out)
		for batch := range 3 {
			var want strings.Builder
			for i := range 100 {
				line := fmt.Sprintf("%d.%d\n", batch, i)
				want.WriteString(line)
				w.WriteLater([]byte(line))
			}
			if got := len(out.taken()); got != batch {
				t.Errorf("got %d writes at once, want %d", got, batch)
			}
			<-time.After(5 * time.Millisecond)
			synctest.Wait()
			if got := out.taken(); len(got) != batch+1 || got[batch] != want.String() {
				t.Errorf("got %q after 5 ms, want all lines in one write", got)
			}
		}
	})
}

func TestErrorIsLoggedAtOnceAfterTheLinesBeforeIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out sink
		log := telemetry.NewLogger(telemetry.NewLineWriter(&out), telemetry.LogOptions{})
		for range 2 {
			telemetry.LogAccess(t.Context(), log, slog.LevelInfo, telemetry.Access{RequestID: "req_1", Status: 200})
		}
		start := time.Now()
		log.Error("the database is gone")
		got := strings.Join(out.taken(), "")
		if n := strings.Count(got, `"request_id":"req_1"`); n != 2 || !strings.HasSuffix(got, `"msg":"the database is gone"}`+"\n") {
			t.Errorf("got %s when the call returns, want both requests, then the error", got)
		}
		telemetry.LogAccess(t.Context(), log, slog.LevelError, telemetry.Access{RequestID: "req_2", Status: 503})
		if got := strings.Join(out.taken(), ""); !strings.Contains(got, `"level":"ERROR","msg":"request","request_id":"req_2"`) {
			t.Errorf("got %s, want the failed request at once", got)
		}
		if took := time.Since(start); took > 0 {
			t.Errorf("waited %v, want no wait", took)
		}
	})
}

func TestFlushWritesWhatWaits(t *testing.T) {
	t.Parallel()
	var out sink
	w := telemetry.NewLineWriter(&out)
	w.Flush() // nothing
	for i := range 10 {
		line := fmt.Sprintf("%d\n", i)
		w.WriteLater([]byte(line))
		w.Flush()
		if got := out.taken(); len(got) != i+1 || got[i] != line {
			t.Fatalf("got %q, want %q at last", got, line)
		}
	}
}

func TestConcurrentLinesKeepTheirOrder(t *testing.T) {
	t.Parallel()
	const writers, each = 8, 500
	var out sink
	w := telemetry.NewLineWriter(&out)
	var all sync.WaitGroup
	for who := range writers {
		all.Go(func() {
			for i := range each {
				line := fmt.Appendf(nil, "%d %d\n", who, i)
				if i%50 == 0 {
					_, _ = w.Write(line)
				} else {
					w.WriteLater(line)
				}
			}
		})
	}
	all.Wait()
	w.Flush()
	var next [writers]int
	for line := range strings.Lines(strings.Join(out.taken(), "")) {
		var who, i int
		if _, err := fmt.Sscanf(line, "%d %d\n", &who, &i); err != nil || next[who] != i {
			t.Fatalf("got %q, want line %d of that writer", line, next[who])
		}
		next[who]++
	}
	if slices.Min(next[:]) != each || w.Lost() != 0 {
		t.Errorf("got %v lines, %d lost, want %d of each writer", next, w.Lost(), each)
	}
}

func TestStuckLogBlocksNoRequestAndCountsWhatIsLost(t *testing.T) {
	t.Parallel()
	out := sink{wrote: make(chan struct{}, 9)}
	w := telemetry.NewLineWriter(&out)
	log := telemetry.NewLogger(w, telemetry.LogOptions{})
	out.held.Lock()
	for range 3 { // only the first waits, for a second
		log.Error("stuck")
	}
	const lines = 50_000 // a second for each would be half a day
	line := strings.Repeat("x", 199) + "\n"
	for range lines {
		w.WriteLater([]byte(line))
	}
	log.Error("last")
	if w.Lost() < lines/4 {
		t.Errorf("got %d lost lines, want those beyond 4 MiB", w.Lost())
	}
	out.held.Unlock()
	<-out.wrote // the line that was stuck
	<-out.wrote // all others
	_, _ = w.Write([]byte("back\n"))
	got := strings.Join(out.taken(), "")
	if kept := strings.Count(got, line); w.Lost() != lines-uint64(kept) { //nolint:gosec // not negative
		t.Errorf("got %d lines and %d lost, want %d together", kept, w.Lost(), lines)
	}
	if strings.Count(got, "stuck") != 3 || !strings.Contains(got, "last") || !strings.HasSuffix(got, "back\n") {
		t.Error("errors are lost that there was room for")
	}
}

func TestLinesThatCannotBeWrittenAreCounted(t *testing.T) {
	t.Parallel()
	var out sink
	w := telemetry.NewLineWriter(&out)
	out.fail(errors.New("no space left on device"))
	w.WriteLater([]byte("a\n"))
	if n, err := w.Write([]byte("b\n")); n != 2 || err != nil || w.Lost() != 2 {
		t.Errorf("got %d, %v, %d lost, want 2 lost lines", n, err, w.Lost())
	}
	out.fail(nil)
	_, _ = w.Write([]byte("c\n"))
	if got := out.taken(); len(got) != 1 || got[0] != "c\n" || w.Lost() != 2 {
		t.Errorf("got %q, %d lost, want the next line", got, w.Lost())
	}
}

func TestAccessLineIsThatOfSlog(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 4, 1, 9, 30, 0, 120_000_000, time.FixedZone("", 19800))
	full := telemetry.Access{
		RequestID: "req_k3mz8wabcdefgh234567", Method: "POST", Route: "/v1/token", Status: 403, At: at, Took: 1234567, Bytes: 512,
		Address: "203.0.113.7", Subject: "demo:asha", Actor: "backend:jobs", Err: errors.New("blocked\n<\"\x01\u2028"),
	}
	secrets := full
	secrets.Method, secrets.Route, secrets.Address, secrets.Subject, secrets.Actor = "at_"+token[3:], "/x/"+pan, demat, "app:asha@mail.example", jwt
	secrets.Err = errors.New("refused " + token)
	invalid := full
	invalid.Route = "/\xff/%2e\\"
	for name, a := range map[string]telemetry.Access{
		"all": full, "secrets": secrets, "invalid UTF-8": invalid, "few": {RequestID: "req_1", Method: "GET", Route: "/healthz", Status: 200, At: at},
	} {
		fast, _ := logged(t, func(l *slog.Logger) { telemetry.LogAccess(context.Background(), l, slog.LevelInfo, a) })
		slow, _ := logged(t, func(l *slog.Logger) {
			telemetry.LogAccess(context.Background(), l.With("derived", true), slog.LevelInfo, a)
		})
		if stamp, err := time.Parse(time.RFC3339Nano, fmt.Sprint(fast["time"])); err != nil || !stamp.Equal(at) {
			t.Errorf("%s: got the time %v, want %v", name, fast["time"], at)
		}
		delete(fast, "time")
		delete(slow, "time")
		delete(slow, "derived")
		if got, want := fmt.Sprint(fast), fmt.Sprint(slow); got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", name, got, want)
		}
	}
}

func TestAccessLineIsLeftOutBelowTheLevel(t *testing.T) {
	t.Parallel()
	var out sink
	log := telemetry.NewLogger(&out, telemetry.LogOptions{Level: slog.LevelWarn})
	telemetry.LogAccess(t.Context(), log, slog.LevelInfo, telemetry.Access{Status: 200})
	telemetry.LogAccess(t.Context(), log, slog.LevelError, telemetry.Access{Status: 500})
	if got := out.taken(); len(got) != 1 || !strings.Contains(got[0], `"status":500`) {
		t.Errorf("got %q, want the failure only", got)
	}
}
