package auth_test

import (
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"casbroker/internal/auth"
)

// withClaims returns the claims of a valid token with pairs of names and values changed; nil
// removes one.
func withClaims(pairs ...any) jwt.MapClaims {
	claims := claimsOf("asha")
	for i := 0; i < len(pairs); i += 2 {
		name, _ := pairs[i].(string)
		if pairs[i+1] == nil {
			delete(claims, name)
			continue
		}
		claims[name] = pairs[i+1]
	}
	return claims
}

func TestAudienceMayBeInAnotherClaim(t *testing.T) {
	t.Parallel()
	for _, claim := range []string{"client_id", "azp"} {
		v := withSecret()
		v.AudienceClaim, v.Audience = claim, []string{audience, "spare"}
		a := newAuth(t, v)
		for name, c := range map[string]struct {
			claims jwt.MapClaims
			detail string // "" if it is accepted
		}{
			"the claim":                  {withClaims("aud", nil, claim, audience), ""},
			"the other audience":         {withClaims("aud", nil, claim, "spare"), ""},
			"both claims":                {withClaims("aud", audience, claim, "spare"), ""},
			"aud alone":                  {withClaims(), "has no " + claim},
			"neither":                    {withClaims("aud", nil), "has no " + claim},
			"an empty one":               {withClaims("aud", nil, claim, ""), "has no " + claim},
			"another one":                {withClaims("aud", nil, claim, audience+"2"), "token's " + claim + " is not accepted"},
			"another one, aud fits":      {withClaims(claim, "elsewhere"), "token's " + claim + " is not accepted"},
			"the claim, for another aud": {withClaims("aud", "elsewhere", claim, audience), "audience (aud) is not accepted"},
			"the claim, aud is empty":    {withClaims("aud", []string{}, claim, audience), "no audience"},
			"a list":                     {withClaims("aud", nil, claim, []string{audience}), "claim " + claim},
			"a number":                   {withClaims("aud", nil, claim, 7), "claim " + claim},
			"one below":                  {withClaims("aud", nil, "x", map[string]any{claim: audience}), "has no " + claim},
			"in capitals":                {withClaims("aud", nil, strings.ToUpper(claim), audience), "has no " + claim},
		} {
			got := askWith(t, a, signHS(t, c.claims))
			if accepted := got.status == 200; accepted != (c.detail == "") || !strings.Contains(got.detail, c.detail) {
				t.Errorf("%s, %s: got %+v, want %q", claim, name, got, c.detail)
			}
		}
		null := strings.Replace(asJSON(t, withClaims("aud", nil, claim, "@")), `"@"`, "null", 1)
		if got := askWith(t, a, signRaw(t, plainHeader, null)); !strings.Contains(got.detail, "has no "+claim) {
			t.Errorf("%s null: got %+v", claim, got)
		}
	}
	v := withSecret()
	v.AudienceClaim = "scope"
	if _, err := auth.New(t.Context(), auth.Options{Verifiers: []auth.Verifier{v}}); err == nil || !strings.Contains(err.Error(), "auth.verifiers[0].audience_claim: want one of") {
		t.Errorf("got %v, want that the claim is refused", err)
	}
}

func TestNumericSubjectsAreTheirDigits(t *testing.T) {
	t.Parallel()
	v := withSecret()
	v.NumericSubject = true
	a := newAuth(t, v)
	whole := "is a number, but not a whole one"
	for sub, want := range map[string]string{
		`7`: "demo:7", `"7"`: "demo:7", `0`: "demo:0", `"asha"`: "demo:asha", `9007199254740993`: "demo:9007199254740993",
		`18446744073709551617`: "demo:18446744073709551617", strings.Repeat("9", 256): "demo:" + strings.Repeat("9", 256),
		`-7`: whole, `-0`: whole, `7.0`: whole, `7e0`: whole, `1E400`: whole,
		`true`: "claim sub", `false`: "claim sub", `[7]`: "claim sub", `{"id":7}`: "claim sub", `null`: "subject (sub) must be",
		`07`: "not a JSON object", `+7`: "not a JSON object", `NaN`: "not a JSON object", strings.Repeat("9", 257): "subject (sub) must be",
	} {
		claims := strings.Replace(asJSON(t, claimsOf("@")), `"@"`, sub, 1)
		got := askWith(t, a, signRaw(t, plainHeader, claims))
		if got.body != want && (got.status == 200 || !strings.Contains(got.detail, want)) {
			t.Errorf("%s: got %+v, want %q", sub, got, want)
		}
	}
}

func TestTokensOfSixteenKiBAreAccepted(t *testing.T) {
	t.Parallel()
	a := newAuth(t, withSecret())
	largest := signHS(t, with("x", ""))
	// Each 3 bytes of a claim are 4 of the token.
	largest = signHS(t, with("x", strings.Repeat("A", (auth.MaxTokenSize-len(largest))/4*3)))
	if len(largest) < 16300 {
		t.Fatalf("the token has %d bytes", len(largest))
	}
	for range 2 { // the second time from the cache
		if got := askWith(t, a, largest); got.status != 200 || got.body != "demo:asha" {
			t.Errorf("a token of %d bytes: got %+v", len(largest), got)
		}
	}
	if s := a.CacheStats(); s.Hits != 1 || s.Entries != 1 {
		t.Errorf("got %+v, want one entry and one hit", s)
	}
}
