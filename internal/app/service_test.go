package app_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"casbroker/internal/app"
	"casbroker/internal/audit"
	"casbroker/internal/config"
	"casbroker/internal/sandbox"
	"casbroker/internal/secret"
)

// serviceVerifiers adds a second app and the issuers of the back ends of both.
func serviceVerifiers(c *config.Config) {
	for _, v := range []config.Verifier{
		{Name: "partner"}, {Name: "backend", ActsFor: []string{"app"}}, {Name: "partner-backend", ActsFor: []string{"partner"}},
	} {
		v.Issuer, v.Secret = "https://"+v.Name+".example", secret.Text(v.Name+"-"+jwtSecret)
		v.Audience, v.Algorithms = []string{"casbroker"}, []string{"HS256"}
		v.Roles.User = []string{"investor"}
		c.Auth.Verifiers = append(c.Auth.Verifiers, v)
	}
}

// serviceToken returns a JWT of a verifier of serviceVerifiers.
func serviceToken(t *testing.T, verifier, sub, scope string) string {
	t.Helper()
	now := time.Now()
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"iss": "https://" + verifier + ".example", "aud": "casbroker", "sub": sub, "scope": scope,
		"iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	}).SignedString([]byte(verifier + "-" + jwtSecret))
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// serviceKey adds a service key to the settings and returns it.
func serviceKey(t *testing.T, c *config.Config, name string, actsFor []string, scopes ...string) string {
	t.Helper()
	key, hash, err := app.NewServiceKey(name, scopes)
	if err != nil {
		t.Fatal(err)
	}
	c.Auth.ServiceKeys = append(c.Auth.ServiceKeys, config.ServiceKey{Name: name, Hash: secret.Text(hash), Scopes: scopes, ActsFor: actsFor})
	return key.Reveal()
}

// as sends a request with a bearer token or service key.
func (b *broker) as(t *testing.T, token, method, path, body string, header ...string) answer {
	t.Helper()
	return b.call(t, "", method, path, body, append(header, "Authorization", "Bearer "+token)...)
}

// mustRefuse fails the test unless the answer is a problem with status and code.
func (a answer) mustRefuse(t *testing.T, status int, code string) answer {
	t.Helper()
	if a.status != status || !strings.Contains(a.body, `"code":"`+code+`"`) {
		t.Fatalf("got %d %s, want %d %s", a.status, a.body, status, code)
	}
	return a
}

// small is a statement with one holding; month makes it another one.
func small(month int) string {
	return fmt.Sprintf(`{"data":{"meta":{"cas_type":"CDSL","statement_period":{"from":"2025-%02[1]d-01","to":"2025-%02[1]d-28"}},
		"investor":{"name":"Asha Example","pan":"AAAPZ9999A"},"demat_accounts":[{"demat_type":"CDSL","bo_id":"1209999900000001","value":10,
		"holdings":{"equities":[{"isin":"INE999Z01012","name":"EXAMPLE STEEL","units":1,"value":10}]}}]}}`, month)
}

func TestServiceMakesEveryCallOfAUser(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, _ *sandbox.Sandbox) {
		serviceVerifiers(&settings)
		key := serviceKey(t, &settings, "payroll", []string{"app"}, "casbroker:service")
		b := start(t, settings)
		svc := serviceToken(t, "backend", "svc1", "casbroker:service")
		const user = "/v1/users/app:asha"

		var i issued
		b.as(t, svc, http.MethodPost, user+"/token", "").must(t, 200).decode(t, &i)
		if own := b.token(t, "asha"); own.AccessToken != i.AccessToken || own.GrantID != i.GrantID {
			t.Errorf("got the token %+v for the user, and %+v for the service", own, i)
		}
		b.as(t, svc, http.MethodGet, user+"/grants/"+i.GrantID, "").must(t, 200)
		made := b.as(t, svc, http.MethodPost, user+"/portfolios", small(1), "Idempotency-Key", "k").must(t, 201)
		var p saved
		made.decode(t, &p)
		if got, want := made.header.Get("Location"), user+"/portfolios/"+p.ID; got != want {
			t.Errorf("got the location %s, want %s", got, want)
		}
		for _, path := range []string{
			"", "/latest", "/" + p.ID, "/" + p.ID + "/holdings", "/" + p.ID + "/holdings?format=csv", "/" + p.ID + "/transactions", "/" + p.ID + "/raw",
		} {
			own := b.call(t, "asha", http.MethodGet, "/v1/portfolios"+path, "").must(t, 200).body
			if got := b.as(t, svc, http.MethodGet, user+"/portfolios"+path, "").must(t, 200).body; got != own {
				t.Errorf("%s: got %s, want the user's own %s", path, got, own)
			}
		}
		pdf, form := form("nsdl", "ABCDE1234F", 2000)
		b.as(t, svc, http.MethodPost, user+"/statements", string(pdf), "Content-Type", form, "Idempotency-Key", "k").must(t, 201)
		b.as(t, key, http.MethodPost, user+"/statements", string(pdf), "Content-Type", form, "Idempotency-Key", "k").must(t, 200) // a key of its own
		b.as(t, svc, http.MethodGet, user+"/usage", "").must(t, 200)
		var whole exported
		b.as(t, key, http.MethodGet, user+"/export", "").must(t, 200).decode(t, &whole)
		if whole.Subject != "app:asha" || len(whole.Portfolios) != 2 || len(whole.Grants) != 1 {
			t.Errorf("got the export %+v", whole)
		}
		b.as(t, svc, http.MethodDelete, user+"/portfolios/"+p.ID, "").must(t, 204)
		b.call(t, "asha", http.MethodGet, "/v1/portfolios/"+p.ID, "").must(t, 404)
		b.as(t, svc, http.MethodPost, user+"/token/revoke", "").must(t, 200)
		if next := b.token(t, "asha"); next.GrantID == i.GrantID {
			t.Error("a token that the service revoked was given to the user")
		}
		b.token(t, "rohan")
		b.as(t, key, http.MethodDelete, user, "").must(t, 200)
		if left := b.export(t, "asha"); len(left.Grants) != 0 {
			t.Errorf("got %+v after the erasure", left.Grants)
		}
		if other := b.export(t, "rohan"); len(other.Grants) != 1 {
			t.Error("the grant of another user was erased")
		}
		if err := b.stop(); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range trailOf(t, settings) {
			if e.Subject == "app:asha" && e.Actor != "app:asha" {
				got = append(got, fmt.Sprintf("%s: %s as %s", e.Action, e.Actor, e.Role))
			}
		}
		want := []string{
			"token.mint: backend:svc1 as service", "portfolio.save: backend:svc1 as service", "portfolio.save: backend:svc1 as service", "data.export: key:payroll as service",
			"portfolio.delete: backend:svc1 as service", "access.revoke: backend:svc1 as service", "data.erase: key:payroll as service",
		}
		if !slices.Equal(got, want) {
			t.Errorf("got the records %q, want %q", got, want)
		}
		if !strings.Contains(b.log.String(), `"subject":"app:asha","actor":"backend:svc1"`) || strings.Contains(b.log.String(), key) {
			t.Error("want the log to name the service and not to have its key")
		}
	})
}

