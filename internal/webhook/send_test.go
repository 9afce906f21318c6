package webhook_test

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"casbroker/internal/check"
	"casbroker/internal/secret"
	"casbroker/internal/webhook"
)

const (
	oldSecret = secret.Text("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	newSecret = secret.Text("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD")
)

var started = time.Date(2026, 11, 30, 10, 0, 0, 0, time.UTC)

// loopback permits receivers of the tests.
func loopback(t testing.TB) webhook.Allowed {
	t.Helper()
	a, err := webhook.ParseAllowed([]string{"127.0.0.0/8"})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// request is what a receiver got.
type request struct {
	header http.Header
	body   []byte
}

// receive starts a receiver that answers with answer and returns its URL and its requests.
func receive(t testing.TB, answer http.HandlerFunc) (string, <-chan request) {
	t.Helper()
	got := make(chan request, 100)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- request{r.Header, body}
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL, got
}

func message() webhook.Message {
	return webhook.New(webhook.PortfolioSaved, "app:42", started, webhook.Object{PortfolioID: "pf_1"}).Message()
}

func TestSignaturesAreVerifiedByTheOfficialLibraryWithEitherSecret(t *testing.T) {
	t.Parallel()
	address, got := receive(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	e := webhook.Endpoint{
		Name: "app", URL: address, Secrets: []secret.Text{newSecret, oldSecret},
		Ed25519: secret.Text("whsk_" + base64.StdEncoding.EncodeToString(private)),
	}
	m := message()
	if r, err := webhook.NewSender(loopback(t), time.Now).Send(t.Context(), e, m); err != nil || !r.OK() || r.Status != 204 {
		t.Fatalf("got %+v, %v, want 204", r, err)
	}
	req := <-got
	for _, s := range e.Secrets {
		w, err := standardwebhooks.NewWebhook(s.Reveal())
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Verify(req.body, req.header); err != nil {
			t.Errorf("with one of the secrets: %v", err)
		}
	}
	if id := req.header.Get("webhook-id"); id != m.ID {
		t.Errorf("got id %s, want %s", id, m.ID)
	}
	signatures := strings.Fields(req.header.Get("webhook-signature"))
	last, ok := strings.CutPrefix(signatures[len(signatures)-1], "v1a,")
	signature, err := base64.StdEncoding.DecodeString(last)
	if !ok || err != nil || len(signatures) != 3 {
		t.Fatalf("got %q, want two of v1 and one of v1a", signatures)
	}
	public, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(e.PublicKey(), "whpk_"))
	if err != nil {
		t.Fatal(err)
	}
	signed := fmt.Appendf(nil, "%s.%s.%s", m.ID, req.header.Get("webhook-timestamp"), req.body)
	if !ed25519.Verify(public, signed, signature) {
		t.Error("the v1a signature is not valid")
	}
	if want := `"data":{"subject":"app:42","portfolio_id":"pf_1"}`; !strings.Contains(string(req.body), want) {
		t.Errorf("got %s, want %s", req.body, want)
	}
}

func TestAnswersAreJudged(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		want   webhook.Result
	}{
		"accepted": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(202) }, webhook.Result{Status: 202}},
		"refused":  {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(400) }, webhook.Result{Status: 400, Error: webhook.ErrorStatus}},
		"gone":     {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(410) }, webhook.Result{Status: 410, Error: webhook.ErrorGone}},
		"a redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/x", http.StatusFound)
		}, webhook.Result{Status: 302, Error: webhook.ErrorRedirect}},
		"an endless one": {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.Copy(w, zeros{}) }, webhook.Result{Status: 200}},
		"later, in seconds": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "120")
			w.WriteHeader(503)
		}, webhook.Result{Status: 503, Error: webhook.ErrorStatus, RetryAfter: 2 * time.Minute}},
		"later, with a time": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", started.Add(time.Hour).Format(http.TimeFormat))
			w.WriteHeader(429)
		}, webhook.Result{Status: 429, Error: webhook.ErrorStatus, RetryAfter: time.Hour}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address, _ := receive(t, test.answer)
			s := webhook.NewSender(loopback(t), func() time.Time { return started })
			got, err := s.Send(t.Context(), webhook.Endpoint{Name: "app", URL: address, Secrets: []secret.Text{newSecret}}, message())
			got.Took = 0
			if err != nil || got != test.want {
				t.Errorf("got %+v, %v, want %+v", got, err, test.want)
			}
		})
	}
}

