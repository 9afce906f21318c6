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

// Bounds of a number of credits: far beyond what can be bought, and short enough to be
// written without an exponent, unlike 1e999999999.
const (
	maxNumberBytes = 40
	maxExponent    = 30
)

// What can be wrong with a response to Credits. None of these quotes it.
var (
	errNumber    = errors.New("used, remaining or limit is not a number of credits")
	errRemaining = errors.New("remaining is missing although the credits are not unlimited")
)

// Credits returns the credits of the account of the first API key. Its errors are the faults that
// this package declares. They do not count towards opening the breaker, because failed
// lookups for a page must not stop the minting of tokens.
func (c *Client) Credits(ctx context.Context) (admin.Credits, error) {
	res, err := c.do(ctx, request{method: http.MethodPost, path: "/v1/credits", excluded: true, first: true})
	if err != nil {
		return admin.Credits{}, err
	}
	credits, err := decodeCredits(res.body)
	if err != nil {
		return admin.Credits{}, ErrBadAnswer.Because(fmt.Errorf("response to vendor request %q: %w", res.requestID, err))
	}
	credits.AsOf = c.opts.Now().UTC()
	return credits, nil
}

// decodeCredits decodes the response of POST /v1/credits. Unknown members are ignored,
// and so is a renewal time that cannot be parsed.
func decodeCredits(body []byte) (admin.Credits, error) {
	var v struct {
		Used      jsontext.Value `json:"used"`
		Remaining jsontext.Value `json:"remaining"`
		Limit     jsontext.Value `json:"limit"`
		Unlimited bool           `json:"is_unlimited"`
		ResetsAt  jsontext.Value `json:"resets_at"`
		Features  []string       `json:"enabled_features"`
	}
	// The decoder's own error quotes its input, so it is not returned.
	if json.Unmarshal(body, &v) != nil {
		return admin.Credits{}, errShape
	}
	credits := admin.Credits{Unlimited: v.Unlimited, ResetsAt: readTime(v.ResetsAt), Features: append([]string{}, v.Features...)}
	for _, number := range []struct {
		value    jsontext.Value
		into     *string
		required bool
	}{{v.Used, &credits.Used, true}, {v.Remaining, &credits.Remaining, false}, {v.Limit, &credits.Limit, false}} {
		text, ok := readNumber(number.value)
		if !ok || text == "" && number.required {
			return admin.Credits{}, errNumber
		}
		*number.into = text
	}
	switch {
	case credits.Unlimited:
		credits.Remaining, credits.Limit = "", "" // the vendor's values mean nothing then
	case credits.Remaining == "":
		return admin.Credits{}, errRemaining
	}
	return credits, nil
}

// readNumber returns a JSON number with all its digits and no exponent, and "" for null
// or a missing value. ok is false for any other value and for a number out of bounds.
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

// readTime parses an RFC 3339 time. It returns the zero time for any other value, and
// for years outside 1 to 9999 in UTC, which cannot be encoded again.
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
