package upstream

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"casbroker/internal/fault"
)

// The failures of calls to the vendor. Their causes, which only the log shows,
// name the status, the vendor's code and its request id.
var (
	// ErrUnavailable: the vendor does not answer, answers 5xx, or is being spared.
	ErrUnavailable = fault.New(fault.Unavailable, "upstream_unavailable",
		"The vendor does not answer at the moment; try again later.")
	// ErrRateLimited: the vendor takes no more requests for now.
	ErrRateLimited = fault.New(fault.Unavailable, "upstream_rate_limited",
		"The vendor takes no more requests at the moment; try again later.")
	// ErrRefusedKey: the vendor does not know the API key, or it may not do this.
	ErrRefusedKey = fault.New(fault.Unavailable, "upstream_refused_key",
		"The vendor refused the API key; check upstream.api_key.").After(30 * time.Second)
	// ErrOutOfCredits: the account behind the API key has nothing left.
	ErrOutOfCredits = fault.New(fault.Unavailable, "upstream_out_of_credits",
		"The vendor account is out of credits; buy more or wait until they are renewed.").After(5 * time.Minute)
	// ErrBadAnswer: what came back is not what the vendor documents.
	ErrBadAnswer = fault.New(fault.Unavailable, "upstream_bad_answer",
		"The vendor gave an answer that it does not document; check upstream.url.").After(30 * time.Second)
)

const keyMixedUp = "upstream.api_key holds an access token (at_…); the vendor wants the API key itself."

// How an attempt ended, for metrics.
const (
	outcomeOK          = "ok"
	outcomeRefused     = "refused"
	outcomeRateLimited = "rate_limited"
	outcomeFailed      = "failed"
	outcomeTimeout     = "timeout"
	outcomeUnreachable = "unreachable"
	outcomeBadAnswer   = "bad_answer"
	outcomeCanceled    = "canceled"
	outcomeBreaker     = "breaker_open"
)

var (
	errRedirect = errors.New("redirects are not followed, so that the API key stays where it belongs")
	errRefused  = errors.New("the vendor refused the request")
	errFailed   = errors.New("the vendor failed")
)

// failure is an attempt that did not succeed.
type failure struct {
	fault     *fault.Fault // what it is for the caller
	outcome   string
	again     bool          // another attempt may succeed
	ill       bool          // it counts towards opening the breaker
	aside     bool          // nothing depends on the call, so it does not count after all
	wait      time.Duration // what the vendor asked for, or until the breaker closes; 0 for nothing
	status    int           // 0 when no answer came
	code      string        // the vendor's, "" when it gave none
	requestID string        // the vendor's
	cause     error
}

// Error tells what is known without anything that the vendor wrote freely, since
// that may repeat what was sent.
func (f *failure) Error() string {
	var b strings.Builder
	b.WriteString(f.cause.Error())
	if f.status != 0 {
		fmt.Fprintf(&b, ", HTTP %d", f.status)
	}
	if f.code != "" {
		b.WriteString(", code " + f.code)
	}
	if f.requestID != "" {
		b.WriteString(", vendor request " + f.requestID)
	}
	return b.String()
}

// Unwrap returns the cause.
func (f *failure) Unwrap() error { return f.cause }

// refused is the failure that an answer stands for; nil for 200 and 201.
func refused(a answer) *failure {
	if a.ok() {
		return nil
	}
	code, detail := vendorError(a.body)
	f := &failure{
		fault: ErrBadAnswer, outcome: outcomeRefused, cause: errRefused,
		status: a.status, code: code, requestID: a.requestID, wait: a.retryAfter,
	}
	switch a.status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusPaymentRequired:
		f.fault = accountFault(a.status, code)
	case http.StatusTooManyRequests:
		f.fault, f.outcome, f.again = ErrRateLimited, outcomeRateLimited, true
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		f.again = true
	case http.StatusBadRequest:
		if strings.Contains(detail, "access token") {
			f.fault = ErrRefusedKey.Withf(keyMixedUp)
		}
	}
	switch {
	case a.status >= 500:
		f.fault, f.outcome, f.ill, f.cause = ErrUnavailable, outcomeFailed, true, errFailed
	case a.status < 400:
		f.outcome, f.cause = outcomeBadAnswer, errRedirect
		if a.status < 300 {
			f.cause = errShape
		}
	}
	return f
}

// accountFault tells a bad key from an empty account. The vendor's documents give
// 402 and 403 to both; the code decides where there is one.
func accountFault(status int, code string) *fault.Fault {
	switch {
	case code == "INSUFFICIENT_CREDITS":
		return ErrOutOfCredits
	case code != "INVALID_API_KEY" && status == http.StatusPaymentRequired:
		return ErrOutOfCredits
	default:
		return ErrRefusedKey
	}
}

// vendorError reads the vendor's two forms of errors. A code of another form
// than the documented (RATE_LIMITED) is left out.
func vendorError(body []byte) (code, detail string) {
	var e struct {
		Code   string `json:"code"`
		Detail string `json:"detail"`
	}
	if json.Unmarshal(body, &e) != nil || len(e.Code) > 40 || strings.Trim(e.Code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") != "" {
		return "", e.Detail
	}
	return e.Code, e.Detail
}
