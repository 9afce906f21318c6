package upstream

import (
	"bytes"
	"strconv"
	"strings"
	"testing"
	"time"

	"casbroker/internal/token"
)

func TestRetryAfterIsReadAsSecondsOrAsADate(t *testing.T) {
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

func FuzzDecodeTokenTakesOnlyWhatIsDocumented(f *testing.F) {
	for _, seed := range []string{
		`{"access_token":"at_a","token_type":"api_key","expires_in":3600}`, `{"access_token":"at_a","expires_in":1e3}`,
		`{"ACCESS_TOKEN":"at_a","expires_in":60}`, `{"access_token":"at_\u0061","expires_in":60}`, `[]`, `null`, "", "\xff",
	} {
		f.Add([]byte(seed), 10)
	}
	f.Fuzz(func(t *testing.T, body []byte, minutes int) {
		if minutes < 1 || minutes > 60 {
			return // never asked for
		}
		asked := time.Duration(minutes) * time.Minute
		m, err := decodeToken(body, asked)
		if err != nil {
			if m != (token.Minted{}) {
				t.Error("a token came with an error")
			}
			return
		}
		value := m.Value.Reveal()
		if !strings.HasPrefix(value, "at_") || len(value) < 4 || len(value) > 4096 || strings.ContainsFunc(value, invisible) {
			t.Errorf("took the token %q", value)
		}
		if m.ExpiresIn < time.Second || m.ExpiresIn > asked || m.ExpiresIn%time.Second != 0 {
			t.Errorf("took the life %v of %v", m.ExpiresIn, asked)
		}
		if !bytes.Contains(body, []byte("access_token")) && !bytes.ContainsRune(body, '\\') {
			t.Errorf("found a token in %s", strconv.Quote(string(body)))
		}
	})
}

func invisible(r rune) bool { return r <= ' ' || r > '~' }