// zeros never end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

func TestPrivateAddressesAreRefusedAfterResolving(t *testing.T) {
	t.Parallel()
	address, got := receive(t, func(http.ResponseWriter, *http.Request) {})
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	byName := "http://localhost:" + u.Port()
	send := func(to string, allow ...string) string {
		a, err := webhook.ParseAllowed(allow)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		r, err := webhook.NewSender(a, time.Now).Send(ctx, webhook.Endpoint{Name: "app", URL: to, Secrets: []secret.Text{newSecret}}, message())
		if err != nil {
			t.Error(err)
		}
		return r.Error
	}
	for _, to := range []string{
		address, byName, "http://169.254.169.254/latest/meta-data/", "http://10.0.0.1/", "http://[::1]:" + u.Port(), "http://[::ffff:127.0.0.1]:" + u.Port(), "http://0.0.0.0:" + u.Port(),
	} {
		if got := send(to); got != webhook.ErrorAddress {
			t.Errorf("%s: got %q, want %q", to, got, webhook.ErrorAddress)
		}
	}
	if got := send(byName, "10.0.0.0/8", "127.0.0.0/8", "::1/128"); got != "" {
		t.Errorf("a network that is allowed: got %q", got)
	}
	if got := send(byName, "localhost"); got != "" {
		t.Errorf("a host that is allowed: got %q", got)
	}
	if got := send(address, "localhost"); got != webhook.ErrorAddress {
		t.Errorf("another name of a host that is allowed: got %q", got)
	}
	if n := len(got); n != 2 {
		t.Errorf("the receiver got %d requests, want 2", n)
	}
}

func TestEndpointsAreChecked(t *testing.T) {
	t.Parallel()
	allowed, err := webhook.ParseAllowed([]string{"10.0.0.0/8", "hooks.internal"})
	if err != nil {
		t.Fatal(err)
	}
	good := webhook.Endpoint{Name: "app", URL: "https://app.example/hooks?x=1", Secrets: []secret.Text{newSecret}, Events: []webhook.Type{webhook.UserErased}}
	for want, change := range map[string]func(e *webhook.Endpoint){
		"":                               func(*webhook.Endpoint) {},
		"x.name":                         func(e *webhook.Endpoint) { e.Name = "The App" },
		"x.secrets: ":                    func(e *webhook.Endpoint) { e.Secrets = nil },
		"x.secrets[1]":                   func(e *webhook.Endpoint) { e.Secrets = append(e.Secrets, "whsec_c2hvcnQ=") },
		"x.ed25519":                      func(e *webhook.Endpoint) { e.Ed25519 = "whsk_c2hvcnQ=" },
		"x.events":                       func(e *webhook.Endpoint) { e.Events = []webhook.Type{"portfolio.read"} },
		"x.url: want https; http":        func(e *webhook.Endpoint) { e.URL = "http://app.example" },
		"x.url: want a URL":              func(e *webhook.Endpoint) { e.URL = "https://user:pass@app.example" },
		"x.url: localhost is not public": nil,
	} {
		e := good
		if change == nil {
			want, change = "x.url: localhost is not a public host", func(e *webhook.Endpoint) { e.URL = "https://localhost/x" }
		}
		change(&e)
		var wrong check.Errors
		e.Check(&wrong, "x", allowed)
		got := fmt.Sprint(wrong.Join())
		if want == "" && len(wrong) != 0 || !strings.Contains(got, want) {
			t.Errorf("got %s, want %q", got, want)
		}
	}
	for _, address := range []string{"http://10.1.2.3/x", "https://10.1.2.3", "http://hooks.internal:8080/"} {
		e := good
		e.URL = address
		var wrong check.Errors
		if e.Check(&wrong, "x", allowed); len(wrong) != 0 {
			t.Errorf("%s: %v", address, wrong.Join())
		}
	}
}
