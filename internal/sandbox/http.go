package sandbox

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

func writeJSON(w http.ResponseWriter, status int, body any) {
	b, err := json.Marshal(body)
	if err != nil {
		status, b = http.StatusInternalServerError, []byte(`{"status":"failed","msg":"Internal error"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(status)
	_, _ = w.Write(b) // fails only when the caller has gone
}

// readJSON decodes the request's body into v. An empty body leaves v unchanged.
func readJSON(r *http.Request, v any) error {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return bodyError(err)
	}
	if len(strings.TrimSpace(string(b))) == 0 {
		return nil
	}
	if err := json.Unmarshal(b, v); err != nil {
		return badRequest("Request body is not the JSON expected here")
	}
	return nil
}

// readStrictJSON is readJSON for control calls, which are written by hand: it
// rejects keys that v does not have and says what is wrong.
func readStrictJSON(r *http.Request, v any) error {
	var body json.RawMessage
	if err := readJSON(r, &body); err != nil || body == nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return badRequest("Request body: " + strings.TrimPrefix(err.Error(), "json: "))
	}
	return nil
}

// queryInt reads a whole number, 0 or more, from the query. A missing one is
// fallback; ok is false for any other text.
func queryInt(r *http.Request, name string, fallback int) (n int, ok bool) {
	raw := r.URL.Query().Get(name)
	if raw == "" {
		return fallback, true
	}
	n, err := strconv.Atoi(raw)
	return n, err == nil && n >= 0
}

// queryTime reads an ISO 8601 time from the query; one without a zone is in UTC. A
// missing one is the zero Time; ok is false for any other text.
func queryTime(r *http.Request, name string) (t time.Time, ok bool) {
	raw := r.URL.Query().Get(name)
	if raw == "" {
		return t, true
	}
	for _, format := range []string{time.RFC3339, "2006-01-02T15:04:05"} {
		if t, err := time.Parse(format, raw); err == nil {
			return t, true
		}
	}
	return t, false
}

var requestIDPattern = regexp.MustCompile(`^req_[A-Za-z0-9]{1,64}$`)

// requestID returns the caller's own id if it has the vendor's form, else a new one.
func requestID(r *http.Request) string {
	if own := r.Header.Get("X-Request-ID"); requestIDPattern.MatchString(own) {
		return own
	}
	return newID("req_")
}

// newID returns prefix and 26 random lower-case letters and digits.
func newID(prefix string) string { return prefix + strings.ToLower(rand.Text()) }

// baseURL returns the start of the URLs in the answer to r.
func (s *Sandbox) baseURL(r *http.Request) string {
	if s.opts.BaseURL != "" {
		return strings.TrimSuffix(s.opts.BaseURL, "/")
	}
	u := url.URL{Scheme: "http", Host: r.Host, Path: s.opts.Prefix}
	if r.TLS != nil {
		u.Scheme = "https"
	}
	return u.String()
}

// withPath returns a copy of r for another path.
func withPath(r *http.Request, path string) *http.Request {
	c := new(http.Request)
	*c = *r
	u := *r.URL
	u.Path, u.RawPath = path, ""
	c.URL = &u
	return c
}

// handleCORS lets pages of any origin call the API, as the widget does from the
// app's page. It answers a preflight itself and then returns true.
func handleCORS(w http.ResponseWriter, r *http.Request) bool {
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Expose-Headers", "X-Request-ID, X-Credits-Used, X-Credits-Remaining, Retry-After")
	if r.Method != http.MethodOptions {
		return false
	}
	h.Set("Access-Control-Allow-Methods", "GET, POST, DELETE, OPTIONS")
	h.Set("Access-Control-Allow-Headers", "x-api-key, x-inbox-token, content-type, x-request-id")
	h.Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
	return true
}

// responseBuffer is a ResponseWriter that keeps the response in memory.
type responseBuffer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// newResponseBuffer returns a responseBuffer with a copy of w's headers.
func newResponseBuffer(w http.ResponseWriter) *responseBuffer {
	return &responseBuffer{header: w.Header().Clone(), status: http.StatusOK}
}

// Header returns the response's headers.
func (b *responseBuffer) Header() http.Header { return b.header }

// WriteHeader sets the status.
func (b *responseBuffer) WriteHeader(status int) { b.status = status }

// Write appends to the body.
func (b *responseBuffer) Write(p []byte) (int, error) { return b.body.Write(p) }

// wait pauses for d. It returns early with the error of ctx when that ends.
func wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
