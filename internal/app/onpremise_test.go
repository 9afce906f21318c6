package app_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"casbroker/internal/config"
	"casbroker/internal/sandbox"
)

// onPremise changes settings to those of a broker whose upstream is a parser on premises. The
// test fails if that gets a key, or another call than a parse.
func onPremise(t *testing.T, c *config.Config) *sandbox.Sandbox {
	t.Helper()
	parser := sandbox.New(sandbox.Options{OnPremise: true})
	at := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, has := r.Header["X-Api-Key"]; has || r.URL.Path != parseCall {
			t.Errorf("the parser got %s with a key: %v", r.URL, has)
		}
		parser.ServeHTTP(w, r)
	}))
	t.Cleanup(at.Close)
	c.Upstream = config.Default().Upstream
	c.Upstream.Kind, c.Upstream.URL = config.KindOnPremise, at.URL
	return parser
}

func TestStatementsAreParsedOnPremises(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, _ *sandbox.Sandbox) {
		parser := onPremise(t, &settings)
		settings.RateLimit.Upload, settings.RateLimit.Read = config.Limits{}, config.Limits{}
		settings.Compat.Routes = []config.CompatRoute{{Path: "/api/parse-cas", Is: config.CompatParse}}
		service := serviceKey(t, &settings, "back-end", []string{"app"}, "casbroker:service")
		b := start(t, settings)
		b.call(t, "", http.MethodGet, "/readyz", "").must(t, 200)

		b.upload(t, "asha", "cdsl", "wrong").must(t, 422)
		var s, other savedStatement
		b.upload(t, "asha", "cdsl", "ABCDE1234F", "Idempotency-Key", "k").must(t, 201).decode(t, &s)
		b.upload(t, "asha", "cdsl", "ABCDE1234F", "Idempotency-Key", "k").must(t, 201)
		body, contentType := form("nsdl", "ABCDE1234F", 2000)
		b.as(t, service, http.MethodPost, "/v1/users/app:rohan/statements", string(body), "Content-Type", contentType).must(t, 201).decode(t, &other)
		if s.Provenance != "verified" || b.latest(t, "rohan").ID != other.ID {
			t.Errorf("got %+v and %+v, want two verified portfolios", s, other)
		}
		a := b.upload(t, "asha", "nsdl", "ABCDE1234F", "Prefer", "respond-async").must(t, 202)
		if j := b.ended(t, "asha", a.header.Get("Location")); j.State != "done" {
			t.Errorf("got %+v, want it done", j)
		}
		b.call(t, "asha", http.MethodPost, "/api/parse-cas", string(body), "Content-Type", contentType).must(t, 200)
		if got := parser.Calls(parseCall); got != 5 {
			t.Errorf("the parser got %d calls, want 5", got)
		}
		if u := b.usageOf(t, "asha", 4); u.Total.Credits != "0" {
			t.Errorf("got %+v, want no credits", u)
		}
		url := b.call(t, "asha", http.MethodPost, "/v1/statements", `{"pdf_url":"https://files.example.com/a.pdf"}`).must(t, 400)
		if !strings.Contains(url.body, "pdf_url_not_offered") {
			t.Errorf("got %s, want no address fetched", url.body)
		}
		b.call(t, "asha", http.MethodPost, "/v1/statements/fetch", fetchCall).must(t, 403)
	})
}

func TestTokenRoutesSayThatThereAreNoneOnPremises(t *testing.T) {
	t.Parallel()
	settings, _ := settingsFor(t, sqlite(t), "memory")
	onPremise(t, &settings)
	settings.Compat.Routes = []config.CompatRoute{{Path: "/api/casparser/token", Is: config.CompatToken}}
	service := serviceKey(t, &settings, "back-end", []string{"app"}, "casbroker:service")
	b := start(t, settings)
	answers := map[string]answer{
		"user":    b.call(t, "asha", http.MethodPost, "/v1/token", "").must(t, 403),
		"service": b.as(t, service, http.MethodPost, "/v1/users/app:asha/token", "").must(t, 403),
		"drop-in": b.call(t, "asha", http.MethodGet, "/api/casparser/token", "").must(t, 403),
	}
	for name, a := range answers {
		if !strings.Contains(a.body, "tokens_unavailable") || !strings.Contains(a.body, "POST /v1/statements") {
			t.Errorf("%s: got %s, want what to use instead", name, a.body)
		}
	}
	exchange := b.exchange(t, bearer(t, "asha")).must(t, 400)
	if !strings.Contains(exchange.body, `"unsupported_grant_type"`) {
		t.Errorf("got %s", exchange.body)
	}
	metadata := b.call(t, "", http.MethodGet, "/.well-known/oauth-authorization-server", "").must(t, 200)
	if strings.Contains(metadata.body, "token_endpoint\"") {
		t.Errorf("got %s, want no token endpoint", metadata.body)
	}
	b.call(t, "", http.MethodPost, "/gateway/v4/smart/parse", "").must(t, 404)
}

func TestOperatorsSeeThatTheParserIsOnPremises(t *testing.T) {
	t.Parallel()
	settings, _ := settingsFor(t, sqlite(t), "memory")
	onPremise(t, &settings)
	b := start(t, settings)
	overview := b.call(t, "", http.MethodGet, "/admin/v1/overview", "", "Authorization", "Bearer "+bearerAs(t, "meera", "casbroker:admin")).must(t, 200)
	if !strings.Contains(overview.body, "takes no API key") {
		t.Errorf("got %s", overview.body)
	}
	if credits := b.call(t, "", http.MethodGet, "/admin/v1/credits", "", "Authorization", "Bearer "+bearerAs(t, "meera", "casbroker:admin")).must(t, 404); !strings.Contains(credits.body, "no_credits") {
		t.Errorf("got %s", credits.body)
	}
}
