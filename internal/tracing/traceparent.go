package tracing

import (
	"context"
	"encoding/hex"
	"net/http"
)

// Header is the header of the W3C trace context that names the span of the caller.
const Header = "Traceparent"

type (
	traceID [16]byte
	spanID  [8]byte
)

// remote is a span of a caller, or of a trace that has ended.
type remote struct {
	trace   traceID
	span    spanID
	sampled bool
}

// parseTraceparent reads the header of W3C Trace Context, such as
// 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01. Versions after 00 may have more parts.
// ok is false for anything else, and for ids that are all zero.
func parseTraceparent(text string) (r remote, ok bool) {
	const length = 55
	if len(text) < length || text[2] != '-' || text[35] != '-' || text[52] != '-' {
		return remote{}, false
	}
	var version, flags [1]byte
	valid := decodeHex(version[:], text[:2]) && decodeHex(r.trace[:], text[3:35]) &&
		decodeHex(r.span[:], text[36:52]) && decodeHex(flags[:], text[53:length])
	more := text[length:]
	switch {
	case !valid, version[0] == 0xff, r.trace == traceID{}, r.span == spanID{}:
		return remote{}, false
	case more != "" && (version[0] == 0 || more[0] != '-'):
		return remote{}, false
	}
	r.sampled = flags[0]&1 != 0
	return r, true
}

// decodeHex decodes text, which must have lower-case digits only, into to.
func decodeHex(to []byte, text string) bool {
	for i := range len(text) {
		if c := text[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	_, err := hex.Decode(to, []byte(text))
	return err == nil
}

// Inject sets the header of the W3C trace context to the span in ctx. It does nothing if there
// is none.
func Inject(ctx context.Context, header http.Header) {
	if text := Traceparent(ctx); text != "" {
		header.Set(Header, text)
	}
}

// Traceparent returns the value of Header for the span in ctx, "" if there is none. It can be stored with
// work that is done later, for StartLinked.
func Traceparent(ctx context.Context) string {
	s := fromContext(ctx)
	if s == nil {
		return ""
	}
	flags := "-00"
	if s.sampled {
		flags = "-01"
	}
	return "00-" + hex.EncodeToString(s.trace[:]) + "-" + hex.EncodeToString(s.id[:]) + flags
}

// TraceID returns the id of the trace that ctx belongs to, in hexadecimal digits; "" if there is none.
func TraceID(ctx context.Context) string {
	if s := fromContext(ctx); s != nil {
		return hex.EncodeToString(s.trace[:])
	}
	return ""
}