func TestServiceNeedsTheScopeOfTheCall(t *testing.T) {
	t.Parallel()
	settings, _ := settingsFor(t, sqlite(t), "memory")
	serviceVerifiers(&settings)
	const id = "pf_01kf0a6v3m9t2w8x4y5z7b1c2d"
	scopes := []string{"token:write", "statements:write", "portfolios:read", "portfolios:write", "users:erase", "events:read"}
	keys := map[string]string{}
	for _, scope := range scopes {
		keys[scope] = serviceKey(t, &settings, strings.ReplaceAll(scope, ":", "-"), []string{"app"}, scope)
	}
	b := start(t, settings)
	for _, c := range []struct{ scope, method, path, body string }{
		{"token:write", "POST", "/token", ""},
		{"token:write", "POST", "/token/revoke", ""},
		{"portfolios:read", "GET", "/grants/gr_01kf0a6v3m9t2w8x4y5z7b1c2d", ""},
		{"portfolios:read", "GET", "/portfolios", ""},
		{"portfolios:read", "GET", "/portfolios/latest", ""},
		{"portfolios:read", "GET", "/portfolios/" + id, ""},
		{"portfolios:read", "GET", "/portfolios/" + id + "/holdings", ""},
		{"portfolios:read", "GET", "/portfolios/" + id + "/transactions", ""},
		{"portfolios:read", "GET", "/portfolios/" + id + "/changes", ""},
		{"portfolios:read", "GET", "/portfolios/" + id + "/raw", ""},
		{"portfolios:read", "GET", "/holdings", ""},
		{"portfolios:read", "GET", "/accounts", ""},
		{"portfolios:read", "GET", "/accounts/ac_01kf0a6v3m9t2w8x4y5z7b1c2d", ""},
		{"portfolios:read", "GET", "/worth", ""},
		{"portfolios:write", "POST", "/portfolios", small(2)},
		{"portfolios:write", "DELETE", "/portfolios/" + id, ""},
		{"statements:write", "POST", "/statements", `{"pdf_url":"https://example.com/cas.pdf"}`},
		{"portfolios:read", "GET", "/usage", ""},
		{"portfolios:read", "GET", "/export", ""},
		{"users:erase", "DELETE", "", ""},
	} {
		path := "/v1/users/app:meera" + c.path
		for _, scope := range scopes {
			for _, token := range []string{keys[scope], serviceToken(t, "backend", "svc1", scope)} {
				got := b.as(t, token, c.method, path, c.body)
				if scope == c.scope {
					if got.status == 401 || got.status == 403 || got.status >= 500 {
						t.Errorf("%s %s with %s: got %d %s", c.method, c.path, scope, got.status, got.body)
					}
					continue
				}
				if got.mustRefuse(t, 403, "forbidden"); !strings.Contains(got.body, "needs the scope "+c.scope+" or casbroker:service") {
					t.Errorf("%s %s with %s: got %s, want it to name the scope", c.method, c.path, scope, got.body)
				}
			}
		}
		own := b.call(t, "meera", c.method, path, c.body).mustRefuse(t, 403, "forbidden")
		if !strings.Contains(own.body, "needs the scope "+c.scope) || !strings.Contains(own.header.Get("WWW-Authenticate"), "insufficient_scope") {
			t.Errorf("%s %s as the user: got %s", c.method, c.path, own.body)
		}
		b.call(t, "", c.method, path, c.body).must(t, 401)
	}
}

