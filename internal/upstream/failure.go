package upstream

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"casbroker/internal/apikey"
	"casbroker/internal/fault"
)

// The faults that every call may return. Users of apps read their details; the notes are
// for the operator. Their causes name the status, the vendor's code and its request id.
var (
	// ErrUnavailable: the vendor does not answer or answers 5xx, or the breaker is open.
	ErrUnavailable = fault.New(fault.Unavailable, "upstream_unavailable",
		"The vendor does not answer at the moment; try again later.")
	// ErrRateLimited: the vendor accepts no more requests for now.
	ErrRateLimited = fault.New(fault.Unavailable, "upstream_rate_limited",
		"The vendor accepts no more requests at the moment; try again later.")
	// ErrRefusedKey: the vendor does not accept the API key, or not for this call.
	ErrRefusedKey = fault.New(fault.Unavailable, "upstream_refused_key", operatorOnly).
			After(30 * time.Second).WithNotef("The vendor refused the API key; check upstream.api_key or upstream.keys.")
	// ErrOutOfCredits: the account of the API key has no credits left.
	ErrOutOfCredits = fault.New(fault.Unavailable, "upstream_out_of_credits", operatorOnly).
			After(5 * time.Minute).WithNotef("The vendor account is out of credits; buy more or wait until they are renewed.")
	// ErrBadAnswer: the response is not one that the vendor documents.
	ErrBadAnswer = fault.New(fault.Unavailable, "upstream_bad_answer",
		"The vendor gave an unexpected answer; try again later.").
		After(30 * time.Second).WithNotef("The vendor's answer is not one that it documents; check upstream.url.")
)

// operatorOnly is the detail of faults that only the operator can resolve.
const operatorOnly = "This service cannot use the vendor's API at the moment. The operator of this service has to resolve this."

// noteMixedUp is the note for an access token that was configured as the API key.
const noteMixedUp = "upstream.api_key holds an access token (at_…); the vendor wants the API key itself."

// noteQuotaOrKey is the note for 403 without a code, which the vendor documents for both.
const noteQuotaOrKey = "The vendor refused the API key, or its quota is used up: it answers both alike; check upstream.api_key or upstream.keys, and the account."

// Outcomes of attempts, for metrics.
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
	errRedirect = errors.New("redirects are not followed, because they would carry the API key to another place")
	errRefused  = errors.New("the vendor refused the request")
	errFailed   = errors.New("the vendor failed")
)

// failure describes an attempt that did not succeed.
type failure struct {
	fault        *fault.Fault // for the caller
	outcome      string
	retryable    bool          // another attempt may succeed
	tripsBreaker bool          // it counts towards opening the breaker
	aboutKey     bool          // another key may get a better answer
	retryAfter   time.Duration // the vendor's Retry-After, or how long the breaker stays open; 0 if unknown
	keyName      string        // of the API key; "" before one is taken
	status       int           // 0 without a response
	code         string        // the vendor's error code; "" without one
	requestID    string        // the vendor's
	cause        error
}

// Error describes the failure for the log. It leaves out the vendor's messages, which
// may repeat what was sent.
func (f *failure) Error() string {
	var b strings.Builder
	b.WriteString(f.cause.Error())
	if f.keyName != "" {
		b.WriteString(", API key " + f.keyName)
	}
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

// statusFailure returns the failure that the status of res means, nil for 200 and 201.
func statusFailure(res response) *failure {
	if res.ok() {
		return nil
	}
	e := readError(res.body)
	f := &failure{
		fault: ErrBadAnswer, outcome: outcomeRefused, cause: errRefused,
		status: res.status, code: e.Code, requestID: res.requestID, retryAfter: res.retryAfter,
	}
	switch res.status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusPaymentRequired:
		reason := apikey.ReasonOf(res.status, e.Code)
		f.fault, f.aboutKey = accountFault(reason), reason != ""
	case http.StatusTooManyRequests:
		f.fault, f.outcome, f.aboutKey = ErrRateLimited, outcomeRateLimited, true
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		f.retryable = true
	case http.StatusBadRequest:
		if strings.Contains(e.Detail, "access token") {
			f.fault = ErrRefusedKey.WithNotef(noteMixedUp)
		}
	}
	switch {
	case res.status >= 500:
		f.fault, f.outcome, f.tripsBreaker, f.cause = ErrUnavailable, outcomeFailed, true, errFailed
	case res.status < 400:
		f.outcome, f.cause = outcomeBadAnswer, errRedirect
		if res.status < 300 {
			f.cause = errShape
		}
	}
	return f
}

// bodyFailure returns the failure that the body of a success means, nil if it is one: some
// failures come with 200, and their msg is kept for the operator.
func bodyFailure(req request, res response, key *apikey.Key) *failure {
	f := &failure{
		fault: ErrBadAnswer, outcome: outcomeBadAnswer, tripsBreaker: true, status: res.status, requestID: res.requestID,
	}
	if e := readError(res.body); e.failed() {
		f.code, f.cause = e.Code, fmt.Errorf("the vendor answered with %q, %s", e.Status, quoteMessage(e.Msg, key))
		if reason := apikey.ReasonOf(http.StatusForbidden, e.Code); e.Code != "" && reason != "" {
			f.fault, f.outcome, f.tripsBreaker, f.aboutKey = accountFault(reason), outcomeRefused, false, true
		}
		return f
	}
	if req.read == nil {
		return nil
	}
	if f.cause = req.read(res.body); f.cause == nil {
		return nil
	}
	return f
}

// anyToken matches access tokens.
var anyToken = regexp.MustCompile(`at_[A-Za-z0-9._~-]+`)

// maxMessage is how much of a message of the vendor is logged, in bytes.
const maxMessage = 200

// quoteMessage returns msg for the log, without the API key and tokens.
func quoteMessage(msg string, key *apikey.Key) string {
	if value := key.Value.Reveal(); value != "" {
		msg = strings.ReplaceAll(msg, value, "…")
	}
	msg = anyToken.ReplaceAllString(msg, "at_…")
	if len(msg) > maxMessage {
		msg = strings.ToValidUTF8(msg[:maxMessage], "") + "…"
	}
	return strconv.Quote(msg)
}

// accountFault returns the fault for an answer that is about the key or its account.
func accountFault(reason apikey.Reason) *fault.Fault {
	switch reason {
	case apikey.OutOfCredits:
		return ErrOutOfCredits
	case apikey.QuotaOrKey:
		return ErrRefusedKey.WithNotef(noteQuotaOrKey)
	default:
		return ErrRefusedKey
	}
}

// errorBody is an error in the vendor's two forms.
type errorBody struct {
	Status string `json:"status"`
	Msg    string `json:"msg"`
	Code   string `json:"code"`
	Detail string `json:"detail"`
}

// failed reports whether the body says that it is an error.
func (e errorBody) failed() bool { return e.Status == "failed" || e.Status == "error" }

// readError reads an error body. A code that does not have the documented form
// (RATE_LIMITED) is returned as "".
func readError(body []byte) (e errorBody) {
	if json.Unmarshal(body, &e) != nil || len(e.Code) > 40 || strings.Trim(e.Code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") != "" {
		e.Code = ""
	}
	return e
}
