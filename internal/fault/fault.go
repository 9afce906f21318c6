// Package fault describes the ways in which a request can fail. A package declares
// its failures once, as values, and returns them; httpapi decides which HTTP status
// each one becomes.
//
// A Fault has two audiences. Code, Detail, RetryAfter and Fields are for the caller,
// who may be the user of an app. The note and the cause are for the operator: they
// are part of Error, which is logged, and are never sent.
package fault

import (
	"fmt"
	"strings"
	"time"
)

// Kind classifies failures by what the caller can do about them.
type Kind int

// The kinds. Internal is the zero value, so a forgotten kind reveals nothing.
const (
	Internal        Kind = iota // a bug or an unexpected error; the answer says nothing about it
	Invalid                     // the request cannot be read
	Unauthenticated             // the caller has no valid credentials
	Forbidden                   // the caller is known but not allowed
	NotFound                    // the resource does not exist for this caller
	NotAllowed                  // the resource does not support the method
	Conflict                    // the resource exists already, or another request holds it
	TooSlow                     // the body arrives too slowly
	TooLarge                    // the body or a part of it exceeds a limit
	Unsupported                 // the media type or encoding is not supported
	Unprocessable               // the request can be read, but its content is not acceptable
	Limited                     // the caller sends too many requests
	Exhausted                   // a budget is used up until it renews
	Unavailable                 // a dependency is down; retrying later may help
	BadGateway                  // the server that the request was passed on to did not answer properly
)

// Field describes one invalid part of a request.
type Field struct {
	Pointer string `json:"pointer"`        // RFC 6901, "" for the whole document
	Code    string `json:"code,omitempty"` // stable, snake_case
	Detail  string `json:"detail"`         // a sentence for a developer
}

// Fault is an error that has an answer for the caller. The methods that change
// something return a copy, so a package-level Fault may be shared.
type Fault struct {
	Kind       Kind
	Code       string        // stable, snake_case, part of the API
	Detail     string        // a sentence for the caller; never about settings, keys or credits
	Note       string        // advice for the operator; logged, never sent
	Reason     string        // what tells faults with one Code apart in records; a stable word, or ""
	RetryAfter time.Duration // for Limited, Exhausted and Unavailable; 0 means unknown
	Fields     []Field       // the invalid parts of the request, if known
	cause      error
}

// New declares a failure.
func New(kind Kind, code, detail string) *Fault {
	return &Fault{Kind: kind, Code: code, Detail: detail}
}

// Error returns the code, the detail, the note and the cause. It is for logs.
func (f *Fault) Error() string {
	parts := []string{f.Code, f.Detail}
	if f.Note != "" {
		parts = append(parts, f.Note)
	}
	if f.cause != nil {
		parts = append(parts, f.cause.Error())
	}
	return strings.Join(parts, ": ")
}

// Unwrap returns the cause that Because set.
func (f *Fault) Unwrap() error { return f.cause }

// Is reports whether target is the same declared failure: it compares kind and code.
func (f *Fault) Is(target error) bool {
	t, ok := target.(*Fault)
	return ok && t.Code == f.Code && t.Kind == f.Kind
}

// Because returns a copy with err as its cause, for the log.
func (f *Fault) Because(err error) *Fault {
	c := *f
	c.cause = err
	return &c
}

// Withf returns a copy with another detail for the caller.
func (f *Fault) Withf(format string, args ...any) *Fault {
	c := *f
	c.Detail = fmt.Sprintf(format, args...)
	return &c
}

// WithNotef returns a copy with a note that tells the operator what to do. The note
// may mention settings; it must not contain secrets, because it is logged.
func (f *Fault) WithNotef(format string, args ...any) *Fault {
	c := *f
	c.Note = fmt.Sprintf(format, args...)
	return &c
}

// WithReason returns a copy with a reason, a stable word that records have next to the Code.
func (f *Fault) WithReason(reason string) *Fault {
	c := *f
	c.Reason = reason
	return &c
}

// After returns a copy that asks the caller to retry after d.
func (f *Fault) After(d time.Duration) *Fault {
	c := *f
	c.RetryAfter = d
	return &c
}

// At returns a copy that lists the invalid parts of the request.
func (f *Fault) At(fields ...Field) *Fault {
	c := *f
	c.Fields = fields
	return &c
}