func TestServiceActsOnlyForTheVerifiersInItsSettings(t *testing.T) {
	t.Parallel()
	settings, _ := settingsFor(t, sqlite(t), "memory")
	serviceVerifiers(&settings)
	own, partner := serviceKey(t, &settings, "own", []string{"app"}, "casbroker:service"), serviceKey(t, &settings, "partner", []string{"partner"}, "casbroker:service")
	b := start(t, settings)
	all := "casbroker:service"
	for _, c := range []struct {
		token   string
		allowed map[string]bool
	}{
		{serviceToken(t, "backend", "svc1", all), map[string]bool{"app": true}},
		{serviceToken(t, "partner-backend", "svc1", all), map[string]bool{"partner": true}},
		{serviceToken(t, "partner", "svc1", all), nil},
		{own, map[string]bool{"app": true}},
		{partner, map[string]bool{"partner": true}},
	} {
		for _, verifier := range []string{"app", "partner", "backend", "partner-backend"} {
			got := b.as(t, c.token, http.MethodGet, "/v1/users/"+verifier+":asha/portfolios", "")
			if c.allowed[verifier] {
				got.must(t, 200)
			} else if got.mustRefuse(t, 403, "forbidden"); !strings.Contains(got.body, "users of the verifier "+verifier) {
				t.Errorf("got %s, want it to name the verifier %s", got.body, verifier)
			}
		}
	}
	if !strings.Contains(b.log.String(), "acts_for") {
		t.Error("the log does not name the setting")
	}
}

