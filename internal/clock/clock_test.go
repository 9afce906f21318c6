package clock_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"casbroker/internal/clock"
)

// world is a comparison on a clock that the test moves.
type world struct {
	*clock.Comparison
	now   time.Time
	log   bytes.Buffer
	ahead map[string]time.Duration
}

func newWorld() *world {
	w := &world{now: time.Date(2026, 4, 1, 10, 0, 0, 0, time.UTC), ahead: map[string]time.Duration{}}
	w.Comparison = &clock.Comparison{
		Now: func() time.Time { return w.now }, Log: slog.New(slog.NewTextHandler(&w.log, nil)),
		Observe: func(service string, ahead time.Duration) { w.ahead[service] = ahead },
	}
	return w
}

// says reads the clock of a service, of which ours is ahead, in a round trip of took.
func (w *world) says(service string, ahead, took time.Duration) {
	asked := w.now
	w.now = w.now.Add(took)
	w.Read(service, asked.Add(took/2-ahead), asked, 0)
}

// want fails the test unless Ready returns an error with text, which is a warning or not; ""
// wants none.
func (w *world) want(t *testing.T, text string, warning bool) {
	t.Helper()
	err := w.Ready(t.Context())
	switch {
	case text == "" && err != nil, text != "" && (err == nil || !strings.Contains(err.Error(), text) || clock.IsWarning(err) != warning):
		t.Errorf("got %v, warning %v; want %q, %v", err, clock.IsWarning(err), text, warning)
	}
}

func TestDifferenceOfClocksIsBounded(t *testing.T) {
	t.Parallel()
	for _, service := range []string{clock.Database, clock.Redis, clock.Vendor} {
		for _, c := range []struct {
			ahead, took time.Duration
			want        string
			warning     bool
		}{
			{0, 0, "", false},
			{4 * time.Second, time.Second, "", false},
			{6 * time.Second, time.Second, "6s ahead of that of the " + service, true},
			{-6 * time.Second, time.Second, "6s behind that of the " + service, true},
			{30 * time.Second, time.Second, "30s ahead", true},
			{31 * time.Second, time.Second, "31s ahead", false},
			{-2 * time.Minute, 0, "2m0s behind", false},
			{31 * time.Second, 4 * time.Second, "31s ahead", true}, // by a slow answer it may be less
			{time.Hour, 11 * time.Second, "", false},               // too slow to say anything
		} {
			w := newWorld()
			w.says(service, c.ahead, c.took)
			w.want(t, c.want, c.warning)
			if c.want != "" && w.ahead[service] != c.ahead {
				t.Errorf("observed %v of %s, want %v", w.ahead[service], service, c.ahead)
			}
		}
	}
}

func TestWholeSecondsSayLess(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.Read(clock.Vendor, w.now.Add(-5500*time.Millisecond).Truncate(time.Second), w.now, time.Second) // :54, which lasts until :55
	w.want(t, "", false)
	if w.ahead[clock.Vendor] != 5500*time.Millisecond {
		t.Errorf("got %v, want 5.5s", w.ahead[clock.Vendor])
	}
}

func TestVendorAloneDoesNotStopAReplicaWhoseDatabaseAgrees(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.says(clock.Vendor, time.Hour, 0)
	w.want(t, "vendor", false)
	w.says(clock.Redis, 0, 0)
	w.want(t, "vendor", true)
	w.says(clock.Database, time.Minute, 0)
	w.want(t, "1m0s ahead of that of the database", false)
	w.says(clock.Database, 0, 0)
	w.says(clock.Vendor, 0, 0)
	w.want(t, "", false)
	if log := w.log.String(); strings.Count(log, "level=ERROR") != 2 || strings.Count(log, "level=WARN") != 2 || strings.Count(log, "right again") != 1 {
		t.Errorf("logged %s", log)
	}
}

func TestOldReadingsDoNotCount(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.says(clock.Database, time.Hour, 0)
	w.now = w.now.Add(61 * time.Second)
	w.want(t, "", false)
	w.says(clock.Vendor, time.Hour, 0)
	if w.AskVendor() {
		t.Error("the vendor has just been asked")
	}
	w.now = w.now.Add(30 * time.Second)
	if !w.AskVendor() {
		t.Error("nothing else would ask the vendor again")
	}
	w.says(clock.Vendor, 0, 0)
	w.want(t, "", false)
	if w.AskVendor() {
		t.Error("the clock is right")
	}
}
