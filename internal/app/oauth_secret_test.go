package app_test

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"casbroker/internal/config"
)

// basic returns the header of a client that authenticates by client_secret_basic.
func basic(id, key string) []string {
	return []string{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(id)+":"+url.QueryEscape(key)))}
}

// postForm sends pairs of names and values as a form.
func (b *broker) postForm(t *testing.T, path string, header []string, pairs ...string) answer {
	t.Helper()
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	return b.call(t, "", http.MethodPost, path, form.Encode(), append([]string{"Content-Type", "application/x-www-form-urlencoded"}, header...)...)
}

// secretBroker starts a broker with the service keys of payroll, which has all scopes, and
// reader, which has one, and the admin key of meera.
func secretBroker(t *testing.T, change func(c *config.Config)) (b *broker, payroll, reader, meera string) {
	t.Helper()
	settings, _ := settingsFor(t, sqlite(t), "memory")
	payroll = serviceKey(t, &settings, "payroll", []string{"app"}, "casbroker:service")
	reader = serviceKey(t, &settings, "reader", []string{"app"}, "portfolios:read")
	meera = withOperator(t, &settings, "meera")
	if change != nil {
		change(&settings)
	}
	return start(t, settings), payroll, reader, meera
}

func TestClientsRevokeAndIntrospectWithTheirSecret(t *testing.T) {
	t.Parallel()
	b, payroll, _, meera := secretBroker(t, nil)
	for name, c := range map[string]struct {
		header []string
		pairs  []string
	}{
		"a service by client_secret_basic": {basic("payroll", payroll), nil},
		"a service by client_secret_post":  {nil, []string{"client_id", "payroll", "client_secret", payroll}},
		"an admin by client_secret_basic":  {basic("meera", meera), nil},
		"an admin by client_secret_post":   {nil, []string{"client_id", "meera", "client_secret", meera}},
		"an id that is also in the form":   {basic("payroll", payroll), []string{"client_id", "payroll"}},
		"every character in percent form": {[]string{"Authorization", "bAsIc " + base64.StdEncoding.EncodeToString([]byte(
			"pa%79roll:"+strings.NewReplacer("-", "%2D", "_", "%5F").Replace(payroll)))}, nil},
	} {
		token := b.token(t, "asha").AccessToken
		pairs := append([]string{"token", token}, c.pairs...)
		if a := b.postForm(t, "/oauth/introspect", c.header, pairs...).must(t, 200); !strings.Contains(a.body, `"active":true`) {
			t.Errorf("%s: got %s, want an active token", name, a.body)
		}
		b.postForm(t, "/oauth/revoke", c.header, pairs...).must(t, 200)
		if a := b.postForm(t, "/oauth/introspect", c.header, pairs...).must(t, 200); a.body != "{\"active\":false}\n" {
			t.Errorf("%s: got %s, want a revoked token", name, a.body)
		}
	}
	trail := b.as(t, bearerAs(t, "root", "casbroker:admin"), "GET", "/admin/v1/audit?subject=app:asha&action=token.revoke", "").must(t, 200).body
	if !strings.Contains(trail, `"actor":"key:payroll"`) || !strings.Contains(trail, `"actor":"admin/meera"`) {
		t.Errorf("got %s, want the service and the admin as actors", trail)
	}
	if log := b.log.String(); strings.Contains(log, payroll) || strings.Contains(log, meera) {
		t.Error("the log has a key")
	}
}

