package app_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"casbroker/internal/app"
	"casbroker/internal/config"
	"casbroker/internal/sandbox"
	"casbroker/internal/secret"
	"casbroker/internal/testkit/apitest"
	"casbroker/internal/testkit/logtest"
	"casbroker/internal/testkit/services"
	"casbroker/internal/testkit/storetest"
)

// Secrets in the settings of the tests.
const (
	apiKey    = "live-key-7f3a91c2d4e5"
	jwtSecret = "Vb7qW2rXz9LmT4kHc8NpYs3GdFj6Ue5RaQxw"
)

var (
	hashKey = base64.StdEncoding.EncodeToString([]byte("hash-key-for-tests-0123456789abc"))
	sealKey = base64.StdEncoding.EncodeToString([]byte("seal-key-for-tests-0123456789abc"))
)

// backends returns URLs of a new and empty store and cache, by their kind.
var backends = map[string]func(t *testing.T) (store, cache secret.URL){
	"SQLite and memory": func(t *testing.T) (secret.URL, secret.URL) {
		return secret.URL(storetest.SQLite(t)), "memory"
	},
	"PostgreSQL and Redis": func(t *testing.T) (secret.URL, secret.URL) {
		return secret.URL(storetest.Postgres(t)), secret.URL(services.OwnRedis(t).URL)
	},
}

// eachBackend runs test with each kind of store and cache.
func eachBackend(t *testing.T, test func(t *testing.T, settings config.Config, vendor *sandbox.Sandbox)) {
	t.Helper()
	for name, backend := range backends {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, cache := backend(t)
			settings, vendor := settingsFor(t, store, cache)
			test(t, settings, vendor)
		})
	}
}

// settingsFor returns settings for a broker whose vendor is a sandbox.
func settingsFor(t testing.TB, store, cache secret.URL) (config.Config, *sandbox.Sandbox) {
	t.Helper()
	return settingsWith(t, store, cache, sandbox.Options{})
}

// settingsWith is settingsFor with options of the sandbox, which gets the API key and has
// no rate limit.
func settingsWith(t testing.TB, store, cache secret.URL, o sandbox.Options) (config.Config, *sandbox.Sandbox) {
	t.Helper()
	o.APIKey, o.RateLimit = apiKey, sandbox.Unlimited
	vendor := sandbox.New(o)
	at := httptest.NewServer(vendor)
	t.Cleanup(at.Close)
	c := config.Default()
	c.Store.URL, c.Cache.URL = store, cache
	c.Server.DrainDelay = 0
	c.Upstream.URL, c.Upstream.Keys = at.URL, []config.UpstreamKey{{Name: "default", APIKey: apiKey, Weight: 1}}
	c.Seal = config.Seal{HashKey: secret.Text(hashKey), Keys: []config.SealKey{{ID: "k1", Key: secret.Text(sealKey)}}}
	c.Auth.Verifiers = []config.Verifier{{
		Name: "app", Issuer: "https://app.example", Audience: []string{"casbroker"},
		Algorithms: []string{"HS256"}, Secret: jwtSecret,
	}}
	return c, vendor
}

// broker is a running program, used over HTTP.
type broker struct {
	URL  string
	app  *app.App
	log  *logtest.Log
	http *http.Client
	stop func() error
}

// start runs the program until the test ends or stop is called.
func start(t *testing.T, c config.Config) *broker {
	t.Helper()
	return startAt(t, c, nil)
}

// startAt is start with a clock; nil is that of the machine.
func startAt(t *testing.T, c config.Config, now func() time.Time) *broker {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &broker{URL: "http://" + l.Addr().String(), log: &logtest.Log{}, http: apitest.Client(t)}
	ctx, cancel := context.WithCancel(context.Background())
	a, err := app.New(ctx, c, app.Options{LogTo: b.log, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	b.app = a
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx, l) }()
	b.stop = sync.OnceValue(func() error {
		cancel()
		b.http.CloseIdleConnections()
		return <-ended
	})
	t.Cleanup(func() {
		if err := b.stop(); err != nil {
			t.Errorf("the broker ended with %v", err)
		}
	})
	return b
}

// answer is a complete response.
type answer struct {
	status int
	header http.Header
	body   string
}

// decode reads the body as JSON into v.
func (a answer) decode(t *testing.T, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.body), v); err != nil {
		t.Fatalf("%v in %s", err, a.body)
	}
}

// must fails the test unless the answer has status.
func (a answer) must(t *testing.T, status int) answer {
	t.Helper()
	if a.status != status {
		t.Fatalf("got %d, want %d: %s", a.status, status, a.body)
	}
	return a
}

// call sends a request as who ("" for no credentials). header holds pairs of name and value.
func (b *broker) call(t *testing.T, who, method, path, body string, header ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, b.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if who != "" {
		req.Header.Set("Authorization", "Bearer "+bearer(t, who))
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return send(t, b.http, req)
}

func send(t *testing.T, client *http.Client, req *http.Request) answer {
	t.Helper()
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, string(body)}
}

// bearer returns a JWT of the app for the user who.
func bearer(t testing.TB, who string) string {
	t.Helper()
	now := time.Now()
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.RegisteredClaims{
		Issuer: "https://app.example", Audience: jwt.ClaimStrings{"casbroker"}, Subject: who,
		IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(time.Hour)),
	}).SignedString([]byte(jwtSecret))
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// issued is the answer of POST /v1/token.
type issued struct {
	AccessToken string `json:"access_token"`
	GrantID     string `json:"grant_id"`
	ExpiresIn   int    `json:"expires_in"`
}

func (b *broker) token(t *testing.T, who string) issued {
	t.Helper()
	var i issued
	b.call(t, who, http.MethodPost, "/v1/token", "").must(t, http.StatusOK).decode(t, &i)
	return i
}

// parse sends a PDF to the vendor with an access token, as the widget does.
func parse(t *testing.T, vendor, token, source, password string) answer {
	t.Helper()
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	file, _ := w.CreateFormFile("pdf_file", source+".pdf")
	_, _ = io.WriteString(file, "%PDF-1.4\n% "+source+"\n%%EOF\n")
	_ = w.WriteField("password", password)
	_ = w.Close()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, vendor+"/v4/smart/parse", &form)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", w.FormDataContentType())
	req.Header.Set("X-Api-Key", token)
	return send(t, http.DefaultClient, req)
}
