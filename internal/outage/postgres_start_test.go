package outage

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	"casbroker/internal/sandbox"
	"casbroker/internal/testkit/brokertest"
	"casbroker/internal/testkit/services"
	"casbroker/internal/testkit/storetest"
)

// onDatabase returns a broker on database, with its cache in memory, that is not started yet, with
// further settings in the form NAME=value.
func onDatabase(t *testing.T, database, vendor string, settings ...string) *brokertest.Program {
	t.Helper()
	return brokertest.New(t, append([]string{
		"CASBROKER_STORE_URL=" + database, "CASBROKER_UPSTREAM_URL=" + vendor, "CASBROKER_UPSTREAM_API_KEY=" + apiKey,
		"CASBROKER_RATELIMIT_TOKEN_USER=", "CASBROKER_RATELIMIT_TOKEN_ADDRESS=", "CASBROKER_RATELIMIT_TOKEN_ALL=",
		"CASBROKER_SERVER_DRAIN_DELAY=0s",
	}, settings...)...)
}

// startVendor returns the URL of an emulated vendor.
func startVendor(t *testing.T) string {
	t.Helper()
	at := httptest.NewServer(sandbox.New(sandbox.Options{APIKey: apiKey, RateLimit: sandbox.Unlimited}))
	t.Cleanup(at.Close)
	return at.URL
}

// runCommand runs a command of the broker with the settings of p, and returns its output and exit code.
func runCommand(t *testing.T, p *brokertest.Program, args ...string) (output string, code int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), p.Path, args...) //nolint:gosec // our own program
	cmd.Env = append(append(os.Environ(), p.Settings()...), p.Extra...)
	out, err := cmd.CombinedOutput()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// wantReason waits until /readyz is 503 and contains reason.
func wantReason(t *testing.T, p *brokertest.Program, reason string) {
	t.Helper()
	eventually(t, "/readyz is 503 with "+reason, func() bool {
		r, err := p.Call(t.Context(), "", http.MethodGet, "/readyz", nil)
		return err == nil && r.Status == http.StatusServiceUnavailable && strings.Contains(string(r.Body), reason)
	})
}

// TestReplicasStartAtOnceOnAnEmptyDatabase starts three before their PostgreSQL and their Redis.
func TestReplicasStartAtOnceOnAnEmptyDatabase(t *testing.T) {
	t.Parallel()
	postgres, redis := services.OwnPostgres(t), services.OwnRedis(t)
	postgres.Kill()
	redis.Stop()
	vendor := startVendor(t)
	var replicas [3]*brokertest.Program
	for i := range replicas {
		p := onDatabase(t, postgres.URL, vendor, "CASBROKER_CACHE_URL="+redis.URL)
		p.Prepare()
		p.Launch()
		replicas[i] = p
	}
	for i, p := range replicas {
		p.Wait("/healthz", http.StatusOK)
		p.Wait("/readyz", http.StatusServiceUnavailable)
		r, err := p.Call(t.Context(), brokertest.Token(t, "asha"), http.MethodPost, "/v1/token", nil)
		if err != nil || r.Status != http.StatusServiceUnavailable || r.Header.Get("Retry-After") == "" {
			t.Errorf("replica %d before its database: got %v, %d %s, want 503 with Retry-After", i, err, r.Status, r.Body)
		}
	}
	eventually(t, "/readyz names the database", func() bool {
		r, err := replicas[0].Call(t.Context(), "", http.MethodGet, "/readyz", nil)
		return err == nil && strings.Contains(string(r.Body), "The database does not answer")
	})
	postgres.Start(t)
	for _, p := range replicas {
		p.Wait("/readyz", http.StatusOK)
	}
	eventually(t, "/readyz names Redis", func() bool {
		r, err := replicas[0].Call(t.Context(), "", http.MethodGet, "/readyz", nil)
		return err == nil && r.Status == http.StatusOK && strings.Contains(string(r.Body), "Redis does not answer")
	})
	redis.Start(t)
	for _, p := range replicas {
		eventually(t, "Redis is used", func() bool {
			r, err := p.Call(t.Context(), "", http.MethodGet, "/readyz", nil)
			return err == nil && r.Status == http.StatusOK && !strings.Contains(string(r.Body), "degraded")
		})
	}
	worked := 0
	for _, p := range replicas {
		if !strings.Contains(p.Output.String(), `"steps":0`) {
			worked++
		}
	}
	if worked != 1 {
		t.Errorf("%d of the replicas migrated the database, want 1", worked)
	}
	tokens := map[string]bool{}
	for _, p := range replicas {
		var token struct {
			AccessToken string `json:"access_token"`
		}
		p.Must(brokertest.Token(t, "asha"), http.MethodPost, "/v1/token", nil, http.StatusOK, &token)
		tokens[token.AccessToken] = true
	}
	if len(tokens) != 1 {
		t.Errorf("the replicas gave %d tokens to one user, want the same", len(tokens))
	}
}

