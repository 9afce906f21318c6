package app_test

import (
	"net/http"
	"os"
	"testing"

	"casbroker/internal/secret"
	"casbroker/internal/testkit/services"
)

func TestBrokerMigratesAndServesBehindPgBouncer(t *testing.T) {
	t.Parallel()
	recipe, err := os.ReadFile("../../config/pgbouncer.ini")
	if err != nil {
		t.Fatal(err)
	}
	settings, _ := settingsFor(t, secret.URL(services.PgBouncer(t, services.Postgres(t), string(recipe))), "memory")
	b := start(t, settings)
	b.call(t, "", http.MethodGet, "/readyz", "").must(t, 200)
	statement := parse(t, settings.Upstream.URL, b.token(t, "asha").AccessToken, "cdsl", "right").must(t, 200).body
	b.call(t, "asha", http.MethodPost, "/v1/portfolios", statement, "Idempotency-Key", "k").must(t, 201)
	b.call(t, "asha", http.MethodPost, "/v1/portfolios", statement, "Idempotency-Key", "k").must(t, 201)
	b.call(t, "asha", http.MethodGet, "/v1/holdings", "").must(t, 200)
	b.call(t, "asha", http.MethodPost, "/v1/token/revoke", "").must(t, 200)
	b.call(t, "asha", http.MethodDelete, "/v1/me", "").must(t, 200)
}
