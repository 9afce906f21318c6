package cli

import (
	"cmp"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

// maxProblem limits how much of an error answer is read, in bytes.
const maxProblem = 64 << 10

// noGrant is the error code for an unknown grant.
const noGrant = "grant_not_found"

// refusal is a broker's error answer (RFC 9457).
type refusal struct {
	Status    int    `json:"-"`
	Detail    string `json:"detail"`
	Code      string `json:"code"`
	RequestID string `json:"request_id"`

	wait time.Duration // of Retry-After; 0 if unknown
}

// Error returns the broker's detail, and when to try again unless the detail says so.
func (r *refusal) Error() string {
	detail := cmp.Or(r.Detail, http.StatusText(r.Status))
	again := ""
	if r.wait > 0 && !strings.Contains(detail, "Try again in ") {
		detail = strings.TrimSuffix(detail, " Try again.")
		again = fmt.Sprintf("; try again in %s", r.wait)
	}
	return fmt.Sprintf("%s (%s, %s)%s", detail, r.Code, r.RequestID, again)
}

// exit returns the exit code for the refusal.
func (r *refusal) exit() int {
	switch {
	case r.Status == http.StatusUnauthorized, r.Status == http.StatusForbidden:
		return ExitDenied
	case r.Code == noGrant:
		return ExitNoGrant
	case r.Status == http.StatusBadRequest, r.Status == http.StatusUnprocessableEntity:
		return ExitUsage
	default:
		return ExitFailed
	}
}

// refused returns the refusal in res, or another error if res is not a broker's answer.
func (c *client) refused(res *http.Response) error {
	if to := res.Header.Get("Location"); res.StatusCode < http.StatusBadRequest && to != "" {
		return fmt.Errorf("%s redirects to %.200q, which is not followed, because it would forward the key: use the address of the broker itself", c.base, to)
	}
	r := &refusal{Status: res.StatusCode}
	media, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if media != "application/problem+json" || json.UnmarshalRead(io.LimitReader(res.Body, maxProblem), r) != nil || r.Code == "" {
		return fmt.Errorf("%s answered %d %s, which is not an answer of a broker; check --url",
			c.base, res.StatusCode, http.StatusText(res.StatusCode))
	}
	if seconds, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil && seconds > 0 {
		r.wait = time.Duration(seconds) * time.Second
	}
	return r
}
