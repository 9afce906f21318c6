package telemetry

import (
	"context"
	"crypto/rand"
	"strings"
)

const (
	requestIDPrefix = "req_"
	requestIDMade   = 20 // characters after the prefix in ids of our own: 100 bits
	requestIDMax    = 64 // characters after the prefix in ids that callers bring

	// 32 characters, so that five random bits choose one without bias; l, o, 0 and
	// 1 are left out, since these ids are read aloud to support.
	requestIDAlphabet = "abcdefghijkmnpqrstuvwxyz23456789"
)

type requestIDKey struct{}

// WithRequestID returns a context that carries id to RequestID and into every
// record logged with that context.
func WithRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestIDKey{}, id)
}

// RequestID returns the id that WithRequestID put in, or "".
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// NewRequestID makes an id such as "req_k3mz8w…". It is safe for concurrent use.
func NewRequestID() string {
	var b [len(requestIDPrefix) + requestIDMade]byte
	_, _ = rand.Read(b[:]) // never fails: the runtime ends the program first
	for i, c := range b {
		b[i] = requestIDAlphabet[c%byte(len(requestIDAlphabet))]
	}
	copy(b[:], requestIDPrefix)
	return string(b[:])
}

// ValidRequestID reports whether id is "req_" and 1 to 64 ASCII letters and
// digits: the form that the vendor uses and that is safe in a header and a log.
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
