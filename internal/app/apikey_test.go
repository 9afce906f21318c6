package app_test

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"casbroker/internal/config"
	"casbroker/internal/sandbox"
	"casbroker/internal/secret"
	"casbroker/internal/testkit/services"
	"casbroker/internal/testkit/storetest"
)

// keyVendor is a sandbox that records with which keys it was called, and its answers. It
// leaves out questions for credits, which come in the background.
type keyVendor struct {
	*sandbox.Sandbox
	mu       sync.Mutex
	keys     map[string]int
	statuses map[int]int
}

func (v *keyVendor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	seen := &statusWriter{ResponseWriter: w, status: 200}
	if r.URL.Path != "/v1/credits" {
		v.mu.Lock()
		v.keys[r.Header.Get("X-Api-Key")]++ // before a caller has the answer
		v.mu.Unlock()
	}
	v.Sandbox.ServeHTTP(seen, r)
	v.mu.Lock()
	defer v.mu.Unlock()
	v.statuses[seen.status]++
}

// statusWriter remembers the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// taken returns how often each key was used since the last time.
func (v *keyVendor) taken() map[string]int {
	v.mu.Lock()
	defer v.mu.Unlock()
	taken := v.keys
	v.keys = map[string]int{}
	return taken
}

func (v *keyVendor) count(status int) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.statuses[status]
}

// The API keys of the accounts that keySettings makes.
const (
	mainKey  = "live-main-7f3a91c2d4e5"
	spareKey = "live-spare-0b8e44d1a672"
	goneKey  = "live-gone-c19d03f7e8b5" // not one of the vendor's
)

// keySettings returns settings with keys called main and spare, of accounts with credits
// for 1000 and for 2 parses.
func keySettings(t *testing.T, store, cache secret.URL, rate int) (config.Config, *keyVendor) {
	t.Helper()
	c, _ := settingsFor(t, store, cache)
	v := &keyVendor{keys: map[string]int{}, statuses: map[int]int{}, Sandbox: sandbox.New(sandbox.Options{
		APIKey: mainKey, Accounts: []sandbox.Account{{APIKey: spareKey, Credits: 2}}, RateLimit: rate,
	})}
	at := httptest.NewServer(v)
	t.Cleanup(at.Close)
	allFeatures(&c)
	c.Upstream.URL, c.Upstream.Keys = at.URL, []config.UpstreamKey{
		{Name: "main", APIKey: mainKey, Weight: 1}, {Name: "spare", APIKey: spareKey, Weight: 1},
	}
	return c, v
}

func sqlite(t *testing.T) secret.URL { return secret.URL(storetest.SQLite(t)) }

// health returns the state and note of a dependency, as an operator reads it.
func (b *broker) health(t *testing.T, name string) string {
	t.Helper()
	var overview struct {
		Health []struct{ Name, State, Note string }
	}
	b.call(t, "", http.MethodGet, "/admin/v1/overview", "", "Authorization", "Bearer "+bearerAs(t, "meera", "casbroker:admin")).
		must(t, 200).decode(t, &overview)
	for _, c := range overview.Health {
		if c.Name == name {
			return c.State + " " + c.Note
		}
	}
	t.Fatalf("no %s in %+v", name, overview.Health)
	return ""
}

// hidesKeys fails the test if the log has an API key.
func (b *broker) hidesKeys(t *testing.T) {
	t.Helper()
	for _, key := range []string{mainKey, spareKey, goneKey} {
		if strings.Contains(b.log.String(), key) {
			t.Error("the log has an API key")
		}
	}
}

