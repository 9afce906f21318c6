package httpapi

import (
	"bytes"
	"net/http"
	"slices"
	"strconv"

	"github.com/klauspost/compress/gzip"
	"github.com/labstack/echo/v4"
)

// File is a file that does not change while the program runs. It may be sent concurrently.
type File struct {
	contentType string
	tag         string // the ETag
	plain, zip  []byte // zip is nil for a short file
}

// NewFile returns the file with this content, which is compressed once, as well as possible.
func NewFile(contentType string, content []byte) (File, error) {
	f := File{contentType: contentType, tag: TagOf(content), plain: slices.Clone(content)}
	if len(content) <= minGzip {
		return f, nil
	}
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return f, err
	}
	if _, err := z.Write(content); err != nil {
		return f, err
	}
	if err := z.Close(); err != nil {
		return f, err
	}
	f.zip = out.Bytes()
	return f, nil
}

// Send sends f, or 304 if the caller has it already.
func (f File) Send(c echo.Context) error {
	if hasAlready(c, f.tag) {
		return c.NoContent(http.StatusNotModified)
	}
	header, body := c.Response().Header(), f.plain
	if f.zip != nil && AcceptsGzip(c) {
		header.Set(echo.HeaderContentEncoding, "gzip")
		body = f.zip
	}
	header.Set(echo.HeaderContentLength, strconv.Itoa(len(body)))
	return c.Blob(http.StatusOK, f.contentType, body)
}
