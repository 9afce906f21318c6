package app_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"casbroker/internal/config"
	"casbroker/internal/sandbox"
	"casbroker/internal/secret"
	"casbroker/internal/testkit/services"
	"casbroker/internal/testkit/storetest"
)

func tempFile(t *testing.T) secret.URL {
	t.Helper()
	return secret.URL(filepath.Join(services.TempDir(t), "broker.db"))
}

func TestCachedTokensAreServedWhileTheVendorIsDown(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, vendor *sandbox.Sandbox) {
		b := start(t, settings)
		cached := b.token(t, "asha")
		vendor.AddFault(sandbox.Fault{Path: "/v1/token", Kind: sandbox.FaultStatus, Status: 503, RetryAfter: 120})
		if again := b.token(t, "asha"); again.AccessToken != cached.AccessToken {
			t.Error("want the cached token")
		}
		failed := b.call(t, "rohan", http.MethodPost, "/v1/token", "").must(t, 503)
		if failed.header.Get("Retry-After") == "" || !strings.Contains(failed.body, "upstream_") {
			t.Errorf("got %v %s, want the vendor named and Retry-After", failed.header, failed.body)
		}
	})
}

func TestCachedTokensAreServedWhileTheDatabaseIsDown(t *testing.T) {
	t.Parallel()
	database := storetest.Postgres(t)
	settings, vendor := settingsFor(t, secret.URL(database), "memory")
	b := start(t, settings)
	cached := b.token(t, "asha")
	statement := parse(t, settings.Upstream.URL, cached.AccessToken, "cdsl", "right").must(t, 200).body

	services.RefuseConnections(t, database)
	mints := vendor.Calls("/v1/token")
	if again := b.token(t, "asha"); again.AccessToken != cached.AccessToken {
		t.Error("want the cached token")
	}
	for name, answer := range map[string]answer{
		"a new token": b.call(t, "rohan", http.MethodPost, "/v1/token", ""),
		"a save":      b.call(t, "asha", http.MethodPost, "/v1/portfolios", statement, "Idempotency-Key", "k"),
		"a read":      b.call(t, "asha", http.MethodGet, "/v1/portfolios", ""),
	} {
		if answer.status != 503 || answer.header.Get("Retry-After") == "" || !strings.Contains(answer.body, "store_unavailable") || strings.Contains(answer.body, "database") {
			t.Errorf("%s: got %d %v %s", name, answer.status, answer.header, answer.body)
		}
	}
	for _, who := range []string{"mina", "rohan", "mina"} {
		b.call(t, who, http.MethodPost, "/v1/token", "").must(t, 503)
	}
	if more := vendor.Calls("/v1/token") - mints; more != 0 {
		t.Errorf("the vendor was asked for %d tokens that could not be recorded", more)
	}
	if ready := b.call(t, "", http.MethodGet, "/readyz", "").must(t, 200); !strings.Contains(ready.body, `"status":"ready","degraded":[{"name":"store"`) {
		t.Errorf("readyz: got %s, want ready with the store named as degraded", ready.body)
	}

	services.AllowConnections(t, database)
	if ready := b.call(t, "", http.MethodGet, "/readyz", "").must(t, 200); strings.Contains(ready.body, "degraded") {
		t.Errorf("readyz: got %s, want nothing degraded", ready.body)
	}
	b.token(t, "rohan")
	b.call(t, "asha", http.MethodPost, "/v1/portfolios", statement, "Idempotency-Key", "k").must(t, 201)
}

func TestSavesAreRefusedWhenTheDatabaseFileIsReplaced(t *testing.T) {
	t.Parallel()
	database := storetest.SQLite(t)
	settings, _ := settingsFor(t, secret.URL(database), "memory")
	b := start(t, settings)
	statement := parse(t, settings.Upstream.URL, b.token(t, "asha").AccessToken, "cdsl", "right").must(t, 200).body
	path := strings.TrimPrefix(database, "sqlite:")
	if err := os.Rename(strings.TrimPrefix(storetest.SQLite(t), "sqlite:"), path); err != nil {
		t.Fatal(err)
	}
	refused := b.call(t, "asha", http.MethodPost, "/v1/portfolios", statement, "Idempotency-Key", "k").must(t, 503)
	if strings.Contains(refused.body, "file") {
		t.Errorf("a user: got %s, want nothing about files", refused.body)
	}
	if ready := b.call(t, "", http.MethodGet, "/readyz", "").must(t, 503); !strings.Contains(ready.body, "Restart the broker") {
		t.Errorf("readyz: got %s, want what the operator must do", ready.body)
	}
	if log := b.log.String(); !strings.Contains(log, "the database file was replaced or removed") {
		t.Errorf("got the log %s", log)
	}
}

