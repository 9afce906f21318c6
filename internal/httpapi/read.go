package httpapi

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/cespare/xxhash/v2"
	"github.com/klauspost/compress/gzip"
	"github.com/labstack/echo/v4"
)

// minGzip is the length of the longest body that is not compressed, in bytes.
const minGzip = 1 << 10

// SendRead answers a read with body: with its ETag, compressed if the caller accepts gzip, or
// 304 if the caller has this body already. It must not be used for a body that has a secret:
// what a caller chose and is repeated next to it would tell the secret by the length.
func SendRead(c echo.Context, contentType string, body []byte) error {
	header := c.Response().Header()
	// It is weak, since it is the same for the compressed body.
	tag := `W/"` + strconv.FormatUint(xxhash.Sum64(body), 36) + `"`
	header.Set("ETag", tag)
	header.Add("Vary", "Accept-Encoding")
	request := c.Request().Header
	if matches(request.Values("If-None-Match"), tag) {
		return c.NoContent(http.StatusNotModified)
	}
	if len(body) <= minGzip || !acceptsGzip(request.Values("Accept-Encoding")) {
		header.Set(echo.HeaderContentLength, strconv.Itoa(len(body)))
		return c.Blob(http.StatusOK, contentType, body)
	}
	z := compressors.Get().(*compressor) //nolint:errcheck // the pool holds nothing else
	defer compressors.Put(z)
	compressed, err := z.compress(body)
	if err != nil {
		return err
	}
	header.Set(echo.HeaderContentEncoding, "gzip")
	header.Set(echo.HeaderContentLength, strconv.Itoa(len(compressed)))
	return c.Blob(http.StatusOK, contentType, compressed)
}

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