func TestCallsGoOnWithTheOtherKeyWhenOneIsOutOfCredits(t *testing.T) {
	t.Parallel()
	settings, vendor := keySettings(t, sqlite(t), "memory", sandbox.Unlimited)
	settings.Server.MetricsAddress = freeAddress(t)
	b := start(t, settings)
	page := b.page(t, "asha")
	if got := b.health(t, "api_keys"); got != "ok " {
		t.Errorf("got %q at the start", got)
	}
	for range 4 {
		parse(t, page.url, page.token, "cdsl", "ABCDE1234F").must(t, 200)
	}
	if got, want := vendor.taken(), map[string]int{mainKey: 2, spareKey: 2}; !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	parse(t, page.url, page.token, "cdsl", "ABCDE1234F").must(t, 200)
	parse(t, page.url, page.token, "cdsl", "ABCDE1234F").mustFail(t, 402, "INSUFFICIENT_CREDITS") // sent once only
	for range 4 {
		parse(t, page.url, page.token, "cdsl", "ABCDE1234F").must(t, 200)
	}
	if got, want := vendor.taken(), map[string]int{mainKey: 5, spareKey: 1}; !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := b.health(t, "api_keys"); !strings.HasPrefix(got, "degraded spare is set aside since 20") || !strings.Contains(got, "out of credits") {
		t.Errorf("got %q, want the key, the reason and since when", got)
	}
	for _, want := range []string{
		`casbroker_upstream_key_usable{key="main"} 1`, `casbroker_upstream_key_usable{key="spare"} 0`,
		`casbroker_upstream_key_set_aside_total{key="spare",reason="out_of_credits"} 1`,
	} {
		if metrics := scrape(t, settings.Server.MetricsAddress); !strings.Contains(metrics, want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
	if n := strings.Count(b.log.String(), "an API key is set aside"); n != 1 {
		t.Errorf("logged %d times that the key is set aside, want once", n)
	}
	b.hidesKeys(t)
}

func TestRefusedKeyIsReplacedByTheOther(t *testing.T) {
	t.Parallel()
	settings, vendor := keySettings(t, sqlite(t), "memory", sandbox.Unlimited)
	settings.Token.Mode = config.ModeBoth
	settings.Upstream.Keys[1] = config.UpstreamKey{Name: "gone", APIKey: goneKey, Weight: 1000}
	mint := start(t, settings)
	mint.token(t, "asha")
	if got, want := vendor.taken(), map[string]int{mainKey: 1, goneKey: 1}; !maps.Equal(got, want) {
		t.Errorf("a mint: got %v, want %v", got, want)
	}
	if got := mint.health(t, "api_keys"); !strings.HasPrefix(got, "degraded gone is set aside") || !strings.Contains(got, "the vendor refuses it") {
		t.Errorf("got %q", got)
	}
	usage := mint.call(t, "", http.MethodPost, "/admin/v1/usage/compare", "", "Authorization", "Bearer "+bearerAs(t, "meera", "casbroker:admin")).must(t, 503)
	if want := "usage of the API key gone cannot be read. The vendor refused the API key"; !strings.Contains(usage.body, want) {
		t.Errorf("got %s, want %q", usage.body, want)
	}
	if !strings.Contains(mint.log.String(), "API key gone, HTTP 401") {
		t.Error("the log does not name the key that was refused")
	}

	settings.Store.URL = sqlite(t)
	b := start(t, settings)
	g := b.gatewayToken(t, "asha", `{"mode":"gateway"}`)
	page := gatewayCaller{g.BaseURL, g.AccessToken}
	once := parse(t, page.url, page.token, "cdsl", "ABCDE1234F").mustFail(t, 502, "UPSTREAM_REFUSED") // sent once only
	if !strings.Contains(once.body, "try again") || once.header.Get("Retry-After") != "1" {
		t.Errorf("got %s, want the advice to try again, since there is another key", once.body)
	}
	parse(t, page.url, page.token, "cdsl", "ABCDE1234F").must(t, 200)
	b.hidesKeys(t)
}

func TestCallsFailAtOnceWhenAllKeysAreSetAside(t *testing.T) {
	t.Parallel()
	settings, vendor := keySettings(t, sqlite(t), "memory", sandbox.Unlimited)
	settings.Token.Mode = config.ModeBoth
	settings.Upstream.Keys = []config.UpstreamKey{{Name: "gone", APIKey: goneKey, Weight: 1}}
	b := start(t, settings)
	g := b.gatewayToken(t, "asha", `{"mode":"gateway"}`)
	only := parse(t, g.BaseURL, g.AccessToken, "cdsl", "x").mustFail(t, 502, "UPSTREAM_REFUSED")
	if strings.Contains(only.body, "try again") {
		t.Errorf("got %s, want no advice to try again, since there is no other key", only.body)
	}
	vendor.taken()
	a := parse(t, g.BaseURL, g.AccessToken, "cdsl", "x").mustFail(t, 502, "UPSTREAM_REFUSED")
	m := b.call(t, "asha", http.MethodPost, "/v1/token", `{"mode":"direct"}`).must(t, 503)
	for _, got := range []answer{a, m} {
		if after, err := strconv.Atoi(got.header.Get("Retry-After")); err != nil || after < 50 || after > 60 {
			t.Errorf("got Retry-After %q, want the time until the key is tried again", got.header.Get("Retry-After"))
		}
	}
	if !strings.Contains(m.body, "upstream_refused_key") || len(vendor.taken()) != 0 {
		t.Errorf("got %s, want a refusal without a call", m.body)
	}
	if got := b.health(t, "api_keys"); !strings.HasPrefix(got, "down gone is set aside") {
		t.Errorf("got %q", got)
	}
	b.hidesKeys(t)
}

func TestCallsAreAnsweredAsTheVendorDoesWhenAllCreditsAreUsed(t *testing.T) {
	t.Parallel()
	settings, vendor := keySettings(t, sqlite(t), "memory", sandbox.Unlimited)
	settings.Upstream.Keys = settings.Upstream.Keys[1:]
	b := start(t, settings)
	page := b.page(t, "asha")
	for range 2 {
		parse(t, page.url, page.token, "cdsl", "ABCDE1234F").must(t, 200)
	}
	for called := range 2 { // first by the vendor, then by the broker
		vendor.taken()
		a := parse(t, page.url, page.token, "cdsl", "ABCDE1234F").mustFail(t, 402, "INSUFFICIENT_CREDITS")
		if n := len(vendor.taken()); n != 1-called {
			t.Errorf("got %d calls, want %d", n, 1-called)
		}
		if after, _ := strconv.Atoi(a.header.Get("Retry-After")); called == 1 && (after < 280 || after > 300) {
			t.Errorf("got Retry-After %q, want the time until the key is tried again", a.header.Get("Retry-After"))
		}
	}
}

func TestKeyFileIsReplacedWhileTheBrokerRuns(t *testing.T) {
	t.Parallel()
	settings, vendor := keySettings(t, sqlite(t), "memory", sandbox.Unlimited)
	path := filepath.Join(t.TempDir(), "vendor.key")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(goneKey + "\n")
	settings.Upstream.Keys = nil
	settings.Upstream.APIKeyFile = path
	b := start(t, settings)
	page := b.page(t, "asha")
	parse(t, page.url, page.token, "cdsl", "ABCDE1234F").mustFail(t, 502, "UPSTREAM_REFUSED")
	if got := b.health(t, "api_keys"); !strings.HasPrefix(got, "down default is set aside") {
		t.Errorf("got %q", got)
	}
	write("two words")
	within(t, 5*time.Second, "a line about the file", func() bool { return strings.Contains(b.log.String(), "cannot be used") })
	write(mainKey + "\n")
	within(t, 5*time.Second, "the new key", func() bool { return b.health(t, "api_keys") == "ok " })
	vendor.taken()
	parse(t, page.url, page.token, "cdsl", "ABCDE1234F").must(t, 200)
	if got, want := vendor.taken(), map[string]int{mainKey: 1}; !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	b.hidesKeys(t)
}

func TestAppsUseTheKeysOfTheirVerifiers(t *testing.T) {
	t.Parallel()
	settings, vendor := keySettings(t, sqlite(t), "memory", sandbox.Unlimited)
	settings.Token.Mode, settings.Token.Pool = config.ModeBoth, 1
	shop := settings.Auth.Verifiers[0]
	shop.Name, shop.Issuer = "shop", "https://shop.example"
	settings.Auth.Verifiers = append(settings.Auth.Verifiers, shop)
	settings.Upstream.Keys[1].Verifiers = []string{"shop"}
	b := start(t, settings)
	within(t, 5*time.Second, "a token in the pool", func() bool { return vendor.Calls("/v1/token") == 1 })
	vendor.taken()
	for issuer, want := range map[string]map[string]int{
		"https://app.example":  {mainKey: 1},
		"https://shop.example": {spareKey: 2}, // also its direct token
	} {
		jwt, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
			"iss": issuer, "aud": "casbroker", "sub": "asha", "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
		}).SignedString([]byte(jwtSecret))
		if err != nil {
			t.Fatal(err)
		}
		as := []string{"Authorization", "Bearer " + jwt}
		var g gatewayToken
		b.call(t, "", http.MethodPost, "/v1/token", `{"mode":"gateway"}`, as...).must(t, 200).decode(t, &g)
		parse(t, g.BaseURL, g.AccessToken, "cdsl", "ABCDE1234F").must(t, 200)
		if issuer == "https://shop.example" {
			b.call(t, "", http.MethodPost, "/v1/token", `{"mode":"direct"}`, as...).must(t, 200)
		}
		if got := vendor.taken(); !maps.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", issuer, got, want)
		}
	}
}

