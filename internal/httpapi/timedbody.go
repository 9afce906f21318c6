package httpapi

import (
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"time"

	"casbroker/internal/fault"
)

// ErrBodyTooSlow is returned for a request body that arrives below the least rate, or not in
// time.
var ErrBodyTooSlow = fault.New(fault.TooSlow, "body_too_slow",
	"The request body arrived too slowly; send it again over a faster connection.")

// BodyRate is how fast request bodies must arrive.
type BodyRate struct {
	Least   int64         // bytes per second; 0 for any rate
	Grace   time.Duration // how far a body may be behind Least, at most, for the start and for gaps
	Timeout time.Duration // of a whole body; 0 for none
}

// TimedBody is the body of a request that is being received. Its reads fail with
// ErrBodyTooSlow if it arrives too slowly. The time between reads does not count: there the
// caller waits for the handler.
type TimedBody struct {
	io.ReadCloser
	rate    BodyRate
	control *http.ResponseController
	paused  bool // whether the deadline must be lifted between reads

	mu       sync.Mutex
	deadline time.Time // of the whole body; zero for none
	slow     bool
	left     time.Duration // how long the next read may take
	armed    time.Time     // the deadline of the connection; zero for that of the server
}

// Body returns the body of r, which w answers.
func (rate BodyRate) Body(w http.ResponseWriter, r *http.Request) *TimedBody {
	b := &TimedBody{
		ReadCloser: r.Body, rate: rate, control: http.NewResponseController(w), left: rate.Grace,
		paused: r.ProtoMajor > 1, // HTTP/2 ends the body at the deadline, HTTP/1 only a read
	}
	if rate.Timeout > 0 {
		b.deadline = time.Now().Add(rate.Timeout)
	}
	return b
}

// SetReadDeadline bounds how long the body of r may take, and how long the handler may take
// after that until the request ends. The zero time means no bound. r need not have a
// TimedBody.
func SetReadDeadline(w http.ResponseWriter, body io.Reader, t time.Time) {
	if b, ok := body.(*TimedBody); ok {
		b.setDeadline(t)
		return
	}
	_ = http.NewResponseController(w).SetReadDeadline(t) // fails only without a connection
}

func (b *TimedBody) setDeadline(t time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.deadline = t
	if !b.slow { // else the server would wait for the rest of the body before it answers
		b.arm(t)
	}
}

// Read reads from the body. It must not be called concurrently.
func (b *TimedBody) Read(p []byte) (int, error) {
	began := time.Now()
	if !b.begin(began) {
		return 0, ErrBodyTooSlow
	}
	n, err := b.ReadCloser.Read(p)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rate.Least > 0 {
		gained := time.Duration(float64(n) / float64(b.rate.Least) * float64(time.Second))
		b.left = min(b.left-time.Since(began)+gained, b.rate.Grace)
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		b.slow = true
		return n, ErrBodyTooSlow.Because(err)
	case err != nil || b.paused:
		b.arm(b.deadline)
	}
	return n, err
}

// TooSlow reports whether a read failed with ErrBodyTooSlow.
func (b *TimedBody) TooSlow() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.slow
}

// begin sets the deadline of a read that begins now. It returns false if an earlier one was
// too slow.
func (b *TimedBody) begin(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.slow {
		return false
	}
	until := b.deadline
	if b.rate.Least > 0 {
		until = now.Add(b.left)
		if !b.deadline.IsZero() && b.deadline.Before(until) {
			until = b.deadline
		}
	}
	// A deadline that is a little early saves setting it for each of the reads of a fast body.
	if later := until.Sub(b.armed); later < 0 || later > b.rate.Grace/8 {
		b.arm(until)
	}
	return true
}

// arm sets the deadline of the connection.
func (b *TimedBody) arm(t time.Time) {
	if !t.Equal(b.armed) {
		b.armed = t
		_ = b.control.SetReadDeadline(t) // fails only without a connection
	}
}
