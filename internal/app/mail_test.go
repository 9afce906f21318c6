package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"casbroker/internal/config"
	"casbroker/internal/sandbox"
	"casbroker/internal/secret"
	"casbroker/internal/testkit/services"
	"casbroker/internal/testkit/storetest"
)

// movedClock is a clock that the test moves.
type movedClock struct {
	mu sync.Mutex
	at time.Time
}

func newMovedClock() *movedClock { return &movedClock{at: time.Now()} }

func (c *movedClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *movedClock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// files is the answer to a poll.
type files struct {
	Files []map[string]any `json:"files"`
	Count int              `json:"count"`
	// Cursor is nil if there are no files.
	Cursor *string `json:"cursor"`
}

func (p gatewayCaller) poll(t *testing.T, id, query string) (f files) {
	t.Helper()
	p.call(t, "GET", "/v4/inbound-email/"+id+"/files"+query, "").must(t, 200).decode(t, &f)
	return f
}

// direct makes a call of the vendor with the API key.
func direct(t *testing.T, settings config.Config, method, path, body string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, settings.Upstream.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Api-Key", apiKey)
	return send(t, http.DefaultClient, req)
}

// deliver makes a mail arrive at an address and returns what became of its callback.
func deliver(t *testing.T, settings config.Config, id string) string {
	t.Helper()
	var d struct{ Callback string }
	direct(t, settings, "POST", "/_sandbox/inbound-email/"+id+"/deliver", `{"source":"cdsl"}`).must(t, 200).decode(t, &d)
	return d.Callback
}

// callbackPath returns the path of the vendor's callback about an address.
func (b *broker) callbackPath(t *testing.T, settings config.Config, id string) string {
	t.Helper()
	var a struct {
		URL string `json:"callback_url"`
	}
	direct(t, settings, "GET", "/v4/inbound-email/"+id, "").must(t, 200).decode(t, &a)
	path, ok := strings.CutPrefix(a.URL, b.URL+"/inbound/")
	if !ok || len(path) != 43 {
		t.Fatalf("got the callback %s, want a secret path of %s", a.URL, b.URL)
	}
	return "/inbound/" + path
}

func TestForwardedFileIsThereAtTheNextPollAfterTheCallback(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, vendor *sandbox.Sandbox) {
		allFeatures(&settings)
		b := start(t, settings)
		asha, rohan := b.page(t, "asha"), b.page(t, "rohan")
		made := asha.call(t, "POST", "/v4/inbound-email", "{}").must(t, 201)
		var a address
		made.decode(t, &a)
		path := b.callbackPath(t, settings, a.ID)
		for _, shown := range []answer{made, asha.call(t, "GET", "/v4/inbound-email/"+a.ID, "").must(t, 200), asha.call(t, "GET", "/v4/inbound-email", "").must(t, 200)} {
			if strings.Contains(shown.body, "/inbound/") || !strings.Contains(shown.body, `"callback_url":null`) || !strings.Contains(shown.body, `"expires_in":17`) {
				t.Errorf("the page got %s, want it without the callback", shown.body)
			}
		}
		if got := asha.poll(t, a.ID, ""); got.Count != 0 || got.Cursor != nil || got.Files == nil {
			t.Errorf("got %+v before the mail", got)
		}
		if got := deliver(t, settings, a.ID); got != "delivered" {
			t.Fatalf("the callback is %s", got)
		}
		got := asha.poll(t, a.ID, "")
		if n := vendor.Calls("/v4/inbound-email/" + a.ID + "/files"); n != 0 || got.Count != 1 || len(got.Files) != 1 {
			t.Fatalf("got %+v, the vendor %d polls", got, n)
		}
		// But for the times it is what the vendor answers.
		var want files
		direct(t, settings, "GET", "/v4/inbound-email/"+a.ID+"/files", "").must(t, 200).decode(t, &want)
		if *got.Cursor != got.Files[0]["received_at"] || got.Files[0]["expires_in"].(float64) < 172700 {
			t.Errorf("got %+v", got)
		}
		for _, f := range []map[string]any{got.Files[0], want.Files[0]} {
			delete(f, "received_at")
			delete(f, "expires_in")
		}
		if !reflect.DeepEqual(got.Files, want.Files) {
			t.Errorf("got %v, want %v", got.Files, want.Files)
		}
		if rest := asha.poll(t, a.ID, "?since="+*got.Cursor); rest.Count != 0 || rest.Cursor != nil {
			t.Errorf("got %+v after the cursor", rest)
		}
		rohan.call(t, "GET", "/v4/inbound-email/"+a.ID+"/files", "").mustFail(t, 404, "NOT_FOUND")
		// The page can parse the file.
		asha.call(t, "POST", "/v4/smart/parse", fmt.Sprintf(`{"pdf_url":%q,"password":"ABCDE1234F"}`, got.Files[0]["url"])).must(t, 200)

		var export struct {
			Files []struct {
				ID   string         `json:"inbound_email_id"`
				File map[string]any `json:"file"`
			} `json:"forwarded_files"`
		}
		b.call(t, "asha", "GET", "/v1/me/export", "").must(t, 200).decode(t, &export)
		if f := export.Files; len(f) != 1 || f[0].ID != a.ID || f[0].File["url"] != got.Files[0]["url"] {
			t.Errorf("got the export %+v", export)
		}
		if strings.Contains(b.log.String(), strings.TrimPrefix(path, "/inbound/")) {
			t.Error("the log has the secret of a callback")
		}

		again := asha.createAddress(t)
		old, erased := path, b.callbackPath(t, settings, again.ID)
		asha.call(t, "DELETE", "/v4/inbound-email/"+a.ID, "").must(t, 200)
		b.call(t, "", "POST", old, "{}").must(t, 404)
		b.call(t, "", "POST", erased, "{}").must(t, 400)
		b.call(t, "asha", "DELETE", "/v1/me", "").must(t, 200)
		b.call(t, "", "POST", erased, "{}").must(t, 404)
	})
}

