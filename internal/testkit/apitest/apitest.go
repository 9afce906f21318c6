// Package apitest holds the broker's answers against its OpenAPI description, so
// that a route test cannot pass with an answer that the description does not
// have. Only tests use it. Requests are not judged: a test must be able to send
// wrong ones.
package apitest

import (
	"bytes"
	"io"
	"net/http"
	"testing"
)

// headerRequestID is on every answer, put there by the server and not by a room.
const headerRequestID = "X-Request-ID"

// Check fails t when the answer res, whose body is body, is not one that the
// description has for req: its status, its headers and its body. A path that is
// not described may answer with the shared problems only. It is safe for
// concurrent use and does not end the test.
func Check(t testing.TB, req *http.Request, res *http.Response, body []byte) {
	t.Helper()
	report(t, req, answer{res.StatusCode, res.Header, body})
}

// CheckRoom is Check for a room that is mounted without the server around it:
// X-Request-ID, which the server adds, may be missing.
func CheckRoom(t testing.TB, req *http.Request, res *http.Response, body []byte) {
	t.Helper()
	header := res.Header.Clone()
	if header.Get(headerRequestID) == "" {
		header.Set(headerRequestID, "req_missing")
	}
	report(t, req, answer{res.StatusCode, header, body})
}

// Client returns a client that does Check on every answer it gets. Its
// connections are closed when the test ends. It is safe for concurrent use.
func Client(t testing.TB) *http.Client {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: checking{t, transport}}
}

// checking is a RoundTripper that judges what passes through it.
type checking struct {
	t    testing.TB
	next http.RoundTripper
}

// RoundTrip sends req and judges the answer before the caller has it.
func (c checking) RoundTrip(req *http.Request) (*http.Response, error) {
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
	again := *res
	again.Body = io.NopCloser(bytes.NewReader(body))
	return &again, nil
}

func report(t testing.TB, req *http.Request, a answer) {
	t.Helper()
	c, err := described()
	if err != nil {
		t.Errorf("the OpenAPI file is not valid: %v", err)
		return
	}
	if err := c.judge(req, a); err != nil {
		t.Errorf("%s %s answered %d, which web/openapi.yaml does not describe: %v\nbody: %.500s",
			req.Method, req.URL.Path, a.status, err, a.body)
	}
}
