package httpapi

import (
	"net/http"
	"time"

	"casbroker/internal/fault"
)

// Faults that many handlers share.
var (
	// ErrBodyTooLarge is returned for a request body over the limit of its route.
	ErrBodyTooLarge = fault.New(fault.TooLarge, "body_too_large", "The request body is too large.")
	// ErrMediaType is returned for a body that is not declared as JSON.
	ErrMediaType = fault.New(fault.Unsupported, "unsupported_media_type", "Send the body as application/json.")
	// ErrEncoding is returned for a body with a Content-Encoding that the route does not take.
	ErrEncoding = fault.New(fault.Unsupported, "unsupported_encoding", "Send the body uncompressed, without Content-Encoding.")
	// ErrJSON is returned for a body that is not a JSON object of the members that the
	// route takes.
	ErrJSON = fault.New(fault.Invalid, "invalid_json", "The body must be a JSON object.")
	// ErrQuery is returned for a query string that cannot be read, or has a parameter
	// that is not known or has a wrong value.
	ErrQuery = fault.New(fault.Invalid, "invalid_query",
		"The query string cannot be read, or has a parameter twice; send each once, percent-encoded.")
	// ErrLimit is returned for a page size that a list does not have. BadLimit words it.
	ErrLimit = fault.New(fault.Invalid, "invalid_limit", "limit must be a whole number from 1 up.")
	// ErrCursor is returned for a cursor that the list did not return.
	ErrCursor = fault.New(fault.Invalid, "invalid_cursor",
		"cursor must be the next_cursor of an earlier answer; leave it out for the first page.")
	// ErrTime is returned for a time that is not in the form of RFC 3339, or before 1970.
	ErrTime = fault.New(fault.Invalid, "invalid_time",
		"A time must be as in RFC 3339 and from 1970 on, such as 2026-04-01T10:00:00Z; send a + in it as %2B.")
	// ErrSavePending is returned for a statement that the vendor has read, and that is saved later.
	ErrSavePending = fault.New(fault.Unavailable, "save_pending",
		"The statement was read, but is not saved yet; it will be as soon as that is possible. "+
			"Send it again only with the same Idempotency-Key, with which it is not read twice.").After(10 * time.Second)

	// ErrNoSuchPath is returned for a path without a route.
	ErrNoSuchPath = fault.New(fault.NotFound, "no_such_path",
		"There is nothing at this path; GET /openapi.yaml lists what there is.")
	errMethodNotAllowed = fault.New(fault.NotAllowed, "method_not_allowed",
		"This path does not take this method; the Allow header lists those it takes.")
)

// BadLimit returns ErrLimit for a list whose pages have 1 to most entries.
func BadLimit(most int) error {
	return ErrLimit.Withf("limit must be a whole number from 1 to %d.", most)
}

// bodyTooLarge returns ErrBodyTooLarge for a body over the limit of err, in bytes.
func bodyTooLarge(err *http.MaxBytesError) *fault.Fault {
	return ErrBodyTooLarge.Withf("The request body is larger than %d bytes, the limit of this call.", err.Limit)
}