func TestForgedCallbacksHaveNoEffect(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, _ *sandbox.Sandbox) {
		allFeatures(&settings)
		b := start(t, settings)
		asha, rohan := b.page(t, "asha"), b.page(t, "rohan")
		own, other := asha.createAddress(t), rohan.createAddress(t)
		path := b.callbackPath(t, settings, own.ID)
		file := `{"message_id":"msg_x","filename":"x.pdf","url":"` + settings.Upstream.URL + `/_sandbox/files/x/x.pdf","expires_in":172800}`
		body := func(id, reference, file string) string {
			return fmt.Sprintf(`{"inbound_email_id":%q,"reference":%q,"files":[%s],"count":1}`, id, reference, file)
		}
		b.call(t, "", "POST", path, body(own.ID, other.Reference, file)).must(t, 400)
		b.call(t, "", "POST", path, body(other.ID, other.Reference, file)).must(t, 400)
		b.call(t, "", "POST", path, body(own.ID, "app:asha", file)).must(t, 400)
		b.call(t, "", "POST", path[:len(path)-1]+"!", body(own.ID, own.Reference, file)).must(t, 404)
		b.call(t, "", "POST", "/inbound/"+strings.Repeat("a", 43), body(own.ID, own.Reference, file)).must(t, 404)
		for _, url := range []string{"http://169.254.169.254/latest/meta-data/", "https://evil.example/x.pdf", "http://localhost:1/x.pdf"} {
			b.call(t, "", "POST", path, body(own.ID, own.Reference, strings.Replace(file, settings.Upstream.URL+"/_sandbox/files/x/x.pdf", url, 1))).must(t, 400)
		}
		for _, method := range []string{"GET", "PUT", "DELETE", "HEAD"} {
			if a := b.call(t, "", method, path, ""); a.status != 405 {
				t.Errorf("%s: got %d", method, a.status)
			}
		}
		for _, wrong := range []string{"/", "/x", "//x"} {
			b.call(t, "", "POST", path+wrong, body(own.ID, own.Reference, file)).must(t, 404)
		}
		b.call(t, "", "POST", path, strings.Repeat(" ", 257<<10)).must(t, 413)
		for _, p := range []gatewayCaller{asha, rohan} {
			for _, a := range []address{own, other} {
				if r := p.call(t, "GET", "/v4/inbound-email/"+a.ID+"/files", ""); r.status == 200 && !strings.Contains(r.body, `"count":0`) {
					t.Errorf("got %s", r.body)
				}
			}
		}
		for i, want := range []string{`{"files":1}`, `{"files":0}`, `{"files":0}`, `{"files":0}`, `{"files":0}`} {
			if a := b.call(t, "", "POST", path, body(own.ID, own.Reference, file)).must(t, 200); strings.TrimSpace(a.body) != want {
				t.Errorf("%d: got %s, want %s", i, a.body, want)
			}
		}
		if got := asha.poll(t, own.ID, ""); got.Count != 1 || got.Files[0]["filename"] != "x.pdf" {
			t.Errorf("got %+v", got)
		}
		log := b.log.String()
		if strings.Contains(log, strings.TrimPrefix(path, "/inbound/")[:42]) || strings.Contains(log, "x.pdf") || !strings.Contains(log, "inbound.file_hosts") {
			t.Error("the log has a secret, or does not say why callbacks were refused")
		}
	})
}

