package sandbox_test

import (
	"bytes"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"casbroker/internal/sandbox"
)

const key = "sk_test_0123456789abcdef"

// client calls one sandbox, which runs for one test.
type client struct {
	t      *testing.T
	vendor *sandbox.Sandbox
	url    string
	key    string // sent as x-api-key
}

// answer is a response.
type answer struct {
	status int
	header http.Header
	raw    []byte
	body   map[string]any // nil unless raw is a JSON object
}

// start runs a sandbox with an account for key, unless opts name another.
func start(t *testing.T, opts sandbox.Options) *client {
	t.Helper()
	if opts.APIKey == "" {
		opts.APIKey = key
	}
	vendor := sandbox.New(opts)
	srv := httptest.NewServer(vendor)
	t.Cleanup(srv.Close)
	return &client{t: t, vendor: vendor, url: srv.URL, key: opts.APIKey}
}

// as returns a client of the same sandbox with another credential.
func (c *client) as(credential string) *client {
	d := *c
	d.key = credential
	return &d
}

func (c *client) send(method, path, contentType string, body io.Reader, headers ...string) (answer, error) {
	c.t.Helper()
	if !strings.HasPrefix(path, "http") {
		path = c.url + path
	}
	req, err := http.NewRequestWithContext(c.t.Context(), method, path, body)
	if err != nil {
		c.t.Fatal(err)
	}
	if c.key != "" {
		req.Header.Set("x-api-key", c.key)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	noFollow := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := noFollow.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	a := answer{status: resp.StatusCode, header: resp.Header, raw: raw}
	_ = json.Unmarshal(raw, &a.body)
	return a, err
}

// call sends JSON and fails the test without an answer.
func (c *client) call(method, path, body string, headers ...string) answer {
	c.t.Helper()
	a, err := c.send(method, path, "application/json", strings.NewReader(body), headers...)
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, path, err)
	}
	return a
}

// upload sends a multipart form with a file in field, and name-value pairs.
func (c *client) upload(path, field, name string, content []byte, values ...string) answer {
	c.t.Helper()
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	if field != "" {
		part, err := form.CreateFormFile(field, name)
		if err != nil {
			c.t.Fatal(err)
		}
		_, _ = part.Write(content)
	}
	for i := 0; i+1 < len(values); i += 2 {
		_ = form.WriteField(values[i], values[i+1])
	}
	_ = form.Close()
	a, err := c.send(http.MethodPost, path, form.FormDataContentType(), &b)
	if err != nil {
		c.t.Fatalf("upload to %s: %v", path, err)
	}
	return a
}

// token mints an access token.
func (c *client) token(body string) string {
	c.t.Helper()
	a := c.call(http.MethodPost, "/v1/token", body)
	id, _ := a.body["access_token"].(string)
	if a.status != http.StatusOK || !strings.HasPrefix(id, "at_") {
		c.t.Fatalf("mint: %d %s", a.status, a.raw)
	}
	return id
}

// want fails the test unless a has this status and its body contains all parts.
func (a answer) want(t *testing.T, status int, parts ...string) {
	t.Helper()
	if a.status != status {
		t.Fatalf("got status %d, want %d: %.300s", a.status, status, a.raw)
	}
	for _, p := range parts {
		if !bytes.Contains(a.raw, []byte(p)) {
			t.Errorf("got %.300s, want it to contain %s", a.raw, p)
		}
	}
}

// text returns a string member of the answer's body.
func (a answer) text(name string) string {
	s, _ := a.body[name].(string)
	return s
}

// plain is a PDF that names no source.
var plain = []byte("%PDF-1.4\nno source\n%%EOF\n")

// clock is a clock that a test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2025, 10, 20, 9, 30, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}