func TestBrokerThatStartedBeforeItsDatabaseRefusesAWrongKey(t *testing.T) {
	t.Parallel()
	database := services.Postgres(t) // the first start migrates it
	settings, _ := settingsFor(t, secret.URL(database), "memory")
	b := start(t, settings)
	b.token(t, "asha")
	if err := b.stop(); err != nil {
		t.Fatal(err)
	}
	services.RefuseConnections(t, database)
	settings.Store.MigrateAtStart = false
	right := start(t, settings)
	settings.Seal.Keys = []config.SealKey{{ID: "k1", Key: secret.Text(base64.StdEncoding.EncodeToString([]byte("a-wrong-seal-key-0123456789abcde")))}}
	wrong := start(t, settings)
	services.AllowConnections(t, database)
	within(t, 20*time.Second, "the right broker is ready", func() bool {
		return right.call(t, "", http.MethodGet, "/readyz", "").status == 200
	})
	within(t, 20*time.Second, "/readyz names the sealing key", func() bool {
		return strings.Contains(wrong.call(t, "", http.MethodGet, "/readyz", "").must(t, 503).body, "sealing key")
	})
	if a := wrong.call(t, "asha", http.MethodPost, "/v1/token", "").must(t, 503); strings.Contains(a.body, "key") {
		t.Errorf("a user: got %s, want nothing about keys", a.body)
	}
	if log := wrong.log.String(); !strings.Contains(log, `\"k1\" differs from the key`) {
		t.Errorf("got the log %s", log)
	}
	right.token(t, "asha")
}

func TestRefusedAPIKeyIsReportedWithoutShowingIt(t *testing.T) {
	t.Parallel()
	settings, _ := settingsFor(t, secret.URL(storetest.SQLite(t)), "memory")
	settings.Upstream.Keys[0].APIKey = "not-the-right-key"
	b := start(t, settings)
	refused := b.call(t, "asha", http.MethodPost, "/v1/token", "").must(t, 503)
	if !strings.Contains(refused.body, "upstream_refused_key") || strings.Contains(refused.body, "upstream.") {
		t.Errorf("got %s", refused.body)
	}
	if log := b.log.String(); !strings.Contains(log, "upstream.api_key") || strings.Contains(log, "not-the-right-key") {
		t.Errorf("got the log %s", log)
	}
}

