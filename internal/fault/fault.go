// Package fault names the ways in which a request can fail. A room declares its
// failures once, as values, and returns them; which HTTP status one becomes is
// decided by package problem.
package fault

import (
	"fmt"
	"time"
)

// Kind sorts failures by what the caller can do about them.
type Kind int

// The kinds. Internal is the zero value, so that a forgotten kind shows nothing.
const (
	Internal        Kind = iota // our own mistake: the text stays in the log
	Invalid                     // the request cannot be read
	Unauthenticated             // the caller is not known
	Forbidden                   // the caller is known and may not
	NotFound                    // there is no such thing for this caller
	NotAllowed                  // the thing is there, but not for this method
	Conflict                    // something else is under way or already there
	TooLarge                    // the request has more bytes than is taken
	Unsupported                 // the request's media type or encoding is not taken
	Unprocessable               // the request can be read but says something impossible
	Limited                     // the caller asks too often
	Unavailable                 // something we depend on does not answer; try again
)

// Field is one place in a request that is wrong.
type Field struct {
	Pointer string `json:"pointer"`        // RFC 6901, "" for the whole document
	Code    string `json:"code,omitempty"` // stable, snake_case
	Detail  string `json:"detail"`         // a sentence for a developer
}

// Fault is a failure that may be shown to the caller. It is a value: the With…
// methods return changed copies, so a package-level Fault is safe to share.
type Fault struct {
	Kind       Kind
	Code       string        // stable, snake_case, part of the API
	Detail     string        // a sentence that tells the caller what to do
	RetryAfter time.Duration // for Limited and Unavailable; 0 means unknown
	Fields     []Field       // what is wrong where, if that is known
	cause      error
}

// New declares a failure.
func New(kind Kind, code, detail string) *Fault {
	return &Fault{Kind: kind, Code: code, Detail: detail}
}

// Error returns the code, the detail and the cause; it is meant for logs.
func (f *Fault) Error() string {
	if f.cause != nil {
		return f.Code + ": " + f.Detail + ": " + f.cause.Error()
	}
	return f.Code + ": " + f.Detail
}

// Unwrap returns what Because was given.
func (f *Fault) Unwrap() error { return f.cause }

// Is reports whether target is the same declared failure, whatever its detail.
func (f *Fault) Is(target error) bool {
	t, ok := target.(*Fault)
	return ok && t.Code == f.Code && t.Kind == f.Kind
}

// Because returns a copy that keeps err for the log.
func (f *Fault) Because(err error) *Fault {
	c := *f
	c.cause = err
	return &c
}

// Withf returns a copy with another detail.
func (f *Fault) Withf(format string, args ...any) *Fault {
	c := *f
	c.Detail = fmt.Sprintf(format, args...)
	return &c
}

// After returns a copy that asks the caller to wait for d.
func (f *Fault) After(d time.Duration) *Fault {
	c := *f
	c.RetryAfter = d
	return &c
}

// At returns a copy that names the wrong places.
func (f *Fault) At(fields ...Field) *Fault {
	c := *f
	c.Fields = fields
	return &c
}