func TestUserOfAPathIsDecodedOnce(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, _ *sandbox.Sandbox) {
		serviceVerifiers(&settings)
		b := start(t, settings)
		svc := serviceToken(t, "backend", "svc1", "casbroker:service")
		for _, sub := range []string{"a/b", "a b", "auth0|5f7c", "आशा", "100%", "a%2Fb", "a%252Fb", "..", "a:b", "x?y=z#w", "export", "é+;,&="} {
			path := "/v1/users/" + url.PathEscape("app:"+sub)
			made := b.as(t, svc, http.MethodPost, path+"/portfolios", small(3)).must(t, 201)
			b.as(t, svc, http.MethodGet, made.header.Get("Location"), "").must(t, 200)
			if got := b.call(t, sub, http.MethodGet, "/v1/portfolios/latest", ""); got.status != 200 {
				t.Errorf("%s: the user does not find the portfolio: %s", sub, got.body)
			}
			b.as(t, svc, http.MethodDelete, path, "").must(t, 200)
		}
		for _, c := range []struct {
			segment string
			status  int
			code    string
		}{
			{"", 404, "no_such_path"}, {"app", 400, "invalid_subject"}, {"app:", 400, "invalid_subject"}, {":42", 400, "invalid_subject"},
			{"App:42", 400, "invalid_subject"}, {"app:%00", 400, "invalid_subject"}, {"app:a%00b", 400, "invalid_subject"},
			{"app:%ff", 400, "invalid_subject"}, {"app:%20a", 400, "invalid_subject"}, {"app:a%0Ab", 400, "invalid_subject"},
			{"app:%E2%80%8B", 400, "invalid_subject"}, {"app:" + strings.Repeat("a", 257), 400, "invalid_subject"},
			{"app%253A42", 400, "invalid_subject"}, {"nobody:42", 404, "unknown_verifier"}, {"key:payroll", 404, "unknown_verifier"},
			{"admin%2Fasha", 400, "invalid_subject"}, {"app/42", 404, "no_such_path"}, {"app:42/nothing", 404, "no_such_path"},
		} {
			b.as(t, svc, http.MethodGet, "/v1/users/"+c.segment+"/usage", "").mustRefuse(t, c.status, c.code)
		}
		b.as(t, svc, http.MethodDelete, "/v1/users/", "").mustRefuse(t, 404, "no_such_path")
		b.as(t, svc, http.MethodGet, "/v1/users", "").mustRefuse(t, 404, "no_such_path")
		b.as(t, svc, http.MethodPut, "/v1/users/app:42/token", "").mustRefuse(t, 405, "method_not_allowed")
	})
}

func TestCallForAnotherUserPointsToThePathOfServices(t *testing.T) {
	t.Parallel()
	settings, _ := settingsFor(t, sqlite(t), "memory")
	serviceVerifiers(&settings)
	key := serviceKey(t, &settings, "payroll", []string{"app"}, "token:write", "users:erase")
	b := start(t, settings)
	for path, want := range map[string]string{
		"POST /v1/token": "/v1/users/{subject}/token.", "POST /v1/token/revoke": "/v1/users/{subject}/token/revoke.",
		"GET /v1/portfolios/pf_1/raw": "/v1/users/{subject}/portfolios/{id}/raw.", "GET /v1/me/export": "/v1/users/{subject}/export.",
		"DELETE /v1/me": "/v1/users/{subject}.", "GET /v1/usage": "/v1/users/{subject}/usage.",
	} {
		method, path, _ := strings.Cut(path, " ")
		for _, token := range []string{key, serviceToken(t, "backend", "svc1", "casbroker:service")} {
			if got := b.as(t, token, method, path, "").mustRefuse(t, 403, "forbidden"); !strings.Contains(got.body, want) {
				t.Errorf("%s: got %s, want it to name %s", path, got.body, want)
			}
			if got := b.as(t, token, method, path+"?subject=app:42", "").mustRefuse(t, 400, "invalid_query"); !strings.Contains(got.body, want) {
				t.Errorf("%s with a subject: got %s, want it to name %s", path, got.body, want)
			}
		}
		b.call(t, "asha", method, path+"?x=y&subject=app:42", "").mustRefuse(t, 400, "invalid_query")
	}
	got := b.as(t, key, http.MethodPost, "/v1/users/app:42/token?subject=app:43", "").mustRefuse(t, 400, "invalid_query")
	if !strings.Contains(got.body, "/v1/users/{subject}/token.") {
		t.Errorf("got %s", got.body)
	}
}

