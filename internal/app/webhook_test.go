package app_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"casbroker/internal/app"
	"casbroker/internal/config"
	"casbroker/internal/sandbox"
	"casbroker/internal/secret"
	"casbroker/internal/testkit/services"
	"casbroker/internal/testkit/storetest"
)

const webhookSecret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"

// delivered is a webhook that a receiver got.
type delivered struct {
	header http.Header
	body   string
	at     time.Time
}

// receiveWebhooks adds an endpoint to the settings, which takes all events.
func receiveWebhooks(t testing.TB, c *config.Config) <-chan delivered {
	t.Helper()
	got := make(chan delivered, 1000)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- delivered{r.Header, string(body), time.Now()}
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(s.Close)
	c.Webhooks = config.Webhooks{AllowPrivate: []string{"127.0.0.0/8"}, Endpoints: []config.Webhook{{
		Name: "backend", URL: secret.Text(s.URL), Secrets: []config.Secret{{Secret: webhookSecret}},
	}}}
	return got
}

// next waits for a webhook.
func next(t *testing.T, got <-chan delivered) delivered {
	t.Helper()
	select {
	case d := <-got:
		return d
	case <-time.After(20 * time.Second):
		t.Fatal("no webhook within 20s")
		return delivered{}
	}
}

func TestBackEndIsToldOfAPortfolioAndAnErasure(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, _ *sandbox.Sandbox) {
		settings.Token.Mode = config.ModeBoth
		got := receiveWebhooks(t, &settings)
		b := start(t, settings)
		b.parsed(t, "asha", "cdsl")
		saved := next(t, got)
		w, err := standardwebhooks.NewWebhook(webhookSecret)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Verify([]byte(saved.body), saved.header); err != nil {
			t.Error(err)
		}
		var m struct {
			ID, Type string
			Data     map[string]string
		}
		if err := json.Unmarshal([]byte(saved.body), &m); err != nil {
			t.Fatal(err)
		}
		if m.Type != "portfolio.saved" || m.ID != saved.header.Get("webhook-id") || m.Data["portfolio_id"] != b.latest(t, "asha").ID || len(m.Data) != 2 {
			t.Errorf("got %s, want the portfolio with ids only", saved.body)
		}
		if changed := next(t, got); !strings.Contains(changed.body, `"holdings.changed"`) {
			t.Errorf("got %s, want the change of the holdings", changed.body)
		}
		b.call(t, "asha", http.MethodDelete, "/v1/me", "").must(t, 200)
		if erased := next(t, got); !strings.Contains(erased.body, `"user.erased"`) || !strings.Contains(erased.body, `"app:asha"`) {
			t.Errorf("got %s, want the erasure", erased.body)
		}
		if log := b.log.String(); strings.Contains(log, webhookSecret) || strings.Contains(log, settings.Webhooks.Endpoints[0].URL.Reveal()) {
			t.Error("the log has a secret of the endpoint")
		}
	})
}

// verifyInNode verifies a webhook with the official library for JavaScript.
const verifyInNode = `
import { Webhook } from "standardwebhooks";
const { secret, body, headers } = JSON.parse(process.argv[2]);
const event = new Webhook(secret).verify(body, headers);
try { new Webhook(secret).verify(body + " ", headers); process.exit(3); } catch (e) {}
console.log(event.type);
`

func TestWebhooksAreVerifiedByTheLibraryForJavaScript(t *testing.T) {
	t.Parallel()
	run := services.Node(t, "standardwebhooks@1.1.1")
	settings, _ := settingsFor(t, secret.URL(storetest.SQLite(t)), "memory")
	got := receiveWebhooks(t, &settings)
	b := start(t, settings)
	b.call(t, "asha", http.MethodDelete, "/v1/me", "").must(t, 200)
	d := next(t, got)
	headers := map[string]string{}
	for _, name := range []string{"webhook-id", "webhook-timestamp", "webhook-signature"} {
		headers[name] = d.header.Get(name)
	}
	input, err := json.Marshal(map[string]any{"secret": webhookSecret, "body": d.body, "headers": headers})
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimSpace(run(verifyInNode, string(input))); got != "user.erased" {
		t.Errorf("got %s, want it verified", got)
	}
}

func TestEndpointsInTheSettingsAreChecked(t *testing.T) {
	t.Parallel()
	settings, _ := settingsFor(t, secret.URL(storetest.SQLite(t)), "memory")
	settings.Webhooks.AllowPrivate = []string{"Not A Host"}
	settings.Webhooks.Endpoints = []config.Webhook{
		{Name: "a", URL: "https://app.example", Secrets: []config.Secret{{Secret: webhookSecret, SecretFile: "/none"}}},
		{Name: "a", URL: "http://169.254.169.254", Events: []string{"x"}},
	}
	err := app.Check(settings)
	for _, want := range []string{
		"webhooks.allow_private: ", "webhooks.endpoints[0].secrets[0].secret_file: set this", "webhooks.endpoints[1].name: \"a\" is used twice",
		"webhooks.endpoints[1].url: 169.254.169.254 is not", "webhooks.endpoints[1].secrets: ", "webhooks.endpoints[1].events: \"x\"",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