func TestRateLimitOfTheVendorHoldsForAllCalls(t *testing.T) {
	t.Parallel()
	settings, vendor := keySettings(t, sqlite(t), "memory", sandbox.Unlimited)
	settings.Token.Mode = config.ModeBoth
	settings.Upstream.Keys = settings.Upstream.Keys[:1]
	b := start(t, settings)
	g := b.gatewayToken(t, "asha", `{"mode":"gateway"}`)
	vendor.AddFault(sandbox.Fault{Path: "/v4/smart/parse", Kind: sandbox.FaultStatus, Status: 429, RetryAfter: 40, Times: 1})
	parse(t, g.BaseURL, g.AccessToken, "cdsl", "x").mustFail(t, 429, "RATE_LIMITED")
	vendor.taken()
	a := parse(t, g.BaseURL, g.AccessToken, "cdsl", "x").mustFail(t, 429, "RATE_LIMITED")
	m := b.call(t, "asha", http.MethodPost, "/v1/token", `{"mode":"direct"}`).must(t, 503)
	if len(vendor.taken()) != 0 || !strings.Contains(m.body, "upstream_rate_limited") {
		t.Errorf("got %s, want a refusal without a call", m.body)
	}
	for _, got := range []answer{a, m} {
		if after, err := strconv.Atoi(got.header.Get("Retry-After")); err != nil || after < 30 || after > 40 {
			t.Errorf("got Retry-After %q, want what is left of 40", got.header.Get("Retry-After"))
		}
	}
}