// eachWithoutCallback runs test with three replicas, and with one broker on SQLite, whose
// vendor cannot call back. All have the same clock.
func eachWithoutCallback(t *testing.T, test func(t *testing.T, settings config.Config, vendor *sandbox.Sandbox, now *movedClock, replicas []*broker)) {
	t.Helper()
	for name, n := range map[string]int{"three replicas": 3, "SQLite": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := newMovedClock()
			database, shared := sqlite(t), secret.URL("memory")
			if n > 1 {
				database, shared = secret.URL(storetest.Postgres(t)), secret.URL(services.OwnRedis(t).URL)
			}
			settings, vendor := settingsWith(t, database, shared, sandbox.Options{Now: now.Now, CallbackWait: time.Millisecond})
			allFeatures(&settings)
			settings.Access.WhenStale = config.WhenStaleServe // the clock jumps
			settings.Auth.Verifiers[0].Leeway = time.Minute   // it stands still while the broker starts
			settings.Inbound.Path = ""
			var replicas []*broker
			for range n {
				replicas = append(replicas, startAt(t, settings, now.Now))
			}
			test(t, settings, vendor, now, replicas)
		})
	}
}

func TestReplicasTogetherAskTheVendorOnceInTenSeconds(t *testing.T) {
	t.Parallel()
	eachWithoutCallback(t, func(t *testing.T, settings config.Config, vendor *sandbox.Sandbox, now *movedClock, replicas []*broker) {
		asha := replicas[0].page(t, "asha")
		a := asha.createAddress(t)
		asked := func() int { return vendor.Calls("/v4/inbound-email/" + a.ID + "/files") }
		var times []time.Duration
		var seen []string // names of files that the page got, with its cursor
		began, cursor := now.Now(), ""
		for step := range 20 { // a minute of polls, of a page on each replica
			if step == 9 {
				direct(t, settings, "POST", "/_sandbox/inbound-email/"+a.ID+"/deliver", `{"source":"cdsl"}`).must(t, 200)
			}
			before := asked()
			var pages sync.WaitGroup
			for _, b := range replicas[1:] {
				pages.Go(func() { asha.on(b).call(t, "GET", "/v4/inbound-email/"+a.ID+"/files", "") })
			}
			got := asha.poll(t, a.ID, "?since="+cursor)
			pages.Wait()
			for _, f := range got.Files {
				seen = append(seen, fmt.Sprint(f["filename"]))
				cursor = *got.Cursor
			}
			if asked() > before {
				times = append(times, now.Now().Sub(began))
			}
			now.move(3 * time.Second)
		}
		if n := asked(); n < 4 || n > 6 || len(times) != n {
			t.Errorf("the vendor got %d polls at %v in a minute of 20 polls of each page, want at most 1 in 10 s", n, times)
		}
		for i := 1; i < len(times); i++ {
			if gap := times[i] - times[i-1]; gap < 10*time.Second {
				t.Errorf("the vendor was asked again after %s", gap)
			}
		}
		if len(seen) != 1 {
			t.Errorf("the page got the files %q, want one", seen)
		}
		replicas[len(replicas)-1].page(t, "rohan").call(t, "GET", "/v4/inbound-email/"+a.ID+"/files", "").mustFail(t, 404, "NOT_FOUND")
	})
}

func TestPollsKeepAnAddressAliveAndItsEndIsSeen(t *testing.T) {
	t.Parallel()
	eachWithoutCallback(t, func(t *testing.T, settings config.Config, _ *sandbox.Sandbox, now *movedClock, replicas []*broker) {
		asha := replicas[0].page(t, "asha")
		var kept address
		created := asha.call(t, "POST", "/v4/inbound-email", "{}").must(t, 201)
		created.decode(t, &kept)
		if !strings.Contains(created.body, `"expires_in":1800`) {
			t.Errorf("got %s, want an address of half an hour", created.body)
		}
		lost := asha.createAddress(t)
		for range 2 {
			now.move(16 * time.Minute)
			asha.on(replicas[len(replicas)-1]).poll(t, kept.ID, "")
		}
		for range 2 {
			asha.call(t, "GET", "/v4/inbound-email/"+lost.ID+"/files", "").mustFail(t, 404, "NOT_FOUND")
		}
		if got := asha.list(t, ""); got.Total != 1 || got.List[0].ID != kept.ID {
			t.Errorf("got %+v, want the address that was polled", got)
		}
	})
}

