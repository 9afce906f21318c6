package sandbox

import (
	"bytes"
	"net/http"
)

// captured is a response that is kept, to be spoiled before it is sent.
type captured struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// newCaptured begins with the headers that w already has.
func newCaptured(w http.ResponseWriter) *captured {
	return &captured{header: w.Header().Clone(), status: http.StatusOK}
}

// Header returns the headers to be sent.
func (c *captured) Header() http.Header { return c.header }

// WriteHeader keeps the status.
func (c *captured) WriteHeader(status int) { c.status = status }

// Write keeps a part of the body.
func (c *captured) Write(b []byte) (int, error) { return c.body.Write(b) }
