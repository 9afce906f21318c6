// Package casbroker calls a casbroker server. generated.go has a method of Client for each
// call: those that end in Of or For are made by an app's back end for one of its users.
package casbroker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Timeout is how long a call of a new Client may take. Reading a statement takes up to two
// minutes.
const Timeout = 3 * time.Minute

// Client calls one broker. Its methods may be used concurrently. They return an *Error if
// the broker answers with an error.
type Client struct {
	// HTTP sends the requests.
	HTTP *http.Client

	baseURL, token string
}

// New returns a client of the broker at baseURL, such as https://broker.example. It
// authenticates with token: a service key or the JWT of a service, or, for the calls of
// one user, that user's JWT.
func New(baseURL, token string) *Client {
	return &Client{HTTP: &http.Client{Timeout: Timeout}, baseURL: strings.TrimSuffix(baseURL, "/"), token: token}
}

// Error is an answer that reports an error. Act on Code, which is stable.
type Error struct {
	Problem
	// RetryAfter is how long to wait before another try; 0 if the broker does not say.
	RetryAfter time.Duration
}

func (e *Error) Error() string {
	return fmt.Sprintf("casbroker answered %d %s: %s (%s)", e.Status, e.Code, e.Detail, e.RequestID)
}

// newError returns what an answer with an error status says. A proxy in between may
// answer without a problem document; the error then has a status only.
func newError(answer *http.Response) *Error {
	e := &Error{}
	if err := json.NewDecoder(answer.Body).Decode(&e.Problem); err != nil || e.Code == "" {
		e.Problem = Problem{Detail: http.StatusText(answer.StatusCode), RequestID: answer.Header.Get("X-Request-ID")}
	}
	e.Status = answer.StatusCode
	if seconds, err := strconv.Atoi(answer.Header.Get("Retry-After")); err == nil {
		e.RetryAfter = time.Duration(seconds) * time.Second
	}
	return e
}

// request is a call before it is sent.
type request struct {
	method, path string
	query        url.Values
	headers      http.Header
	body         func() (contentType string, body io.Reader, err error) // nil for none
}

// path returns format with each %s replaced by a percent-encoded segment.
func path(format string, segments ...string) string {
	escaped := make([]any, len(segments))
	for i, s := range segments {
		escaped[i] = url.PathEscape(s)
	}
	return fmt.Sprintf(format, escaped...)
}

// param adds a parameter, unless it is the zero value.
func (r *request) param(name string, value any) {
	text := fmt.Sprint(value)
	switch v := value.(type) {
	case time.Time:
		text = v.Format(time.RFC3339Nano)
		if v.IsZero() {
			return
		}
	case int:
		if v == 0 {
			return
		}
	case bool:
		if !v {
			return
		}
	}
	if text == "" {
		return
	}
	if r.query == nil {
		r.query = url.Values{}
	}
	r.query.Set(name, text)
}

// header sets a header, unless it is empty.
func (r *request) header(name, value string) {
	if value == "" {
		return
	}
	if r.headers == nil {
		r.headers = http.Header{}
	}
	r.headers.Set(name, value)
}

// answers has, for each status that is not an error, where its answer goes.
type answers map[int]any

// do sends a request and reads its answer.
func (c *Client) do(ctx context.Context, r request, into answers) error {
	var contentType string
	var body io.Reader
	if r.body != nil {
		var err error
		if contentType, body, err = r.body(); err != nil {
			return err
		}
	}
	address := c.baseURL + r.path
	if len(r.query) > 0 {
		address += "?" + r.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.method, address, body)
	if err != nil {
		return errors.Join(err, closeBody(body))
	}
	for name, values := range r.headers {
		req.Header[name] = values
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Authorization", "Bearer "+c.token)
	answer, err := c.HTTP.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode >= http.StatusMultipleChoices {
		return newError(answer)
	}
	if target, ok := into[answer.StatusCode]; ok {
		if err := json.NewDecoder(answer.Body).Decode(target); err != nil {
			return fmt.Errorf("read the answer to %s %s: %w", r.method, r.path, err)
		}
	}
	return nil
}