func TestTokenThatWouldBreakJSONIsRefused(t *testing.T) {
	t.Parallel()
	vendor := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"access_token":"at_a\",\"expires_in\":9,\"x\":\"","expires_in":600}`))
	}))
	t.Cleanup(vendor.Close)
	settings, _ := settingsFor(t, secret.URL(storetest.SQLite(t)), "memory")
	settings.Upstream.URL = vendor.URL
	b := start(t, settings)
	var problem struct {
		Code string `json:"code"`
	}
	b.call(t, "asha", http.MethodPost, "/v1/token", "").must(t, http.StatusServiceUnavailable).decode(t, &problem)
	if problem.Code != "upstream_bad_answer" {
		t.Errorf("got code %q, want upstream_bad_answer", problem.Code)
	}
}

func TestBrokerWorksWhileRedisIsDown(t *testing.T) {
	t.Parallel()
	redis := services.OwnRedis(t)
	settings, _ := settingsFor(t, secret.URL(storetest.SQLite(t)), secret.URL(redis.URL))
	b := start(t, settings)
	before := b.token(t, "asha")
	redis.Stop()
	if during := b.token(t, "asha"); during.AccessToken != before.AccessToken {
		t.Error("want the token that this replica issued before Redis failed")
	}
	b.token(t, "rohan")
	if ready := b.call(t, "", http.MethodGet, "/readyz", "").must(t, 200); !strings.Contains(ready.body, `"degraded":[{"name":"cache"`) {
		t.Errorf("readyz: got %s, want the cache named as degraded", ready.body)
	}
}

func TestUsersKeepTheirTokensWhenRedisAndTheVendorAreLost(t *testing.T) {
	t.Parallel()
	redis := services.OwnRedis(t)
	settings, vendor := settingsFor(t, secret.URL(storetest.Postgres(t)), secret.URL(redis.URL))
	replicas := []*broker{start(t, settings), start(t, settings)}
	const users = 20
	tokens := map[string]string{}
	for n := range 2 * users { // each user comes to one replica, and then to the other
		who := fmt.Sprint("user", n%users)
		got := replicas[(n+n/users)%2].token(t, who).AccessToken
		if before := tokens[who]; before != "" && before != got {
			t.Errorf("%s got another token of the other replica", who)
		}
		tokens[who] = got
	}
	redis.Stop()
	vendor.AddFault(sandbox.Fault{Path: "/v1/token", Kind: sandbox.FaultDrop})
	for who, want := range tokens {
		for i, b := range replicas {
			if got := b.token(t, who).AccessToken; got != want {
				t.Errorf("%s got another token of replica %d", who, i)
			}
		}
	}
	if n := vendor.Calls("/v1/token"); n != users {
		t.Errorf("the vendor was asked for %d tokens, want %d", n, users)
	}
}

func TestBrokerStartsWhileRedisIsDown(t *testing.T) {
	t.Parallel()
	redis := services.OwnRedis(t)
	redis.Stop()
	settings, _ := settingsFor(t, secret.URL(storetest.SQLite(t)), secret.URL(redis.URL))
	start(t, settings).token(t, "asha")
}

func TestBadRequestsGetAClearErrorAndNeverA5xx(t *testing.T) {
	t.Parallel()
	settings, _ := settingsFor(t, secret.URL(storetest.SQLite(t)), "memory")
	b := start(t, settings)
	for name, c := range map[string]struct {
		who, method, path, body string
		status                  int
		code                    string
	}{
		"no credentials":              {"", "POST", "/v1/token", "", 401, "unauthenticated"},
		"no such path":                {"asha", "GET", "/v2/token", "", 404, "no_such_path"},
		"a wrong method":              {"asha", "PUT", "/v1/token", "", 405, "method_not_allowed"},
		"malformed JSON":              {"asha", "POST", "/v1/portfolios", "{", 400, "invalid_json"},
		"no statement":                {"asha", "POST", "/v1/portfolios", "{}", 422, "not_a_statement"},
		"a portfolio that is not":     {"asha", "GET", "/v1/portfolios/pf_nothing", "", 404, "portfolio_not_found"},
		"a path of percent signs":     {"asha", "GET", "/v1/portfolios/%2e%2e%2f%00", "", 404, "portfolio_not_found"},
		"malformed cursor":            {"asha", "GET", "/v1/portfolios?cursor=zzz", "", 400, "invalid_cursor"},
		"a token in the query string": {"", "GET", "/v1/portfolios?access_token=" + bearer(t, "asha"), "", 401, "unauthenticated"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := b.call(t, c.who, c.method, c.path, c.body).must(t, c.status)
			if !strings.Contains(a.body, `"code":"`+c.code+`"`) {
				t.Errorf("got %s, want the code %s", a.body, c.code)
			}
		})
	}
}

func TestOnlyConfiguredOriginsMayCallFromABrowser(t *testing.T) {
	t.Parallel()
	settings, _ := settingsFor(t, secret.URL(storetest.SQLite(t)), "memory")
	settings.Server.AllowedOrigins = []string{"https://app.example"}
	b := start(t, settings)
	good := b.call(t, "", http.MethodPost, "/v1/token", "", "Origin", "https://app.example").must(t, 401)
	if good.header.Get("Access-Control-Allow-Origin") != "https://app.example" ||
		!strings.Contains(good.header.Get("Access-Control-Expose-Headers"), "X-Request-ID") {
		t.Errorf("got headers %v, want the page to read errors", good.header)
	}
	for _, origin := range []string{"https://evil.example", "https://app.example.evil.example", "null", "http://app.example"} {
		bad := b.call(t, "asha", http.MethodPost, "/v1/token", "", "Origin", origin)
		if allowed := bad.header.Get("Access-Control-Allow-Origin"); allowed != "" {
			t.Errorf("%s: got %s, want no access", origin, allowed)
		}
	}
}
