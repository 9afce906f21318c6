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
			if _, err := b.app.Access().Block(t.Context(), operator, "app:asha", "test", time.Time{}); err != nil {
				t.Fatal(err)
			}
			b.call(t, "asha", http.MethodPost, "/v1/token", "").mustRefuse(t, 403, "subject_blocked")
			for _, path := range []string{"/v1/portfolios", "/v1/usage", "/v1/me/export"} {
				b.call(t, "asha", http.MethodGet, path, "").must(t, status)
				b.call(t, "rohan", http.MethodGet, path, "").must(t, 200)
			}
			b.call(t, "asha", http.MethodDelete, "/v1/me", "").must(t, status)
			b.call(t, "asha", http.MethodGet, "/healthz", "").must(t, 200)
		})
	}
}
