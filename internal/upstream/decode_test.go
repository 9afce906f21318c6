package upstream

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"casbroker/internal/token"
)

func TestRetryAfterIsSecondsOrADate(t *testing.T) {
	t.Parallel()
	now := time.Date(2025, 4, 1, 9, 30, 0, 0, time.UTC)
	for header, want := range map[string]time.Duration{
		"": 0, "0": 0, "7": 7 * time.Second, " 7 ": 7 * time.Second, "86400": 24 * time.Hour,
		"86401": 24 * time.Hour, "18446744073709551615": 24 * time.Hour,
		"-7": 0, "7.5": 0, "soon": 0, "99999999999999999999": 0,
		"Tue, 01 Apr 2025 09:30:07 GMT":   7 * time.Second,
		"Tue, 01 Apr 2025 09:29:00 GMT":   0,
		"Wed, 01 Apr 2026 09:30:00 GMT":   24 * time.Hour,
		"Tuesday, 01-Apr-25 09:30:07 GMT": 7 * time.Second,
	} {
		if got := retryAfter(header, now); got != want {
			t.Errorf("%q: got %v, want %v", header, got, want)
		}
	}
}

func FuzzDecodeToken(f *testing.F) {
	for _, seed := range []string{
		`{"access_token":"at_a","token_type":"api_key","expires_in":3600}`, `{"access_token":"at_a","expires_in":1e3}`, `{"access_token":"at_a","expires_in":"60.5"}`,
		`{"ACCESS_TOKEN":"at_a","expires_in":60}`, `{"access_token":"at_\u0061","expires_in":60}`, `{"access_token":"at_\u0022","expires_in":60}`, `[]`, `null`, "", "\xff",
	} {
		f.Add([]byte(seed), 10)
	}
	f.Fuzz(func(t *testing.T, body []byte, minutes int) {
		if minutes < 1 || minutes > 60 {
			return // never requested
		}
		requested := time.Duration(minutes) * time.Minute
		m, err := decodeToken(body, requested)
		if err != nil {
			if m != (token.Minted{}) {
				t.Error("got a token with an error")
			}
			return
		}
		value := m.Value.Reveal()
		if !strings.HasPrefix(value, "at_") || len(value) < 4 || len(value) > 4096 || strings.Trim(value, tokenBytes) != "" {
			t.Errorf("accepted the token %q", value)
		}
		if m.ExpiresIn < time.Second || m.ExpiresIn > requested || m.ExpiresIn%time.Second != 0 {
			t.Errorf("accepted the life %v of %v", m.ExpiresIn, requested)
		}
		if !bytes.Contains(body, []byte("access_token")) && !bytes.ContainsRune(body, '\\') {
			t.Errorf("found a token in %q", body)
		}
	})
}

// tokenBytes are the characters of an access token.
const tokenBytes = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~-"

func FuzzDecodeCredits(f *testing.F) {
	for _, seed := range []string{
		`{"used":1,"remaining":2,"limit":3,"is_unlimited":false,"resets_at":"2026-05-01T00:00:00Z","enabled_features":["a"]}`,
		`{"used":1e30,"remaining":null,"is_unlimited":true}`, `{"used":1e-31,"remaining":0}`, `{"used":-0,"remaining":0.10}`, `null`, "",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		c, err := decodeCredits(body)
		if err != nil {
			return
		}
		for _, number := range []string{c.Used, c.Remaining, c.Limit} {
			if len(number) > 2*maxNumberBytes || strings.ContainsAny(number, "eE") {
				t.Errorf("accepted the number %q", number)
			}
			if _, err := decimal.NewFromString(number); number != "" && err != nil {
				t.Errorf("accepted the number %q", number)
			}
		}
		if c.Used == "" || c.Unlimited != (c.Remaining == "") {
			t.Errorf("accepted %+v", c)
		}
		if _, err := json.Marshal(c); err != nil {
			t.Errorf("the result cannot be encoded: %v", err)
		}
	})
}
