package app_test

import (
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"casbroker/internal/app"
	"casbroker/internal/audit"
	"casbroker/internal/secret"
	"casbroker/internal/testkit/services"
)

// postgresTool runs a program of PostgreSQL.
func postgresTool(t *testing.T, name string, args ...string) {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
		if len(found) == 0 {
			t.Fatalf("%s is not installed next to PostgreSQL", name)
		}
		path = found[len(found)-1]
	}
	if out, err := exec.CommandContext(t.Context(), path, args...).CombinedOutput(); err != nil { //nolint:gosec // fixed programs
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

// TestPostgresDumpIsRestoredWhole uses the commands of config/README.md.
func TestPostgresDumpIsRestoredWhole(t *testing.T) {
	t.Parallel()
	from, to, dump := services.Postgres(t), services.Postgres(t), filepath.Join(t.TempDir(), "broker.dump")
	settings, _ := settingsFor(t, secret.URL(from), "memory")
	settings.Audit.Anchor.File = filepath.Join(t.TempDir(), "anchors")
	b := start(t, settings)
	statement := parse(t, settings.Upstream.URL, b.token(t, "asha").AccessToken, "cdsl", "right").must(t, 200).body
	b.call(t, "asha", http.MethodPost, "/v1/portfolios", statement, "Idempotency-Key", "k").must(t, 201)
	if err := b.stop(); err != nil {
		t.Fatal(err)
	}
	postgresTool(t, "pg_dump", "--format=custom", "--file="+dump, from)
	postgresTool(t, "pg_restore", "--no-owner", "--exit-on-error", "--single-transaction", "--dbname="+to, dump)

	settings.Store.URL = secret.URL(to)
	trail, err := app.OpenTrail(t.Context(), settings, app.Options{LogTo: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = trail.Close() }()
	text, err := os.ReadFile(settings.Audit.Anchor.File)
	if err != nil {
		t.Fatal(err)
	}
	anchors, err := audit.Anchors(trail.Box, text)
	if err != nil {
		t.Fatal(err)
	}
	report, err := trail.Verify(t.Context(), func(b audit.Break) { t.Error(b) }, anchors...)
	if err != nil || report.Records == 0 {
		t.Errorf("got %+v, %v, want all records", report, err)
	}
	values := 0
	if err := app.Verify(t.Context(), settings, app.Options{LogTo: io.Discard}, func(r app.Tally) { values += r.Rows }); err != nil || values == 0 {
		t.Errorf("got %d values, %v, want those of the portfolio", values, err)
	}
}
