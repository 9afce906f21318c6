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

// maxProblem is how much of an error answer is read, in bytes.
const maxProblem = 64 << 10

// noGrant is the broker's code for a grant that is not there.
const noGrant = "grant_not_found"

// refusal is what a broker says instead of doing what it was asked (RFC 9457).
type refusal struct {
	Status    int    `json:"-"`
	Detail    string `json:"detail"`
	Code      string `json:"code"`
	RequestID string `json:"request_id"`

	wait time.Duration // until it makes sense to try again; 0 for unknown
}

// Error says what the broker said, and when to try again, unless the broker said that too.
func (r *refusal) Error() string {
	detail := cmp.Or(r.Detail, http.StatusText(r.Status))
	again := ""
	if r.wait > 0 && !strings.Contains(detail, "Try again in ") {
		detail = strings.TrimSuffix(detail, " Try again.")
		again = fmt.Sprintf("; try again in %s", r.wait)
	}
	return fmt.Sprintf("%s (%s, %s)%s", detail, r.Code, r.RequestID, again)
}

// exit is the exit code that the refusal comes to.
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

// refused returns the refusal that res is, or says that res is no broker's.
func (c *client) refused(res *http.Response) error {
	if to := res.Header.Get("Location"); res.StatusCode < http.StatusBadRequest && to != "" {
		return fmt.Errorf("%s redirects to %.200q, which is not followed, for the key would go along: give the address of the broker itself", c.base, to)
	}
	r := &refusal{Status: res.StatusCode}
	media, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if media != "application/problem+json" || json.UnmarshalRead(io.LimitReader(res.Body, maxProblem), r) != nil || r.Code == "" {
		return fmt.Errorf("%s answered %d %s, and not as a broker does; is --url that of a broker?",
			c.base, res.StatusCode, http.StatusText(res.StatusCode))
	}
	if seconds, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil && seconds > 0 {
		r.wait = time.Duration(seconds) * time.Second
	}
	return r
}
