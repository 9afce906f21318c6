package upstream

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/shopspring/decimal"

	"casbroker/internal/admin"
)

var _ admin.CreditsReader = (*Client)(nil)

// The longest numbers of credits taken: far more than anybody could buy, and short
// enough to be written out, which 1e999999999 is not.
const (
	maxNumberBytes = 40
	maxExponent    = 30
)

// What can be wrong with an answer about credits. None of these quotes it.
var (
	errNumber    = errors.New("used, remaining or limit is not a number of credits")
	errRemaining = errors.New("remaining is missing although the credits are not unlimited")
)

// Credits asks the vendor how the account of the API key stands. Its errors are the
// faults that this package declares. They do not open the breaker, so that tokens are
// asked for however often the credits cannot be had.
func (c *Client) Credits(ctx context.Context) (admin.Credits, error) {
	a, err := c.do(ctx, request{method: http.MethodPost, path: "/v1/credits", aside: true})
	if err != nil {
		return admin.Credits{}, err
	}
	credits, err := decodeCredits(a.body)
	if err != nil {
		return admin.Credits{}, ErrBadAnswer.Because(fmt.Errorf("credits answer of vendor request %q: %w", a.requestID, err))
	}
	credits.AsOf = c.opts.Now().UTC()
	return credits, nil
}

// decodeCredits reads the answer of POST /v1/credits. Fields that we do not know are
// passed over, and so is a renewal whose time cannot be read.
func decodeCredits(body []byte) (admin.Credits, error) {
	var v struct {
		Used      jsontext.Value `json:"used"`
		Remaining jsontext.Value `json:"remaining"`
		Limit     jsontext.Value `json:"limit"`
		Unlimited bool           `json:"is_unlimited"`
		ResetsAt  jsontext.Value `json:"resets_at"`
		Features  []string       `json:"enabled_features"`
	}
	// The decoder's own error quotes what it read, so it is not passed on.
	if json.Unmarshal(body, &v) != nil {
		return admin.Credits{}, errShape
	}
	credits := admin.Credits{Unlimited: v.Unlimited, ResetsAt: readTime(v.ResetsAt), Features: append([]string{}, v.Features...)}
	for _, number := range []struct {
		written  jsontext.Value
		into     *string
		required bool
	}{{v.Used, &credits.Used, true}, {v.Remaining, &credits.Remaining, false}, {v.Limit, &credits.Limit, false}} {
		text, ok := readNumber(number.written)
		if !ok || text == "" && number.required {
			return admin.Credits{}, errNumber
		}
		*number.into = text
	}
	switch {
	case credits.Unlimited:
		credits.Remaining, credits.Limit = "", "" // whatever stands there is no end
	case credits.Remaining == "":
		return admin.Credits{}, errRemaining
	}
	return credits, nil
}

// readNumber returns a JSON number with all of its digits and no exponent; "" for null
// and for what is missing.
func readNumber(v jsontext.Value) (text string, ok bool) {
	if isNull(v) {
		return "", true
	}
	if v.Kind() != jsontext.KindNumber || len(v) > maxNumberBytes {
		return "", false
	}
	d, err := decimal.NewFromString(string(v))
	if err != nil || max(d.Exponent(), -d.Exponent()) > maxExponent {
		return "", false
	}
	return d.String(), true
}

// readTime returns an RFC 3339 time, or the zero time for whatever is none, or none
// that could be written again.
func readTime(v jsontext.Value) time.Time {
	var text string
	if isNull(v) || json.Unmarshal(v, &text) != nil {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, text)
	if t = t.UTC(); err != nil || t.Year() < 1 || t.Year() > 9999 {
		return time.Time{}
	}
	return t
}

func isNull(v jsontext.Value) bool { return len(v) == 0 || v.Kind() == jsontext.KindNull }
