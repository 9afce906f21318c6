package app_test

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"

	"casbroker/internal/config"
)

// TestMadeUpTokensLockNobodyOut sends many made-up tokens to each place that takes one, all
// from the address of the users, who have valid ones.
func TestMadeUpTokensLockNobodyOut(t *testing.T) {
	t.Parallel()
	settings, _ := settingsFor(t, sqlite(t), "memory")
	settings.RateLimit = config.RateLimit{Failures: "10-H"}
	settings.Token.Mode = config.ModeGateway
	b := start(t, settings)
	valid := bearerAs(t, "asha", "")
	exchange := func(token string) answer {
		form := url.Values{
			"grant_type": {"urn:ietf:params:oauth:grant-type:token-exchange"}, "subject_token": {token},
			"subject_token_type": {"urn:ietf:params:oauth:token-type:jwt"},
		}
		return b.call(t, "", http.MethodPost, "/oauth/token", form.Encode(), "Content-Type", "application/x-www-form-urlencoded")
	}
	gateway := b.gatewayToken(t, "asha", "")
	counts := map[int]int{}
	for i := range 100 {
		counts[b.as(t, fmt.Sprintf("%s%03d", valid, i), http.MethodPost, "/v1/token", "").status]++
		counts[exchange(fmt.Sprintf("%s%03d", valid, i)).status]++
		counts[parse(t, b.URL+"/gateway", gateway.AccessToken+fmt.Sprint(i), "cdsl", "ABCDE1234F").status]++
	}
	if counts[429] != 290 || counts[401]+counts[400] != 10 {
		t.Errorf("got %v, want 10 refused as they are and 290 held back", counts)
	}
	b.as(t, valid, http.MethodPost, "/v1/token", "").must(t, 200)
	exchange(valid).must(t, 200)
	parse(t, b.URL+"/gateway", gateway.AccessToken, "cdsl", "ABCDE1234F").must(t, 200)
	b.as(t, valid+"x", http.MethodPost, "/v1/token", "").mustRefuse(t, 429, "rate_limited")
	b.call(t, "", http.MethodPost, "/v1/token", "").mustRefuse(t, 401, "unauthenticated") // without a token
}
