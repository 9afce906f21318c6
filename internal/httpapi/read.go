package httpapi

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/cespare/xxhash/v2"
	"github.com/klauspost/compress/gzip"
	"github.com/labstack/echo/v4"
)

// minGzip is the length of the longest body that is not compressed, in bytes.
const minGzip = 1 << 10

// Answer is the answer to a read, as it is sent. It may be sent several times.
type Answer struct {
	contentType string
	tag         string // the ETag
	isGzip      bool
	body        []byte
}

// NewAnswer returns the answer with body: with its ETag, and compressed if that is wanted and
// body is long enough. It must not be used for a body that has a secret: what a caller chose and
// is repeated next to it would tell the secret by the length. The answer does not refer to body.
func NewAnswer(contentType string, body []byte, compressed bool) (Answer, error) {
	a := Answer{contentType: contentType, tag: TagOf(body), body: body}
	if !compressed || len(body) <= minGzip {
		a.body = slices.Clone(body)
		return a, nil
	}
	z := compressors.Get().(*compressor) //nolint:errcheck // the pool holds nothing else
	defer compressors.Put(z)
	compact, err := z.compress(body)
	a.body, a.isGzip = slices.Clone(compact), true
	return a, err
}

// Size returns the number of bytes that are sent.
func (a *Answer) Size() int { return len(a.body) }

// Send sends a, or 304 if the caller has it already. a must have been made with compressed as
// AcceptsGzip tells of this caller.
func (a *Answer) Send(c echo.Context) error {
	if hasAlready(c, a.tag) {
		return c.NoContent(http.StatusNotModified)
	}
	header := c.Response().Header()
	if a.isGzip {
		header.Set(echo.HeaderContentEncoding, "gzip")
	}
	header.Set(echo.HeaderContentLength, strconv.Itoa(len(a.body)))
	return c.Blob(http.StatusOK, a.contentType, a.body)
}

// AcceptsGzip reports whether the caller accepts gzip.
func AcceptsGzip(c echo.Context) bool {
	return acceptsGzip(c.Request().Header.Values("Accept-Encoding"))
}

// SendRead answers a read with body once, as NewAnswer and Send do.
func SendRead(c echo.Context, contentType string, body []byte) error {
	a := Answer{contentType: contentType, tag: TagOf(body), body: body}
	if len(body) <= minGzip || !AcceptsGzip(c) || HasTag(c.Request(), a.tag) {
		return a.Send(c)
	}
	z := compressors.Get().(*compressor) //nolint:errcheck // the pool holds nothing else
	defer compressors.Put(z)
	var err error
	if a.body, err = z.compress(body); err != nil {
		return err
	}
	a.isGzip = true
	return a.Send(c)
}

// TagOf returns the ETag of body. It is weak, since it is the same for the compressed body.
func TagOf(body []byte) string { return `W/"` + strconv.FormatUint(xxhash.Sum64(body), 36) + `"` }

// hasAlready sets the headers of an answer with this ETag, and reports whether the caller has
// that answer.
func hasAlready(c echo.Context, tag string) bool {
	header := c.Response().Header()
	header.Set("ETag", tag)
	header.Add("Vary", "Accept-Encoding")
	return HasTag(c.Request(), tag)
}

// HasTag reports whether the header If-None-Match of r names tag.
func HasTag(r *http.Request, tag string) bool { return matches(r.Header.Values("If-None-Match"), tag) }

// SendReadJSON is SendRead for view as JSON.
func SendReadJSON(c echo.Context, view any) error {
	body, err := json.Marshal(view)
	if err != nil {
		return err
	}
	return SendRead(c, echo.MIMEApplicationJSON, body)
}

// matches reports whether tag is in the values of a header If-None-Match, by the weak
// comparison of RFC 9110, section 8.8.3.2.
func matches(values []string, tag string) bool {
	for _, value := range values {
		for one := range strings.SplitSeq(value, ",") {
			one = strings.TrimSpace(one)
			if one == "*" || strings.TrimPrefix(one, "W/") == strings.TrimPrefix(tag, "W/") {
				return true
			}
		}
	}
	return false
}

// acceptsGzip reports whether the values of a header Accept-Encoding name gzip, with a weight
// that is not 0.
func acceptsGzip(values []string) bool {
	for _, value := range values {
		for one := range strings.SplitSeq(value, ",") {
			coding, parameters, _ := strings.Cut(one, ";")
			if strings.EqualFold(strings.TrimSpace(coding), "gzip") {
				name, weight, weighted := strings.Cut(parameters, "=")
				q, err := strconv.ParseFloat(strings.TrimSpace(weight), 64)
				return !weighted || !strings.EqualFold(strings.TrimSpace(name), "q") || err == nil && q > 0
			}
		}
	}
	return false
}

// compressor compresses one body at a time. It keeps its memory.
type compressor struct {
	out bytes.Buffer
	zip *gzip.Writer
}

// compressors are reused: a new one allocates more than most answers have bytes.
var compressors = sync.Pool{New: func() any {
	zip, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // the error is about the level
	return &compressor{zip: zip}
}}

// compress returns body compressed. It is valid until the next call.
func (z *compressor) compress(body []byte) ([]byte, error) {
	z.out.Reset()
	z.zip.Reset(&z.out)
	if _, err := z.zip.Write(body); err != nil {
		return nil, err
	}
	if err := z.zip.Close(); err != nil {
		return nil, err
	}
	return z.out.Bytes(), nil
}