func TestServiceKeyIsReplacedWithoutAPause(t *testing.T) {
	t.Parallel()
	settings, _ := settingsFor(t, sqlite(t), "memory")
	old := serviceKey(t, &settings, "payroll", []string{"app"}, "portfolios:read")
	renewed := serviceKey(t, &settings, "payroll", []string{"app"}, "portfolios:read")
	both, onlyNew := settings, settings
	before, after := settings.Auth.ServiceKeys[0], settings.Auth.ServiceKeys[1]
	overlap := after
	overlap.PreviousHash = before.Hash
	both.Auth.ServiceKeys, onlyNew.Auth.ServiceKeys = []config.ServiceKey{overlap}, []config.ServiceKey{after}
	for _, c := range []struct {
		settings config.Config
		statuses map[string]int
	}{
		{both, map[string]int{old: 200, renewed: 200}},
		{onlyNew, map[string]int{old: 401, renewed: 200, renewed[:len(renewed)-1]: 401, renewed + "x": 401, "cbs_": 401}},
	} {
		b := start(t, c.settings)
		for key, want := range c.statuses {
			got := b.as(t, key, http.MethodGet, "/v1/users/app:asha/portfolios", "").must(t, want)
			if want == 401 && (got.mustRefuse(t, 401, "invalid_service_key").header.Get("WWW-Authenticate") == "" || strings.Contains(b.log.String(), strings.TrimPrefix(key, "cbs_payroll_")) && len(key) > 20) {
				t.Errorf("got the header %v, or the key is in the log", got.header)
			}
		}
		if err := b.stop(); err != nil {
			t.Fatal(err)
		}
	}
	if err := app.Check(settings); err == nil || !strings.Contains(err.Error(), "auth.service_keys[1].name") {
		t.Errorf("two keys of the same name: got %v", err)
	}
}

func TestWrongServiceKeysAreLimitedPerAddress(t *testing.T) {
	t.Parallel()
	settings, _ := settingsFor(t, sqlite(t), "memory")
	settings.RateLimit.SignIn.Address = "3-H"
	key := serviceKey(t, &settings, "payroll", []string{"app"}, "casbroker:service")
	b := start(t, settings)
	paths := []string{"/v1/users/app:asha/portfolios", "/v1/portfolios", "/admin/v1/overview"}
	for _, path := range paths {
		b.as(t, "cbs_payroll_wrong", http.MethodGet, path, "").mustRefuse(t, 401, "invalid_service_key")
	}
	for _, path := range paths {
		b.as(t, "cbs_payroll_wrong", http.MethodGet, path, "").mustRefuse(t, 429, "rate_limited")
	}
	b.as(t, key, http.MethodGet, paths[0], "").must(t, 200) // the right key is not held back
	b.call(t, "asha", http.MethodGet, "/v1/portfolios", "").must(t, 200)
	b.call(t, "", http.MethodPost, "/admin/v1/session", `{"key":"cbk_asha_wrong"}`, "Origin", b.URL).must(t, 403) // no admin keys, but not limited
}

