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
// caller waits for the handler. It is safe for concurrent use.
type TimedBody struct {
	io.ReadCloser
	rate    BodyRate
	control *http.ResponseController
	paused  bool // whether the deadline must be lifted between reads

	reading sync.Mutex // held while a read waits
	begun   bool       // under reading: whether there was a read
	dropped bool       // under reading: whether the rest was read by Drop

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

// Read reads from the body. It fails after Drop.
func (b *TimedBody) Read(p []byte) (int, error) {
	b.reading.Lock()
	defer b.reading.Unlock()
	if b.dropped {
		return 0, http.ErrBodyReadAfterClose
	}
	return b.read(p)
}

// Close does nothing: net/http closes the body when the request is over, and until then
// Drop may read it.
func (*TimedBody) Close() error { return nil }

// Begun reports whether the body was read from.
func (b *TimedBody) Begun() bool {
	b.reading.Lock()
	defer b.reading.Unlock()
	return b.begun
}

// Drop reads what is left of the body and drops it, so that its sender hears an answer that is
// given early: one that still sends when the connection is closed may see that it broke, and
// nothing else. Drop reads most bytes at most, for within at most.
func (b *TimedBody) Drop(most int64, within time.Duration) {
	b.mu.Lock()
	before := b.deadline
	b.mu.Unlock()
	if until := time.Now().Add(within); before.IsZero() || until.Before(before) {
		b.setDeadline(until) // also of a read that waits
	}
	b.reading.Lock()
	defer b.reading.Unlock()
	b.dropped = true
	_, err := io.CopyN(io.Discard, readerFunc(b.read), most)
	if errors.Is(err, io.EOF) {
		b.setDeadline(before)
	}
}

// readerFunc is an io.Reader that calls itself.
type readerFunc func(p []byte) (int, error)

// Read calls f.
func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// read is Read for a caller that holds reading.
func (b *TimedBody) read(p []byte) (int, error) {
	b.begun = true
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
