package telemetry

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"strings"
)

const (
	requestIDPrefix = "req_"
	requestIDMax    = 64 // characters after the prefix in ids that callers send
)

type requestIDKey struct{}

// WithRequestID returns a context with id, which RequestID returns and which is added to
// every record logged with that context.
func WithRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestIDKey{}, id)
}

// RequestID returns the id of WithRequestID, or "".
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// NewRequestID returns a new id: "req_" and 26 random characters of a-z and 2-7, 128
// bits. It has no 0 and 1, because these ids are read aloud to support. It is safe for
// concurrent use.
func NewRequestID() string {
	var random [16]byte
	_, _ = rand.Read(random[:]) // returns no error
	var id [len(requestIDPrefix) + 26]byte
	copy(id[:], requestIDPrefix)
	requestIDCode.Encode(id[len(requestIDPrefix):], random[:])
	return string(id[:])
}

// requestIDCode is Base32 in lower case.
var requestIDCode = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// ValidRequestID reports whether id is "req_" followed by 1 to 64 ASCII letters and digits:
// the form that the vendor uses, safe in headers and logs.
func ValidRequestID(id string) bool {
	rest, ok := strings.CutPrefix(id, requestIDPrefix)
	if !ok || rest == "" || len(rest) > requestIDMax {
		return false
	}
	for i := range len(rest) {
		if !isAlnum(rest[i]) {
			return false
		}
	}
	return true
}
