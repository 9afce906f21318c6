package app_test

import (
	"net/http"
	"testing"
	"time"

	"casbroker/internal/config"
)

func TestBlockCoversAllCallsOfTheUserUnlessSet(t *testing.T) {
	t.Parallel()
	for covers, status := range map[string]int{config.BlockCoversEverything: 403, config.BlockCoversTokens: 200} {
		t.Run(covers, func(t *testing.T) {
			t.Parallel()
			settings, _ := settingsFor(t, sqlite(t), "memory")
			settings.Access.BlockCovers = covers
			b := start(t, settings)
			for _, user := range []string{"asha", "rohan"} {
				b.call(t, user, http.MethodPost, "/v1/portfolios", `{"meta":{"cas_type":"NSDL"},"nps":[{"pran":"1","funds":[{"name":"A","units":1,"value":1}]}]}`).must(t, 201)
				b.call(t, user, http.MethodGet, "/v1/portfolios/latest", "").must(t, 200) // in memory from now on
			}
			if _, err := b.app.Access().Block(t.Context(), operator, "app:asha", "test", time.Time{}); err != nil {
				t.Fatal(err)
			}
			b.call(t, "asha", http.MethodPost, "/v1/token", "").mustRefuse(t, 403, "subject_blocked")
			for _, path := range []string{"/v1/portfolios", "/v1/portfolios/latest", "/v1/usage", "/v1/me/export"} {
				b.call(t, "asha", http.MethodGet, path, "").must(t, status)
				b.call(t, "rohan", http.MethodGet, path, "").must(t, 200)
			}
			b.call(t, "asha", http.MethodDelete, "/v1/me", "").must(t, status)
			b.call(t, "asha", http.MethodGet, "/healthz", "").must(t, 200)
		})
	}
}
