package portfolio

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"casbroker/internal/fault"
	"casbroker/internal/httpapi"
)

const (
	// maxReceiving is how many payloads of the maximum size may be received at a time.
	maxReceiving = 4
	// smallBody is the largest payload that is not limited, in bytes: nearly every statement.
	smallBody = httpapi.SmallBody
)

var (
	errMediaType = httpapi.ErrMediaType.Withf("Send the body as application/json in UTF-8; with a bearer token text/plain will do, too.")
	errEncoding  = httpapi.ErrEncoding.Withf("Send the body uncompressed, or with Content-Encoding: gzip.")
	errNotGzip   = fault.New(fault.Invalid, "invalid_encoding", "The body is not valid gzip, although Content-Encoding says so.")
	errTruncated = fault.New(fault.Invalid, "incomplete_body", "The body did not arrive completely; send it again.")
	errBusy      = fault.New(fault.Unavailable, "save_busy",
		"Too many large statements are being saved; nothing was saved. Try again.").After(5 * time.Second)
	errOneAtATime = fault.New(fault.Limited, "large_save_under_way",
		"Another large statement of yours is being saved; send this one again when that is done.").After(5 * time.Second)
)

// bodyLimiter limits the memory of payloads over smallBody. Each user may have one at a
// time. receiving limits the bytes that have arrived, until they are processed. processing limits
// the bytes being parsed and stored, which take several times their size in memory: one
// payload of the maximum size at a time, or several smaller ones.
type bodyLimiter struct {
	limit      int64 // bytes of one payload
	maxWait    time.Duration
	receiving  *httpapi.BodyMemory
	processing *semaphore.Weighted

	mu    sync.Mutex
	large map[string]bool // users with a large payload in progress
}

func newBodyLimiter(limit int64, maxWait time.Duration) *bodyLimiter {
	return &bodyLimiter{
		limit: limit, maxWait: maxWait, large: map[string]bool{},
		receiving: httpapi.NewBodyMemory(limit, maxReceiving, maxWait), processing: semaphore.NewWeighted(limit),
	}
}

// receive reads the body of a request of user, which must be declared as JSON or, with
// asText, as text or not at all. Once more than smallBody has arrived, it
// waits for memory as the rest arrives; Content-Length alone reserves nothing. The caller must
// call end of the largeBody, which is nil for a small one.
func (l *bodyLimiter) receive(w http.ResponseWriter, r *http.Request, user string, asText bool) (body []byte, large *largeBody, err error) {
	if !isJSON(r.Header) && (!asText || !isText(r.Header)) {
		return nil, nil, errMediaType
	}
	in, err := openBody(w, r, l.limit)
	if err != nil {
		return nil, nil, err
	}
	var b bytes.Buffer
	b.Grow(int(min(max(r.ContentLength, 0), smallBody)) + bytes.MinRead)
	small := min(smallBody, l.limit)
	_, err = io.CopyN(&b, in, small+1)
	switch {
	case errors.Is(err, io.EOF):
		return b.Bytes(), nil, nil
	case err == nil && small == l.limit:
		return nil, nil, in.tooLarge
	case err != nil:
		return nil, nil, in.explain(err)
	}
	if large, err = l.begin(user); err != nil {
		return nil, nil, err
	}
	if body, err = large.memory.ReadAll(r.Context(), in, b.Bytes(), in.size); err != nil {
		large.end()
		return nil, nil, in.explain(err)
	}
	return body, large, nil
}

// process waits until body may be parsed and stored. It returns errBusy after maxWait.
// The caller must call done when that has ended.
func (l *bodyLimiter) process(ctx context.Context, body []byte) (done func(), err error) {
	size := int64(len(body))
	if size <= smallBody {
		return func() {}, nil
	}
	if !l.processing.TryAcquire(size) {
		ctx, cancel := context.WithTimeout(ctx, l.maxWait)
		defer cancel()
		if err := l.processing.Acquire(ctx, size); err != nil {
			return nil, errBusy.Because(err)
		}
	}
	return func() { l.processing.Release(size) }, nil
}

// largeBody is a payload over smallBody.
type largeBody struct {
	limiter *bodyLimiter
	user    string
	memory  *httpapi.BodyShare
}

// begin begins a large payload of user. It returns errOneAtATime if there is one already.
func (l *bodyLimiter) begin(user string) (*largeBody, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.large[user] {
		return nil, errOneAtATime
	}
	l.large[user] = true
	return &largeBody{l, user, l.receiving.Share()}, nil
}

// free gives the memory of the payload back, which is no longer needed.
func (b *largeBody) free() {
	if b != nil {
		b.memory.Release()
	}
}

// end is free, and lets the user send another large payload. It may be called once.
func (b *largeBody) end() {
	if b != nil {
		b.free()
		b.limiter.finish(b.user)
	}
}

func (l *bodyLimiter) finish(user string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.large, user)
}

// requestBody is a request body, uncompressed as it is read.
type requestBody struct {
	io.Reader
	size     int64 // maximum uncompressed size, in bytes
	tooLarge *fault.Fault
}

// openBody starts reading a body of at most limit compressed bytes. The caller must
// limit the uncompressed bytes. A body whose Content-Length is over limit is refused
// without reading it.
func openBody(w http.ResponseWriter, r *http.Request, limit int64) (*requestBody, error) {
	coding := strings.ToLower(strings.TrimSpace(strings.Join(r.Header.Values("Content-Encoding"), ",")))
	if coding != "" && coding != "identity" && coding != "gzip" && coding != "x-gzip" {
		w.Header().Set("Accept-Encoding", "gzip") // RFC 7694, section 3
		return nil, errEncoding
	}
	in := &requestBody{
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

// isText reports whether there is no content type, or text/plain in UTF-8, which browsers
// send for a text if a page names no type.
func isText(h http.Header) bool {
	types := h.Values("Content-Type")
	return len(types) == 0 || len(types) == 1 && types[0] == "" || mediaType(h) == "text/plain"
}

// mediaType returns the media type of a body in UTF-8, "" for another one.
func mediaType(h http.Header) string {
	kind, parameters, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil || len(h.Values("Content-Type")) > 1 {
		return ""
	}
	charset, named := parameters["charset"]
	if named && !strings.EqualFold(charset, "utf-8") {
		return ""
	}
	return kind
}

// isJSON reports whether the content type is application/json or application/…+json, in
// UTF-8.
func isJSON(h http.Header) bool {
	kind := mediaType(h)
	return kind == "application/json" || strings.HasPrefix(kind, "application/") && strings.HasSuffix(kind, "+json")
}

// explain returns the fault for an error of reading the body.
func (in *requestBody) explain(err error) error {
	var tooLarge *http.MaxBytesError
	var corrupt flate.CorruptInputError
	switch {
	case errors.As(err, &tooLarge) || errors.Is(err, in.tooLarge):
		return in.tooLarge
	case errors.Is(err, httpapi.ErrBodyTooSlow):
		return err
	case errors.Is(err, httpapi.ErrBodyMemory):
		return errBusy.Because(err)
	case errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum) || errors.As(err, &corrupt):
		return errNotGzip
	default:
		return errTruncated
	}
}
