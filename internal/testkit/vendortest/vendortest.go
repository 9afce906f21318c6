// Package vendortest stands between a broker and its vendor in tests.
package vendortest

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// Held is a vendor that begins no call of one path before Release is called.
type Held struct {
	URL string
	// Release has the vendor make the calls that have arrived, and all that follow. It may be
	// called again.
	Release func()

	arrived, left chan struct{}
}

// maxHeld is how many calls may arrive.
const maxHeld = 1000

// Hold starts a server that passes calls on to vendor, those of path once they are released.
// The vendor does not get a call whose caller has gone by then.
func Hold(t testing.TB, vendor http.Handler, path string) *Held {
	t.Helper()
	released := make(chan struct{})
	h := &Held{arrived: make(chan struct{}, maxHeld), left: make(chan struct{}, maxHeld), Release: sync.OnceFunc(func() { close(released) })}
	at := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == path {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return // the caller has gone
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			h.arrived <- struct{}{}
			select {
			case <-released:
			case <-r.Context().Done():
				h.left <- struct{}{}
				return
			}
		}
		vendor.ServeHTTP(w, r)
	}))
	h.URL = at.URL
	t.Cleanup(at.Close)
	t.Cleanup(h.Release)
	return h
}

// patience is how long Arrivals and Departures wait.
const patience = 20 * time.Second

// Arrivals waits until n more calls of the path have arrived, as a whole.
func (h *Held) Arrivals(t testing.TB, n int) {
	t.Helper()
	wait(t, h.arrived, n, "calls have arrived")
}

// Departures waits until the callers of n more calls have gone that were not released.
func (h *Held) Departures(t testing.TB, n int) {
	t.Helper()
	wait(t, h.left, n, "callers have gone")
}

func wait(t testing.TB, from <-chan struct{}, n int, what string) {
	t.Helper()
	over := time.After(patience)
	for i := range n {
		select {
		case <-from:
		case <-over:
			t.Fatalf("%d %s, want %d", i, what, n)
		}
	}
}

// NoMore fails the test if more calls have arrived than those that Arrivals waited for.
func (h *Held) NoMore(t testing.TB) {
	t.Helper()
	if n := len(h.arrived); n > 0 {
		t.Errorf("%d more calls have arrived, want none", n)
	}
}
