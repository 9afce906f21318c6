package app_test

import (
	"net/http"
	"testing"

	"casbroker/internal/config"
	"casbroker/internal/sandbox"
)

func TestCallToTheVendorIsExplained(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, _ *sandbox.Sandbox) {
		settings.Token.Mode = config.ModeGateway
		key := withOperator(t, &settings, "meera")
		b := start(t, settings)
		g := b.gatewayToken(t, "asha", "")
		id := parse(t, g.BaseURL, g.AccessToken, "cdsl", "ABCDE1234F").must(t, 200).header.Get("X-Request-Id")
		operator := b.signIn(t, key)
		var e struct {
			Known    bool
			Findings []struct{ Result, What, Subject string }
		}
		b.call(t, "", http.MethodGet, "/admin/v1/requests/"+id, "", operator...).must(t, 200).decode(t, &e)
		if !e.Known || len(e.Findings) == 0 {
			t.Fatalf("got %+v", e)
		}
		if last := e.Findings[len(e.Findings)-1]; last.What != "smart_parser" || last.Subject != "app:asha" || last.Result != "done" {
			t.Errorf("got %+v", e)
		}
		b.call(t, "", http.MethodGet, "/admin/v1/requests/%00", "", operator...).must(t, 400)
		b.call(t, "asha", http.MethodGet, "/admin/v1/requests/"+id, "").mustRefuse(t, 403, "forbidden")
	})
}
