package app_test

import (
	"net/http"
	"strings"
	"testing"

	"casbroker/internal/auth"
)

func TestCookieNeedsOneListOfOrigins(t *testing.T) {
	t.Parallel()
	settings, _ := settingsFor(t, sqlite(t), "memory")
	settings.Server.AllowedOrigins, settings.Auth.Cookie = []string{"https://app.example"}, "session"
	b := start(t, settings)
	user, admin := "session="+bearer(t, "asha"), "session="+bearerAs(t, "meera", "casbroker:admin")
	for origin, allowed := range map[string]bool{"https://app.example": true, "https://evil.example": false} {
		header := []string{"Origin", origin, "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "cors", "Cookie", user}
		for method, path := range map[string]string{http.MethodGet: "/v1/portfolios", http.MethodPost: "/v1/token"} {
			a := b.call(t, "", method, path, "", header...)
			if !allowed {
				a.mustRefuse(t, 403, "origin_not_allowed")
			} else if a.must(t, 200); a.header.Get("Access-Control-Allow-Origin") != origin {
				t.Errorf("%s: the page cannot read the answer: %v", path, a.header)
			}
		}
		header[len(header)-1] = admin
		b.call(t, "", http.MethodPost, "/admin/v1/users/app:asha/block", `{}`, header...).mustRefuse(t, 403, auth.ErrCrossOrigin.Code)
	}
}

func TestPreflightWithoutAllowedOriginsIsNotASignIn(t *testing.T) {
	t.Parallel()
	settings, _ := settingsFor(t, sqlite(t), "memory")
	b := start(t, settings)
	req := request(t, http.MethodOptions, b.URL+"/v1/token")
	req.Header.Set("Origin", "https://app.example")
	req.Header.Set("Access-Control-Request-Method", http.MethodPost)
	send(t, http.DefaultClient, req).mustRefuse(t, 403, "origin_not_allowed")
	if log := b.log.String(); !strings.Contains(log, "server.allowed_origins") || !strings.Contains(log, "https://app.example") {
		t.Errorf("got %s, want the origin and the setting", log)
	}
}