func TestWrongClientSecretsAreRefused(t *testing.T) {
	t.Parallel()
	b, payroll, reader, meera := secretBroker(t, func(c *config.Config) { c.RateLimit.SignIn.Address = "" })
	token := b.token(t, "asha").AccessToken
	jwt := "Bearer " + bearerAs(t, "root", "casbroker:admin")
	header := func(value string) []string { return []string{"Authorization", value} }
	encoded := func(text string) []string {
		return header("Basic " + base64.StdEncoding.EncodeToString([]byte(text)))
	}
	for name, c := range map[string]struct {
		header []string
		pairs  []string
		status int
		code   string
	}{
		"a wrong key":                     {basic("payroll", payroll+"x"), nil, 401, "invalid_client"},
		"a wrong admin key":               {basic("meera", meera[:len(meera)-1]), nil, 401, "invalid_client"},
		"a wrong key in the form":         {nil, []string{"client_id", "payroll", "client_secret", "x"}, 401, "invalid_client"},
		"the name of another service":     {basic("reader", payroll), nil, 401, "invalid_client"},
		"the name of another admin":       {basic("asha", meera), nil, 401, "invalid_client"},
		"the id of the audit trail":       {basic("key:payroll", payroll), nil, 401, "invalid_client"},
		"a JWT as the secret":             {basic("payroll", jwt[len("Bearer "):]), nil, 401, "invalid_client"},
		"no key":                          {basic("payroll", ""), nil, 401, "invalid_client"},
		"no name":                         {basic("", payroll), nil, 401, "invalid_client"},
		"a key that is a name, too":       {basic(payroll, payroll), nil, 401, "invalid_client"},
		"no base64":                       {header("Basic !"), nil, 401, "invalid_client"},
		"nothing behind Basic":            {header("Basic"), nil, 401, "invalid_client"},
		"no colon":                        {encoded("payroll"), nil, 401, "invalid_client"},
		"half an escape":                  {encoded("payroll:%x" + payroll), nil, 401, "invalid_client"},
		"a secret without an id":          {nil, []string{"client_secret", payroll}, 401, "invalid_client"},
		"an id without a secret":          {nil, []string{"client_id", "payroll"}, 401, "invalid_client"},
		"an assertion":                    {nil, []string{"client_id", "payroll", "client_assertion", jwt}, 401, "invalid_client"},
		"an assertion with a JWT":         {header(jwt), []string{"client_assertion", jwt}, 401, "invalid_client"},
		"a secret twice":                  {nil, []string{"client_id", "payroll", "client_secret", payroll, "client_secret", payroll}, 400, "invalid_request"},
		"a secret in both places":         {basic("payroll", payroll), []string{"client_id", "payroll", "client_secret", payroll}, 400, "invalid_request"},
		"a secret with a JWT":             {header(jwt), []string{"client_id", "payroll", "client_secret", payroll}, 400, "invalid_request"},
		"a key without the role":          {basic("reader", reader), nil, 403, "unauthorized_client"},
		"a key without the role, in form": {nil, []string{"client_id", "reader", "client_secret", reader}, 403, "unauthorized_client"},
	} {
		for _, path := range []string{"/oauth/introspect", "/oauth/revoke"} {
			a := b.postForm(t, path, c.header, append([]string{"token", token}, c.pairs...)...)
			if a.status != c.status || !strings.Contains(a.body, `"error":"`+c.code+`"`) {
				t.Errorf("%s at %s: got %d %s, want %d %s", name, path, a.status, a.body, c.status, c.code)
			}
			hasSecret := slices.Contains(c.pairs, "client_secret") || len(c.header) > 0 && strings.HasPrefix(c.header[1], "Basic")
			if got := a.header.Get("WWW-Authenticate"); a.status == 401 && hasSecret && got != `Basic realm="casbroker"` {
				t.Errorf("%s at %s: got the challenge %q", name, path, got)
			}
			if strings.Contains(a.body, payroll) {
				t.Errorf("%s: the answer has the key", name)
			}
		}
	}
	if again := b.token(t, "asha").AccessToken; again != token {
		t.Error("a refused client has revoked the token")
	}
	if _, err := b.app.Access().Block(t.Context(), operator, "key:payroll", "", time.Time{}); err != nil {
		t.Fatal(err)
	}
	if a := b.postForm(t, "/oauth/introspect", basic("payroll", payroll), "token", token); a.status != 403 || !strings.Contains(a.body, `"code":"subject_blocked"`) {
		t.Errorf("a blocked service: got %d %s", a.status, a.body)
	}
}

func TestGuessedClientSecretsAreLimited(t *testing.T) {
	t.Parallel()
	b, payroll, _, meera := secretBroker(t, func(c *config.Config) { c.RateLimit.SignIn.Address = "2-M" })
	for name, c := range map[string]struct{ id, wrong, right string }{
		"service": {"payroll", "cbs_payroll_x", payroll}, "admin": {"meera", "cbk_meera_x", meera},
	} {
		for range 2 {
			b.postForm(t, "/oauth/introspect", basic(c.id, c.wrong), "token", "at_x").mustBe(t, 401, "invalid_client")
		}
		b.postForm(t, "/oauth/introspect", nil, "token", "at_x", "client_id", c.id, "client_secret", c.wrong).mustBe(t, 429, "temporarily_unavailable")
		if a := b.postForm(t, "/oauth/introspect", basic(c.id, c.right), "token", "at_x"); a.status != 200 {
			t.Errorf("%s: the right key got %d %s, want 200", name, a.status, a.body)
		}
	}
}

// An introspector asks about the token of each request that it serves, of whatever user.
func TestIntrospectorsHaveTheLimitsOfServices(t *testing.T) {
	t.Parallel()
	b, payroll, _, meera := secretBroker(t, func(c *config.Config) {
		c.RateLimit.Read = config.Limits{User: "2-M"}
		c.RateLimit.Service = config.ServiceLimits{User: "1-M", Total: "4-M"}
	})
	for header, allowed := range map[string]int{basic("payroll", payroll)[1]: 4, basic("meera", meera)[1]: 2} {
		for range allowed {
			b.postForm(t, "/oauth/introspect", []string{"Authorization", header}, "token", "at_x").must(t, 200)
		}
		b.postForm(t, "/oauth/introspect", []string{"Authorization", header}, "token", "at_x").mustBe(t, 429, "temporarily_unavailable")
	}
}