func TestBlocksApplyToTheUserAndToTheService(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, _ *sandbox.Sandbox) {
		serviceVerifiers(&settings)
		key := serviceKey(t, &settings, "payroll", []string{"app"}, "casbroker:service")
		b := start(t, settings)
		block := func(subject string) {
			t.Helper()
			if _, err := b.app.Access().Block(t.Context(), operator, subject, "test", time.Time{}); err != nil {
				t.Fatal(err)
			}
		}
		block("app:asha")
		b.as(t, key, http.MethodPost, "/v1/users/app:asha/token", "").mustRefuse(t, 403, "subject_blocked")
		b.as(t, key, http.MethodPost, "/v1/users/app:rohan/token", "").must(t, 200)
		block("key:payroll")
		b.as(t, key, http.MethodPost, "/v1/users/app:rohan/token", "").mustRefuse(t, 403, "subject_blocked")
		b.as(t, key, http.MethodGet, "/v1/users/app:rohan/portfolios", "").mustRefuse(t, 403, "subject_blocked")
		for path, status := range map[string]int{"/v1/events": 403, "/v1/portfolios": 403, "/admin/v1/overview": 403} {
			b.as(t, key, http.MethodGet, path, "").mustRefuse(t, status, "subject_blocked")
		}
		b.as(t, key, http.MethodPost, "/oauth/introspect", "token=x", "Content-Type", "application/x-www-form-urlencoded").must(t, 403)
		b.as(t, serviceToken(t, "backend", "svc1", "casbroker:service"), http.MethodGet, "/v1/users/app:rohan/portfolios", "").must(t, 200)
	})
}

func TestLimitsOfServicesAreTheirOwn(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, _ *sandbox.Sandbox) {
		serviceVerifiers(&settings)
		settings.RateLimit.Read = config.Limits{User: "1-D", Address: "1-D"}
		settings.RateLimit.Token = config.Limits{User: "1-D", Address: "1-D"}
		settings.RateLimit.Service = config.ServiceLimits{User: "2-D", Total: "7-D"}
		key := serviceKey(t, &settings, "payroll", []string{"app"}, "casbroker:service")
		b := start(t, settings)
		svc := serviceToken(t, "backend", "svc1", "casbroker:service")
		read := func(token, user string) answer {
			return b.as(t, token, http.MethodGet, "/v1/users/app:"+user+"/portfolios", "")
		}
		b.as(t, svc, http.MethodPost, "/v1/users/app:asha/token", "").must(t, 200)
		if got := read(svc, "asha").must(t, 200).header.Get("RateLimit"); !strings.HasPrefix(got, `"service-user";r=0;t=`) || !strings.Contains(got, `"service-total";r=5;t=`) {
			t.Errorf("got RateLimit %s", got)
		}
		if got := read(svc, "asha").mustRefuse(t, 429, "rate_limited"); !strings.Contains(got.body, "for the same user") {
			t.Errorf("got %s", got.body)
		}
		b.call(t, "asha", http.MethodGet, "/v1/portfolios", "").must(t, 200) // the user's own limit is not used up
		b.call(t, "asha", http.MethodGet, "/v1/portfolios", "").must(t, 429)
		read(key, "asha").must(t, 200)
		for _, user := range []string{"rohan", "meera", "ravi", "dev", "isha"} {
			read(svc, user).must(t, 200)
		}
		if got := read(svc, "kiran").mustRefuse(t, 429, "rate_limited"); strings.Contains(got.body, "same user") {
			t.Errorf("got %s", got.body)
		}
		read(key, "kiran").must(t, 200)
	})
}

func TestIdempotencyKeysOfServicesAndUsersAreSeparate(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, _ *sandbox.Sandbox) {
		serviceVerifiers(&settings)
		b := start(t, settings)
		path := "/v1/users/app:asha/portfolios"
		b.call(t, "asha", http.MethodPost, "/v1/portfolios", small(1), "Idempotency-Key", "k").must(t, 201)
		for i, sub := range []string{"svc1", "svc2"} {
			svc := serviceToken(t, "backend", sub, "portfolios:write")
			for repeat, replayed := range []string{"", "true"} {
				got := b.as(t, svc, http.MethodPost, path, small(2+i), "Idempotency-Key", "k").must(t, 201)
				if got.header.Get("Idempotency-Replayed") != replayed {
					t.Errorf("%s, call %d: got Idempotency-Replayed %q, want %q", sub, repeat, got.header.Get("Idempotency-Replayed"), replayed)
				}
			}
			b.as(t, svc, http.MethodPost, path, small(9), "Idempotency-Key", "k").mustRefuse(t, 422, "idempotency_key_reused")
		}
	})
}