func TestFailuresOfTheGatewayOpenTheBreakerForAll(t *testing.T) {
	t.Parallel()
	settings, vendor := keySettings(t, sqlite(t), "memory", sandbox.Unlimited)
	settings.Token.Mode = config.ModeBoth
	b := start(t, settings)
	g := b.gatewayToken(t, "asha", `{"mode":"gateway"}`)
	use := func() answer { return parse(t, g.BaseURL, g.AccessToken, "cdsl", "ABCDE1234F") }
	vendor.AddFault(sandbox.Fault{Path: "/v4/smart/parse", Kind: sandbox.FaultStatus, Status: 500, Code: "PARSING_ERROR", Times: 8})
	for range 8 { // about the document, whatever the status
		use().mustFail(t, 500, "PARSING_ERROR")
	}
	use().must(t, 200)
	if got := b.health(t, "vendor"); got != "ok " {
		t.Errorf("got %q, want a vendor that is well", got)
	}
	vendor.AddFault(sandbox.Fault{Path: "/v4/smart/parse", Kind: sandbox.FaultStatus, Status: 503, Times: 4})
	vendor.AddFault(sandbox.Fault{Path: "/v4/smart/parse", Kind: sandbox.FaultDrop, Times: 1})
	for range 4 {
		use().mustFail(t, 503, "")
	}
	if got := b.health(t, "vendor"); !strings.HasPrefix(got, "degraded ") {
		t.Errorf("got %q after failures", got)
	}
	use().mustFail(t, 502, "UPSTREAM_UNAVAILABLE")
	vendor.AddFault(sandbox.Fault{Path: "/v4/smart/parse", Kind: sandbox.FaultDrop}) // the breaker lets a test through now and then
	vendor.AddFault(sandbox.Fault{Path: "/v1/token", Kind: sandbox.FaultDrop})
	paused := func(call func() answer) bool {
		vendor.taken()
		got := call()
		after, _ := strconv.Atoi(got.header.Get("Retry-After"))
		return got.status >= 502 && after >= 1 && after <= 30 && len(vendor.taken()) == 0 && strings.HasPrefix(b.health(t, "vendor"), "down ")
	}
	within(t, 20*time.Second, "parses are refused without a call", func() bool { return paused(use) })
	within(t, 20*time.Second, "mints are refused without a call", func() bool {
		return paused(func() answer {
			return b.call(t, "asha", http.MethodPost, "/v1/token", `{"mode":"direct"}`).must(t, 503)
		})
	})
}

func TestFloodOfPollsOverTwoReplicasNeverStopsAParse(t *testing.T) {
	t.Parallel()
	settings, vendor := keySettings(t, secret.URL(storetest.Postgres(t)), secret.URL(services.OwnRedis(t).URL), sandbox.AccountLimit)
	settings.Upstream.Keys = settings.Upstream.Keys[:1]
	settings.Upstream.Keys[0].Rate = sandbox.AccountLimit
	settings.Gateway.MaxUploads, settings.Gateway.MaxUploadsPerUser = 0, 0
	brokers := []*broker{start(t, settings), start(t, settings)}
	page := brokers[0].page(t, "asha")
	path := "/v4/inbound-email/" + page.createAddress(t).ID
	stop := make(chan struct{})
	var polls sync.WaitGroup
	var mu sync.Mutex
	seen := map[string]int{}
	for i := range 16 {
		polls.Go(func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(10 * time.Millisecond):
				}
				a := page.on(brokers[i%2]).call(t, "GET", path, "")
				after, _ := strconv.Atoi(a.header.Get("Retry-After"))
				mu.Lock()
				seen[strconv.Itoa(a.status)]++
				if a.status == 429 && (after < 1 || after > 30) {
					seen["without an honest Retry-After"]++
				}
				mu.Unlock()
			}
		})
	}
	for i := range 4 {
		<-time.After(600 * time.Millisecond)
		p := page.on(brokers[i%2])
		if a := parse(t, p.url, p.token, "cdsl", "ABCDE1234F"); a.status != 200 {
			t.Errorf("parse %d: got %d %s", i, a.status, a.body)
		}
	}
	close(stop)
	polls.Wait()
	if vendor.count(429) != 0 || seen["429"] == 0 || seen["200"] == 0 || seen["without an honest Retry-After"] != 0 {
		t.Errorf("the vendor answered 429 %d times; polls got %v", vendor.count(429), seen)
	}
}
