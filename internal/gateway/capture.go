package gateway

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"
)

const (
	// maxCopy is the longest answer that is copied, in bytes.
	maxCopy = 16 << 20
	// maxCopies bounds the copies in memory, in bytes.
	maxCopies = 64 << 20
)

// Captures gets copies of the vendor's successful answers to parse calls.
type Captures interface {
	// Begin announces an answer to the recorded call callID of subject, "" for one that is
	// not recorded. keep gets the whole answer before its end is passed on, and delays that
	// until it returns. end is called once, not by the goroutine of the call: with nil after
	// keep, or with the reason why there is no copy.
	Begin(subject, callID string) (keep func(answer []byte), end func(err error))
}

var (
	errCopyTooLong = errors.New("the answer is longer than 16 MB")
	errNoMemory    = errors.New("too many answers are being copied")
	errIncomplete  = errors.New("the answer broke off")
)

// captures reports whether a successful answer to the call is copied.
func (x *exchange) captures() bool { return x.captured != nil && x.feature == Parse }

// capture returns body, which is copied while it is read. length is its length in bytes,
// -1 if that is not known.
func (x *exchange) capture(body io.ReadCloser, length int64) io.ReadCloser {
	keep, end := x.captured.Begin(x.token.Subject, x.record.id)
	return &capturedAnswer{ReadCloser: body, total: &x.copies, left: length, keep: keep, end: end}
}

// capturedAnswer is an answer that is copied while it is read. Its end is not returned
// before the copy is kept: the last bytes if the length is known, otherwise io.EOF, without
// which the caller's answer is not complete either. If the caller leaves before it has read
// the whole answer, Close reads the rest.
type capturedAnswer struct {
	io.ReadCloser
	total *atomic.Int64 // bytes of all copies
	left  int64         // bytes to read; negative if that is not known
	keep  func(answer []byte)
	end   func(err error)

	read   []byte
	ended  bool  // it was read as a whole, and the copy, if there is one, was kept
	err    error // why there is no copy
	closed sync.Once
}

// Read reads from the answer.
func (a *capturedAnswer) Read(p []byte) (int, error) {
	n, err := a.ReadCloser.Read(p)
	a.copy(p[:n])
	a.left -= int64(n)
	switch {
	case errors.Is(err, io.EOF), err == nil && n > 0 && a.left == 0:
		a.complete()
	case err != nil && a.err == nil:
		a.err = errors.Join(errIncomplete, err)
	}
	return n, err
}

// complete keeps the copy of an answer that was read as a whole.
func (a *capturedAnswer) complete() {
	if !a.ended && a.err == nil {
		a.keep(a.read)
	}
	a.ended = true
}

// copy adds p to the copy.
func (a *capturedAnswer) copy(p []byte) {
	switch {
	case a.err != nil:
		return
	case len(a.read)+len(p) > maxCopy:
		a.fail(errCopyTooLong)
	case a.total.Add(int64(len(p))) > maxCopies:
		a.total.Add(-int64(len(p)))
		a.fail(errNoMemory)
	default:
		a.read = append(a.read, p...)
	}
}

// fail drops the copy.
func (a *capturedAnswer) fail(err error) {
	a.total.Add(-int64(len(a.read)))
	a.read, a.err = nil, err
}

// Close closes the answer and ends the copy.
func (a *capturedAnswer) Close() error {
	var err error
	a.closed.Do(func() {
		if !a.ended && a.err == nil {
			_, _ = io.Copy(io.Discard, struct{ io.Reader }{a}) // the error is in a.err
		}
		err = a.ReadCloser.Close()
		if a.err != nil {
			a.fail(a.err)
		}
		go func() {
			a.end(a.err)
			a.total.Add(-int64(len(a.read)))
		}()
	})
	return err
}