func TestServiceSeesEventsOfItsUsersOnly(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, _ *sandbox.Sandbox) {
		serviceVerifiers(&settings)
		key := serviceKey(t, &settings, "events", []string{"partner"}, "events:read")
		b := start(t, settings)
		app, partner := serviceToken(t, "backend", "svc1", "casbroker:service"), serviceToken(t, "partner-backend", "svc1", "casbroker:service")
		for range 3 {
			b.as(t, app, http.MethodDelete, "/v1/users/app:asha", "").must(t, 200)
		}
		b.as(t, partner, http.MethodDelete, "/v1/users/partner:asha", "").must(t, 200)
		b.as(t, app, http.MethodDelete, "/v1/users/app:rohan", "").must(t, 200)
		for token, want := range map[string][]string{
			app:     {"app:asha", "app:asha", "app:asha", "app:rohan"},
			partner: {"partner:asha"}, key: {"partner:asha"},
		} {
			var got []string
			for after := ""; len(got) < len(want); {
				var p eventPage
				b.as(t, token, http.MethodGet, "/v1/events?limit=1&wait=10&after="+after, "").must(t, 200).decode(t, &p)
				if len(p.Events) == 0 {
					t.Fatalf("got %q and no more, want %q", got, want)
				}
				got, after = append(got, p.Events[0].Data.Subject), p.NextAfter
			}
			if !slices.Equal(got, want) {
				t.Errorf("got the events of %q, want %q", got, want)
			}
		}
		b.as(t, serviceToken(t, "backend", "svc1", "portfolios:read"), http.MethodGet, "/v1/events", "").mustRefuse(t, 403, "forbidden")
	})
}

func TestOneAddressActsForManyUsersWithinAMinute(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, _ *sandbox.Sandbox) {
		settings.Token.Mode, settings.Server.PublicURL = config.ModeGateway, "https://broker.example"
		key := serviceKey(t, &settings, "payroll", []string{"app"}, "token:write")
		b := start(t, settings)
		var group sync.WaitGroup
		for worker := range 16 {
			group.Go(func() {
				for i := worker; i < 640; i += 16 {
					if got := b.as(t, key, http.MethodPost, fmt.Sprint("/v1/users/app:", i, "/token"), ""); got.status != 200 {
						t.Errorf("user %d: got %d %s", i, got.status, got.body)
					}
				}
			})
		}
		group.Wait()
	})
}

func TestReadsOfUsersAreRecordedBySetting(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, _ *sandbox.Sandbox) {
		serviceVerifiers(&settings)
		for setting, want := range map[string][]string{
			"count": {"app:asha as broker:  ok count=8", "app:rohan as broker:  ok count=1"},
			"each": {
				"app:asha as user: GET /v1/accounts ok", "app:asha as user: GET /v1/holdings ok", "app:asha as user: GET /v1/portfolios ok",
				"app:asha as user: GET /v1/portfolios/:id ok", "app:asha as user: GET /v1/portfolios/:id/holdings ok",
				"app:asha as user: GET /v1/portfolios/:id/raw ok", "app:asha as user: GET /v1/portfolios/:id/transactions ok",
				"app:asha as user: GET /v1/worth ok", "app:rohan as user: GET /v1/portfolios ok",
			},
			"off": nil,
		} {
			settings := settings
			settings.Audit.Reads = setting
			if !strings.HasPrefix(settings.Store.URL.Reveal(), "postgres") {
				settings.Store.URL = sqlite(t)
			} else if setting != "count" {
				continue // a new database for each takes long
			}
			b := start(t, settings)
			made := b.call(t, "asha", http.MethodPost, "/v1/portfolios", small(1)).must(t, 201).header.Get("Location")
			for _, path := range []string{"/v1/portfolios", made, made + "/holdings", made + "/transactions", made + "/raw", "/v1/holdings", "/v1/accounts", "/v1/worth"} {
				b.call(t, "asha", http.MethodGet, path, "").must(t, 200)
			}
			b.call(t, "rohan", http.MethodGet, "/v1/portfolios", "").must(t, 200)
			b.call(t, "asha", http.MethodGet, "/v1/me/export", "").must(t, 200) // has a record of its own
			b.call(t, "", http.MethodGet, "/v1/portfolios", "").must(t, 401)
			b.as(t, serviceToken(t, "backend", "svc1", "portfolios:read"), http.MethodGet, "/v1/users/app:asha/holdings", "").must(t, 200)
			if err := b.stop(); err != nil {
				t.Fatal(err)
			}
			var got []string
			entries := trailOf(t, settings)
			for _, line := range linesOf(entries, audit.UserRead) {
				line, _, _ = strings.Cut(line, " since=")
				got = append(got, line)
			}
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("%s: got %q, want %q", setting, got, want)
			}
			if exports, services := len(linesOf(entries, audit.DataExport)), len(linesOf(entries, audit.ServiceRead)); exports != 1 || services != 1 {
				t.Errorf("%s: got %d records of the export and %d of the service, want one each", setting, exports, services)
			}
		}
	})
}

