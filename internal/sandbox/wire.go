package sandbox

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// refusal is an error in one of the vendor's shapes.
type refusal struct {
	status     int
	msg        string
	code       string // "" where the vendor's documents show none
	detail     bool   // the shape of the token and credits endpoints: {"detail": msg}
	reconnect  bool   // adds "requires_reconnect": true
	retryAfter int    // seconds; 0 for no header
}

// Error returns what the caller is told.
func (f *refusal) Error() string { return f.msg }

// The refusals that are made in more than one place.
var (
	errNoKey     = &refusal{status: http.StatusUnauthorized, code: "INVALID_API_KEY", msg: "API key is missing: send it as x-api-key"}
	errBadKey    = &refusal{status: http.StatusUnauthorized, code: "INVALID_API_KEY", msg: "Invalid API key"}
	errExpired   = &refusal{status: http.StatusForbidden, code: "INVALID_API_KEY", msg: "Access token has expired"}
	errNoCredits = &refusal{status: http.StatusPaymentRequired, code: "INSUFFICIENT_CREDITS", msg: "Insufficient credits"}
	errTooLarge  = &refusal{status: http.StatusBadRequest, code: "FILE_TOO_LARGE", msg: "File is larger than 10 MB"}
)

// bad refuses input in the common shape.
func bad(msg string) *refusal { return &refusal{status: http.StatusBadRequest, msg: msg} }

// detail refuses input in the shape of the token and credits endpoints.
func detail(msg string) *refusal {
	return &refusal{status: http.StatusBadRequest, msg: msg, detail: true}
}

func missing(what string) *refusal {
	return &refusal{status: http.StatusNotFound, msg: what + " not found or expired"}
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	b, err := json.Marshal(body)
	if err != nil {
		status, b = http.StatusInternalServerError, []byte(`{"status":"failed","msg":"Internal error"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(status)
	_, _ = w.Write(b) // the caller may be gone; there is nobody else to tell
}

// writeError answers with err and returns the status it chose.
func (s *Sandbox) writeError(w http.ResponseWriter, err error) int {
	var f *refusal
	var big *http.MaxBytesError
	switch {
	case errors.As(err, &f):
	case errors.As(err, &big):
		f = errTooLarge
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		f = &refusal{status: http.StatusGatewayTimeout, code: "TIMEOUT", msg: "Request timed out"}
	default:
		f = &refusal{status: http.StatusInternalServerError, msg: "Internal error"}
	}
	s.writeRefusal(w, f)
	return f.status
}

func (s *Sandbox) writeRefusal(w http.ResponseWriter, f *refusal) {
	if f.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(f.retryAfter))
	}
	if f.detail {
		writeJSON(w, f.status, map[string]string{"detail": f.msg})
		return
	}
	word := "failed"
	if s.opts.OldErrors {
		word = "error"
	}
	writeJSON(w, f.status, struct {
		Status    string `json:"status"`
		Msg       string `json:"msg"`
		Code      string `json:"code,omitempty"`
		Reconnect bool   `json:"requires_reconnect,omitempty"`
	}{word, f.msg, f.code, f.reconnect})
}

// readJSON reads the request's body into v; no body at all leaves v as it is.
func readJSON(r *http.Request, v any) error {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return unreadable(err)
	}
	if len(strings.TrimSpace(string(b))) == 0 {
		return nil
	}
	if err := json.Unmarshal(b, v); err != nil {
		return bad("Request body is not the JSON expected here")
	}
	return nil
}

// readKnown is readJSON for what a tester writes by hand: it refuses keys that v
// does not have, which would do nothing, and says what is wrong.
func readKnown(r *http.Request, v any) error {
	var body json.RawMessage
	if err := readJSON(r, &body); err != nil || body == nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return bad("Request body: " + strings.TrimPrefix(err.Error(), "json: "))
	}
	return nil
}

// unreadable turns a failure to read a body into a refusal, save for the body
// that was too long, which writeError knows.
func unreadable(err error) error {
	var big *http.MaxBytesError
	if errors.As(err, &big) {
		return fmt.Errorf("read body: %w", err)
	}
	return bad("Request body could not be read")
}

var callerRequestID = regexp.MustCompile(`^req_[A-Za-z0-9]{1,64}$`)

// requestID is the caller's own id when it has the vendor's form, else a new one.
func requestID(r *http.Request) string {
	if own := r.Header.Get("X-Request-ID"); callerRequestID.MatchString(own) {
		return own
	}
	return newID("req_")
}

// newID returns prefix and 26 random lower-case letters and digits.
func newID(prefix string) string { return prefix + strings.ToLower(rand.Text()) }

// baseURL is what the URLs in an answer to r begin with.
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

func withPath(r *http.Request, path string) *http.Request {
	c := new(http.Request)
	*c = *r
	u := *r.URL
	u.Path, u.RawPath = path, ""
	c.URL = &u
	return c
}

// allowOrigins lets pages of any origin call the API, as the widget does from
// the app's page. It answers a preflight itself and then returns true.
func allowOrigins(w http.ResponseWriter, r *http.Request) bool {
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

// wait pauses for d, or until ctx ends, whose error it then returns.
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