// TestOtherSchemaIsNamed starts brokers on the database of a newer release, and on one that is not
// migrated.
func TestOtherSchemaIsNamed(t *testing.T) {
	t.Parallel()
	vendor := startVendor(t)
	t.Run("newer", func(t *testing.T) {
		t.Parallel()
		database := storetest.Postgres(t)
		if _, err := storetest.SQL(t, database).ExecContext(t.Context(), `INSERT INTO goose_db_version (version_id, is_applied) VALUES (9000, TRUE)`); err != nil {
			t.Fatal(err)
		}
		const want = "the database was migrated by a newer release; use that release, or restore a backup from before the upgrade"
		for _, migrates := range []string{"true", "false"} {
			p := onDatabase(t, database, vendor, "CASBROKER_STORE_MIGRATE_AT_START="+migrates)
			p.Prepare()
			for _, command := range []string{"serve", "migrate", "doctor"} {
				if out, code := runCommand(t, p, command); code != 1 || !strings.Contains(out, want) {
					t.Errorf("%s: got exit code %d and %s, want 1 and %q", command, code, out, want)
				}
			}
		}
	})
	t.Run("older", func(t *testing.T) {
		t.Parallel()
		p := onDatabase(t, services.Postgres(t), vendor, "CASBROKER_STORE_MIGRATE_AT_START=false")
		p.Prepare()
		p.Launch()
		p.Wait("/healthz", http.StatusOK)
		wantReason(t, p, "the database is not migrated; run broker migrate")
		eventually(t, "the log has the command", func() bool { return strings.Contains(p.Output.String(), "run broker migrate") })
		jwt := brokertest.Token(t, "asha")
		calls := map[string]struct {
			method, path string
			body         []byte
		}{
			"a token": {http.MethodPost, "/v1/token", nil}, "a save": {http.MethodPost, "/v1/portfolios", statementOf("Fund", 1).payload},
			"a read": {http.MethodGet, "/v1/portfolios", nil}, "holdings": {http.MethodGet, "/v1/holdings", nil},
			"a revocation": {http.MethodPost, "/v1/token/revoke", nil}, "the export": {http.MethodGet, "/v1/me/export", nil},
			"an erasure": {http.MethodDelete, "/v1/me", nil},
		}
		for name, c := range calls {
			r, err := p.Call(t.Context(), jwt, c.method, c.path, c.body)
			if err != nil || r.Status != http.StatusServiceUnavailable || r.Header.Get("Retry-After") == "" {
				t.Errorf("%s: got %v, %d %s, want 503 with Retry-After", name, err, r.Status, r.Body)
			}
		}
		if out, code := runCommand(t, p, "doctor"); code != 1 || !strings.Contains(out, "broker migrate") {
			t.Errorf("doctor: got exit code %d and %s, want the command", code, out)
		}
		if out, code := runCommand(t, p, "migrate"); code != 0 {
			t.Fatalf("migrate: got exit code %d and %s", code, out)
		}
		p.Wait("/readyz", http.StatusOK)
		p.Must(jwt, http.MethodGet, "/v1/portfolios", nil, http.StatusOK, nil)
	})
}