func TestReadsOfServicesAreRecordedBySetting(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, _ *sandbox.Sandbox) {
		serviceVerifiers(&settings)
		for setting, want := range map[string][]string{
			"count": {"backend:svc1 as broker:  ok count=2"},
			"each": {
				"backend:svc1 as service: GET /v1/users/:subject/portfolios ok", "backend:svc1 as service: GET /v1/users/:subject/portfolios/:id/raw ok",
			},
			"off": nil,
		} {
			settings := settings
			settings.Audit.ServiceReads = setting
			if !strings.HasPrefix(settings.Store.URL.Reveal(), "postgres") {
				settings.Store.URL = sqlite(t)
			} else if setting != "each" {
				continue // a new database for each takes long
			}
			b := start(t, settings)
			svc := serviceToken(t, "backend", "svc1", "portfolios:read portfolios:write")
			made := b.as(t, svc, http.MethodPost, "/v1/users/app:asha/portfolios", small(1)).must(t, 201)
			b.as(t, svc, http.MethodGet, "/v1/users/app:asha/portfolios", "").must(t, 200)
			b.as(t, svc, http.MethodGet, made.header.Get("Location")+"/raw", "").must(t, 200)
			b.as(t, svc, http.MethodGet, "/v1/users/app:asha/export", "").must(t, 200)
			b.call(t, "asha", http.MethodGet, "/v1/portfolios", "").must(t, 200)
			b.as(t, serviceToken(t, "backend", "svc2", "token:write"), http.MethodGet, "/v1/users/app:asha/portfolios", "").must(t, 403)
			if err := b.stop(); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, line := range linesOf(trailOf(t, settings), audit.ServiceRead) {
				line, _, _ = strings.Cut(line, " since=")
				got = append(got, line)
			}
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("%s: got %q, want %q", setting, got, want)
			}
		}
	})
}

func TestRefusedCallOfAServiceIsAudited(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, _ *sandbox.Sandbox) {
		serviceVerifiers(&settings)
		b := start(t, settings)
		b.as(t, serviceToken(t, "backend", "svc1", "token:write"), http.MethodGet, "/v1/users/app:asha/portfolios", "").must(t, 403)
		b.as(t, serviceToken(t, "backend", "svc1", "token:write"), http.MethodPost, "/v1/users/partner:asha/token", "").must(t, 403)
		b.call(t, "rohan", http.MethodDelete, "/v1/users/app:asha", "").must(t, 403)
		if err := b.stop(); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range trailOf(t, settings) {
			if e.Action == audit.AccessRefuse {
				got = append(got, strings.Join([]string{e.Actor, e.Role, e.Subject, e.Object, e.Detail}, "; "))
			}
		}
		slices.Sort(got)
		want := []string{
			"app:rohan; user; app:rohan; DELETE /v1/users/:subject; forbidden",
			"backend:svc1; ; backend:svc1; POST /v1/users/:subject/token; forbidden",
			"backend:svc1; service; app:asha; GET /v1/users/:subject/portfolios; forbidden",
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}
