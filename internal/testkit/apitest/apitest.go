// Package apitest checks the broker's answers against web/openapi.yaml, so that a
// route test fails for an answer that the file does not describe. Requests are not
// checked, since a test must be able to send wrong ones.
package apitest

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"testing"
)

// Check reports an error to t if the answer res with body is not one that the file
// describes for req, by its status, headers and body. A path that is not described may
// answer with the common problems only. It is safe for concurrent use.
func Check(t testing.TB, req *http.Request, res *http.Response, body []byte) {
	t.Helper()
	plain, err := uncompressed(res.Header, body)
	if err != nil {
		t.Errorf("%s %s: the answer is not valid gzip: %v", req.Method, req.URL.Path, err)
	}
	report(t, req, answer{res.StatusCode, res.Header, plain})
}

// uncompressed returns body without its content coding.
func uncompressed(header http.Header, body []byte) ([]byte, error) {
	if header.Get("Content-Encoding") != "gzip" || len(body) == 0 {
		return body, nil
	}
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

// Client returns a client that calls Check for every answer. Its connections are closed
// at the end of the test. It is safe for concurrent use.
func Client(t testing.TB) *http.Client {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: checkingTransport{t, transport}}
}

// checkingTransport is a RoundTripper that checks every answer.
type checkingTransport struct {
	t    testing.TB
	next http.RoundTripper
}

// RoundTrip sends req and checks the answer before it returns it.
func (c checkingTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	c.t.Helper()
	res, err := c.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	Check(c.t, req, res, body)
	checked := *res
	checked.Body = io.NopCloser(bytes.NewReader(body))
	return &checked, nil
}

func report(t testing.TB, req *http.Request, a answer) {
	t.Helper()
	c, err := loadContract()
	if err != nil {
		t.Errorf("the OpenAPI file is not valid: %v", err)
		return
	}
	if err := c.validate(req, a); err != nil {
		t.Errorf("%s %s answered %d, which web/openapi.yaml does not describe: %v\nbody: %.500s",
			req.Method, req.URL.Path, a.status, err, a.body)
	}
}
