package portfolio

import (
	"compress/flate"
	"compress/gzip"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"

	"casbroker/internal/fault"
	"casbroker/internal/httpapi"
)

var (
	errMediaType = httpapi.ErrMediaType.Withf("Send the body as application/json in UTF-8.")
	errEncoding  = fault.New(fault.Unsupported, "unsupported_encoding",
		"Send the body as it is, or with Content-Encoding: gzip.")
	errBroken    = fault.New(fault.Invalid, "invalid_encoding", "The body is not valid gzip, although Content-Encoding says so.")
	errTruncated = fault.New(fault.Invalid, "incomplete_body", "The body did not arrive in full; send it again.")
)

// incoming is a body that is on its way in, unpacked.
type incoming struct {
	io.Reader
	size     int64 // bytes that it may come to, unpacked
	tooLarge *fault.Fault
}

// openBody begins to read a JSON body of limit bytes at most on the wire; what it
// unpacks to is for the caller to count. A body that says how large it is, and is
// too large, is refused unread.
func openBody(w http.ResponseWriter, r *http.Request, limit int64) (*incoming, error) {
	if !isJSON(r.Header) {
		return nil, errMediaType
	}
	coding := strings.ToLower(strings.TrimSpace(strings.Join(r.Header.Values("Content-Encoding"), ",")))
	if coding != "" && coding != "identity" && coding != "gzip" && coding != "x-gzip" {
		w.Header().Set("Accept-Encoding", "gzip") // RFC 7694, section 3
		return nil, errEncoding
	}
	in := &incoming{
		size:     limit,
		tooLarge: httpapi.ErrBodyTooLarge.Withf("The body is larger than %d bytes, compressed or not.", limit),
	}
	if r.ContentLength > limit {
		return nil, in.tooLarge
	}
	in.Reader = http.MaxBytesReader(w, r.Body, limit)
	if strings.HasSuffix(coding, "gzip") {
		unzipped, err := gzip.NewReader(in.Reader)
		if err != nil {
			return nil, in.explain(err)
		}
		in.Reader = unzipped
	} else if r.ContentLength >= 0 {
		in.size = r.ContentLength
	}
	return in, nil
}

// isJSON takes application/json and what is built on it, in UTF-8.
func isJSON(h http.Header) bool {
	kind, parameters, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil || len(h.Values("Content-Type")) > 1 {
		return false
	}
	charset, named := parameters["charset"]
	if named && !strings.EqualFold(charset, "utf-8") {
		return false
	}
	return kind == "application/json" || strings.HasPrefix(kind, "application/") && strings.HasSuffix(kind, "+json")
}

// explain says what is wrong with a body that could not be read.
func (in *incoming) explain(err error) error {
	var big *http.MaxBytesError
	var corrupt flate.CorruptInputError
	switch {
	case errors.As(err, &big) || errors.Is(err, in.tooLarge):
		return in.tooLarge
	case errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum) || errors.As(err, &corrupt):
		return errBroken
	default:
		return errTruncated
	}
}