func TestLostCallbackIsMadeUpForWithinAMinute(t *testing.T) {
	t.Parallel()
	for name, backend := range backends {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := newMovedClock()
			database, shared := backend(t)
			settings, vendor := settingsWith(t, database, shared, sandbox.Options{Now: now.Now, CallbackWait: time.Millisecond})
			allFeatures(&settings)
			settings.Inbound.URL = "http://127.0.0.1:1" // nothing listens there
			settings.Auth.Verifiers[0].Leeway = time.Minute
			b := startAt(t, settings, now.Now)
			asha := b.page(t, "asha")
			a := asha.createAddress(t)
			if got := deliver(t, settings, a.ID); got != "failed" {
				t.Fatalf("the callback is %s", got)
			}
			for range 19 {
				now.move(3 * time.Second)
				if got := asha.poll(t, a.ID, ""); got.Count != 0 {
					t.Fatalf("got %+v", got)
				}
			}
			if n := vendor.Calls("/v4/inbound-email/" + a.ID + "/files"); n != 0 {
				t.Errorf("the vendor got %d polls within 57 s", n)
			}
			now.move(3 * time.Second)
			if got := asha.poll(t, a.ID, ""); got.Count != 1 {
				t.Errorf("got %+v after a minute, want the file", got)
			}
			if n := vendor.Calls("/v4/inbound-email/" + a.ID + "/files"); n != 1 {
				t.Errorf("the vendor got %d polls in a minute", n)
			}
		})
	}
}

func TestFilesAreDroppedWhenTheirURLHasExpired(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, _ *sandbox.Sandbox) {
		allFeatures(&settings)
		b := start(t, settings)
		if got := deliver(t, settings, b.page(t, "asha").createAddress(t).ID); got != "delivered" {
			t.Fatalf("the callback is %s", got)
		}
		if err := b.stop(); err != nil {
			t.Fatal(err)
		}
		rows := func() (n int) {
			if err := storetest.SQL(t, settings.Store.URL.Reveal()).QueryRowContext(t.Context(), "SELECT COUNT(*) FROM mail_files").Scan(&n); err != nil {
				t.Fatal(err)
			}
			return n
		}
		for _, c := range []struct {
			ahead time.Duration
			want  int
		}{{47 * time.Hour, 1}, {49 * time.Hour, 0}} {
			b := startAt(t, settings, func() time.Time { return time.Now().Add(c.ahead) })
			if c.want == 0 {
				within(t, 10*time.Second, "the file is dropped", func() bool { return rows() == 0 })
			}
			if err := b.stop(); err != nil {
				t.Fatal(err)
			}
			if n := rows(); n != c.want {
				t.Errorf("after %s: %d files are stored, want %d", c.ahead, n, c.want)
			}
		}
	})
}

func TestGuessedSecretsAreLimitedByAddress(t *testing.T) {
	t.Parallel()
	settings, _ := gatewaySettings(t)
	allFeatures(&settings)
	settings.RateLimit.Failures = "3-M"
	b := start(t, settings)
	path := b.callbackPath(t, settings, b.page(t, "asha").createAddress(t).ID)
	for range 3 {
		b.call(t, "", "POST", "/inbound/"+strings.Repeat("a", 43), "{}").must(t, 404)
	}
	if a := b.call(t, "", "POST", "/inbound/"+strings.Repeat("a", 43), "{}").must(t, 429); a.header.Get("Retry-After") == "" {
		t.Errorf("got %v, want Retry-After", a.header)
	}
	b.call(t, "", "POST", path, "{}").mustRefuse(t, 400, "invalid_callback") // the right secret is not held back
}

func TestCallbacksAreTakenOnlyWhereTheVendorCanReachTheBroker(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*config.Config)
		taken  bool
	}{
		"a vendor on this machine": {func(*config.Config) {}, true},
		"without the feature":      {func(c *config.Config) { c.Gateway.Features = []string{config.FeatureParse} }, false},
		"in direct mode":           {func(c *config.Config) { c.Token.Mode = config.ModeDirect }, false},
		"turned off":               {func(c *config.Config) { c.Inbound.Path = "" }, false},
		"by http over a network":   {func(c *config.Config) { c.Upstream.URL = "https://vendor.example" }, false},
		"by https": {func(c *config.Config) {
			c.Upstream.URL, c.Server.PublicURL = "https://vendor.example", "https://broker.example"
		}, true},
		"at another URL": {func(c *config.Config) {
			c.Upstream.URL, c.Inbound.URL = "https://vendor.example", "https://hooks.example"
		}, true},
	} {
		settings, _ := gatewaySettings(t)
		allFeatures(&settings)
		c.change(&settings)
		b := start(t, settings)
		a := b.call(t, "", "POST", "/inbound/"+strings.Repeat("a", 43), "{}").must(t, 404)
		var p struct{ Code string }
		if err := json.Unmarshal([]byte(a.body), &p); err != nil || (p.Code == "not_found") != c.taken {
			t.Errorf("%s: got %s", name, a.body)
		}
		if err := b.stop(); err != nil {
			t.Fatal(err)
		}
	}
}
