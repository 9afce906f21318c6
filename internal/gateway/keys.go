package gateway

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"casbroker/internal/apikey"
)

// Keys hands out API keys, at the pace that the vendor allows.
type Keys interface {
	// Take returns a key for one request. It waits for its turn. It returns a fault with
	// the time to wait if that is too far away, and one if no key can be used.
	Take(ctx context.Context, use apikey.Use) (*apikey.Key, error)
}

// Health is how the vendor does. Other calls of the vendor share it.
type Health interface {
	// Allow returns how long no calls are made, since too many in a row failed. If that is
	// 0, the caller must call done once, with the outcome of its call.
	Allow() (done func(outcome string), wait time.Duration)
}

// The outcomes of calls for Health.
const (
	healthOK          = "ok"
	healthRefused     = "refused"
	healthRateLimited = "rate_limited"
	healthFailed      = "failed"
	healthTimeout     = "timeout"
	healthUnreachable = "unreachable"
	healthBadAnswer   = "bad_answer"
	healthCanceled    = "canceled" // says nothing of the vendor
)

var (
	errRefusedKey = apikey.ErrRefused
	errPaced      = apikey.ErrBusy
)

// vendorCall is one request to the vendor.
type vendorCall struct {
	key  *apikey.Key
	done func(healthOutcome string) // may be called more than once
}

// begin returns a call with a key, when it is its turn.
func (x *exchange) begin(ctx context.Context) (*vendorCall, error) {
	if x.Health == nil {
		key, err := x.takeKey(ctx)
		return &vendorCall{key, func(string) {}}, err
	}
	done, wait := x.Health.Allow()
	if wait > 0 {
		return nil, errUnreachable.After(wait)
	}
	key, err := x.takeKey(ctx)
	if err != nil {
		done(healthCanceled)
		return nil, err
	}
	var once sync.Once
	return &vendorCall{key, func(outcome string) { once.Do(func() { done(outcome) }) }}, nil
}

func (x *exchange) takeKey(ctx context.Context) (*apikey.Key, error) {
	return x.Keys.Take(ctx, apikey.Use{App: apikey.AppOf(x.token.Subject), Urgent: !x.route.free, Only: x.keyName})
}

// answered reports the vendor's answer. It reads an error as a whole. The caller reads a success,
// and then calls done.
func (v *vendorCall) answered(res *http.Response) (err error) {
	code := ""
	if res.StatusCode >= http.StatusBadRequest {
		if code, err = errorCode(res); err != nil {
			v.done(healthBadAnswer)
			return err
		}
	}
	v.key.Report(apikey.Answer{Status: res.StatusCode, Code: code, Header: res.Header})
	if res.StatusCode == http.StatusTooManyRequests && res.Header.Get("Retry-After") == "" {
		res.Header.Set("Retry-After", strconv.Itoa(int(apikey.RetryAfter(res.Header, time.Now()).Seconds())))
	}
	outcome := healthOf(res.StatusCode, code)
	if outcome == healthOK && !isJSON(res) {
		if outcome = healthBadAnswer; res.StatusCode >= http.StatusBadRequest {
			outcome = healthRefused // a user could repeat it, so it does not count towards opening the breaker
		}
	}
	if outcome != healthOK || res.StatusCode >= http.StatusMultipleChoices {
		v.done(outcome)
	}
	return nil
}

// refused returns the caller's error for an answer with this status, which says that the
// vendor does not accept the key. answered must have been called.
func (v *vendorCall) refused(status int) error {
	if v.key.Value == "" {
		return errBadAnswer.Because(fmt.Errorf("HTTP %d of a parser that takes no API key", status))
	}
	err := errRefusedKey.Because(fmt.Errorf("HTTP %d for the API key %s", status, v.key.Name))
	if v.key.Replaceable() {
		return err.Withf("The statement service did not accept this call; try again.").After(time.Second)
	}
	return err
}

// errorCode returns the code of an error of the vendor, "" if it has none.
func errorCode(res *http.Response) (string, error) {
	if !isJSON(res) {
		return "", nil
	}
	body, err := readSmall(res)
	if err != nil {
		return "", err
	}
	var e struct {
		Code string `json:"code"`
	}
	_ = json.Unmarshal(body, &e) // no code then
	return e.Code, nil
}

// isJSON reports whether the answer is JSON, as all answers of the vendor are.
func isJSON(res *http.Response) bool {
	media, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	return media == "application/json" && res.Header.Get("Content-Encoding") == ""
}

// healthOf returns what an answer says of the vendor. A document that the vendor cannot
// read is no failure, whatever the status: a user could repeat it.
func healthOf(status int, code string) string {
	switch {
	case status >= 500:
		switch code {
		case "PARSING_ERROR", "INVALID_PDF", "INVALID_PASSWORD", "UNSUPPORTED_FORMAT", "FILE_TOO_LARGE":
			return healthOK
		}
		return healthFailed
	case status == http.StatusTooManyRequests:
		return healthRateLimited
	case apikey.ReasonOf(status, code) != "":
		return healthRefused
	case status < 200, status >= 300 && status < 400:
		return healthBadAnswer
	default:
		return healthOK
	}
}

// healthOfError returns what a call without an answer says of the vendor. A caller that is
// slow or leaves says nothing.
func healthOfError(err error) string {
	switch {
	case errors.Is(err, errTimeout):
		return healthTimeout
	case errors.Is(err, errUnreachable):
		return healthUnreachable
	case errors.Is(err, errBadAnswer):
		return healthBadAnswer
	default:
		return healthCanceled
	}
}
