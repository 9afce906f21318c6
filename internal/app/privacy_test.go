package app_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"casbroker/internal/app"
	"casbroker/internal/config"
	"casbroker/internal/sandbox"
	"casbroker/internal/secret"
	"casbroker/internal/testkit/logtest"
	"casbroker/internal/testkit/services"
	"casbroker/internal/testkit/storetest"
)

// exported has the members of an export that the tests check.
type exported struct {
	Subject    string `json:"subject"`
	Portfolios []struct {
		ID           string            `json:"id"`
		Readable     bool              `json:"readable"`
		StoredRows   int               `json:"stored_rows"`
		Holdings     []json.RawMessage `json:"holdings"`
		Transactions []json.RawMessage `json:"transactions"`
		Payload      json.RawMessage   `json:"payload"`
	} `json:"portfolios"`
	Grants []struct {
		ID string `json:"id"`
	} `json:"grants"`
	Audit []struct {
		Action  string `json:"action"`
		Address string `json:"address"`
	} `json:"audit"`
}

func (b *broker) export(t *testing.T, who string) exported {
	t.Helper()
	var e exported
	b.call(t, who, http.MethodGet, "/v1/me/export", "").must(t, 200).decode(t, &e)
	return e
}

// sameJSON reports whether two JSON texts are equal.
func sameJSON(t *testing.T, a, b []byte) bool {
	t.Helper()
	var values [2]any
	for i, text := range [][]byte{a, b} {
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		if err := d.Decode(&values[i]); err != nil {
			t.Fatal(err)
		}
	}
	return reflect.DeepEqual(values[0], values[1])
}

func TestUserExportsAndErasesAllData(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, _ *sandbox.Sandbox) {
		b := start(t, settings)
		given := b.token(t, "asha")
		payloads := map[string]string{}
		for _, source := range []string{"cdsl", "cams"} {
			payload := parse(t, settings.Upstream.URL, given.AccessToken, source, "right").must(t, 200).body
			var p saved
			b.call(t, "asha", http.MethodPost, "/v1/portfolios", payload, "Idempotency-Key", source).must(t, 201).decode(t, &p)
			payloads[p.ID] = payload
		}
		b.token(t, "rohan")

		whole := b.export(t, "asha")
		if whole.Subject != "app:asha" || len(whole.Portfolios) != len(payloads) || len(whole.Grants) != 1 || whole.Grants[0].ID != given.GrantID {
			t.Fatalf("got the export %+v", whole)
		}
		transactions := 0
		for _, p := range whole.Portfolios {
			if !p.Readable || len(p.Holdings) != p.StoredRows || !sameJSON(t, p.Payload, []byte(payloads[p.ID])) {
				t.Errorf("%s: readable %t, %d of %d rows, payload %.60s", p.ID, p.Readable, len(p.Holdings), p.StoredRows, p.Payload)
			}
			transactions += len(p.Transactions)
		}
		if transactions == 0 {
			t.Error("got no transactions, want some")
		}
		if last := whole.Audit[len(whole.Audit)-1]; last.Action != "data.export" || last.Address == "" {
			t.Errorf("got the last record %+v", last)
		}
		if other := b.export(t, "rohan"); len(other.Portfolios) != 0 || len(other.Grants) != 1 {
			t.Errorf("another user's export: got %+v", other)
		}

		for _, want := range []string{`{"erased":{"portfolios":2,"grants":1}}`, `{"erased":{"portfolios":0,"grants":0}}`} {
			if got := b.call(t, "asha", http.MethodDelete, "/v1/me", "").must(t, 200).body; strings.TrimSpace(got) != want {
				t.Errorf("erase: got %s, want %s", got, want)
			}
		}
		left := b.export(t, "asha")
		if len(left.Portfolios) != 0 || len(left.Grants) != 0 || len(left.Audit) != len(whole.Audit)+3 {
			t.Errorf("got %+v after the erasure", left)
		}
		for _, r := range left.Audit[:len(left.Audit)-1] {
			if r.Address != "" {
				t.Errorf("the record of %s still has its source", r.Action)
			}
		}
		if other := b.export(t, "rohan"); len(other.Grants) != 1 || other.Audit[0].Address == "" {
			t.Error("want another user's grants and addresses kept")
		}
		if next := b.token(t, "asha"); next.AccessToken == given.AccessToken || next.GrantID == given.GrantID {
			t.Error("an erased token was reused")
		}
		for id := range payloads {
			b.call(t, "asha", http.MethodGet, "/v1/portfolios/"+id, "").must(t, 404)
		}
	})
}

// keyFile writes a key to a file and returns its path.
func keyFile(t *testing.T, name, key string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(key+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLostKeyMakesOnlyItsDataUnreadable(t *testing.T) {
	t.Parallel()
	settings, _ := settingsFor(t, secret.URL(storetest.SQLite(t)), "memory")
	b := start(t, settings)
	payload := parse(t, settings.Upstream.URL, b.token(t, "asha").AccessToken, "nsdl", "right").must(t, 200).body
	var p saved
	b.call(t, "asha", http.MethodPost, "/v1/portfolios", payload).must(t, 201).decode(t, &p)
	if err := b.stop(); err != nil {
		t.Fatal(err)
	}

	old := keyFile(t, "k1", sealKey)
	next := base64.StdEncoding.EncodeToString([]byte("the-next-seal-key-0123456789abcd"))
	settings.Seal.Keys = []config.SealKey{{ID: "k2", File: keyFile(t, "k2", next)}, {ID: "k1", File: old}}
	if err := os.Rename(old, old+".lost"); err != nil {
		t.Fatal(err)
	}
	b = start(t, settings)
	if log := b.log.String(); !strings.Contains(log, `"key_id":"k1"`) || !strings.Contains(log, old) || !strings.Contains(log, `"level":"ERROR"`) {
		t.Errorf("got the log %s", log)
	}
	e := b.export(t, "asha")
	if len(e.Portfolios) != 1 || e.Portfolios[0].Readable || string(e.Portfolios[0].Payload) != "null" {
		t.Errorf("got the export %+v", e)
	}
	b.call(t, "asha", http.MethodGet, "/v1/portfolios", "").must(t, 200)
	b.call(t, "asha", http.MethodGet, "/v1/portfolios/"+p.ID+"/raw", "").must(t, 503)
	within(t, 5*time.Second, "the file is reported", func() bool { return strings.HasPrefix(b.health(t, "secret_files"), "degraded ") })

	if err := os.Rename(old+".lost", old); err != nil {
		t.Fatal(err)
	}
	within(t, 5*time.Second, "the key is used, without a restart", func() bool {
		return b.call(t, "asha", http.MethodGet, "/v1/portfolios/"+p.ID+"/raw", "").status == 200
	})
	if raw := b.call(t, "asha", http.MethodGet, "/v1/portfolios/"+p.ID+"/raw", ""); raw.body != payload {
		t.Error("want the payload as saved")
	}
	if err := os.WriteFile(old, []byte(next), 0o600); err != nil { // another key under the same id
		t.Fatal(err)
	}
	within(t, 5*time.Second, "the other key is reported", func() bool {
		return strings.Contains(b.health(t, "secret_files"), "has another key, which is not used")
	})
	b.call(t, "asha", http.MethodGet, "/v1/portfolios/"+p.ID+"/raw", "").must(t, 200)
	for _, key := range []string{sealKey, next} {
		if strings.Contains(b.log.String(), key) {
			t.Error("the log shows a key")
		}
	}
}

func TestBrokerDoesNotStartWithoutTheFirstKey(t *testing.T) {
	t.Parallel()
	for name, file := range map[string]string{
		"no file": filepath.Join(t.TempDir(), "nowhere"), "half a key": keyFile(t, "k2", sealKey[:20]), "the hash key": keyFile(t, "k2", hashKey),
	} {
		settings, _ := settingsFor(t, secret.URL(storetest.SQLite(t)), "memory")
		settings.Seal.Keys = append([]config.SealKey{{ID: "k2", File: file}}, settings.Seal.Keys...)
		_, err := app.New(t.Context(), settings, app.Options{LogTo: &logtest.Log{}})
		if err == nil || !strings.Contains(err.Error(), "seal.keys[0].file: ") || strings.Contains(err.Error(), sealKey[:20]) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestWrongKeyIsReportedAtTheStart(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, _ *sandbox.Sandbox) {
		b := start(t, settings)
		payload := parse(t, settings.Upstream.URL, b.token(t, "asha").AccessToken, "nsdl", "right").must(t, 200).body
		var p saved
		b.call(t, "asha", http.MethodPost, "/v1/portfolios", payload, "Idempotency-Key", "k").must(t, 201).decode(t, &p)
		if err := b.stop(); err != nil {
			t.Fatal(err)
		}

		other := base64.StdEncoding.EncodeToString([]byte("a-wrong-seal-key-0123456789abcde"))
		settings.Seal.Keys = []config.SealKey{{ID: "k1", File: keyFile(t, "k1", other)}}
		_, err := app.New(t.Context(), settings, app.Options{LogTo: &logtest.Log{}})
		if err == nil || !strings.HasPrefix(err.Error(), `seal.keys[0]: key "k1" differs from the key`) {
			t.Errorf("as the first key: %v", err)
		}

		next := base64.StdEncoding.EncodeToString([]byte("the-next-seal-key-0123456789abcd"))
		settings.Seal.Keys = append([]config.SealKey{{ID: "k2", Key: secret.Text(next)}}, settings.Seal.Keys...)
		b = start(t, settings)
		if log := b.log.String(); !strings.Contains(log, `"key_id":"k1"`) || !strings.Contains(log, `"level":"ERROR"`) || strings.Contains(log, other) {
			t.Errorf("got the log %s", log)
		}
		for path, status := range map[string]int{"": 200, "/latest": 503, "/" + p.ID: 503, "/" + p.ID + "/raw": 503} {
			b.call(t, "asha", http.MethodGet, "/v1/portfolios"+path, "").must(t, status)
		}
		if e := b.export(t, "asha"); len(e.Portfolios) != 1 || e.Portfolios[0].Readable {
			t.Errorf("got the export %+v", e)
		}
		b.call(t, "asha", http.MethodPost, "/v1/portfolios", payload, "Idempotency-Key", "k").must(t, 503)
		b.call(t, "asha", http.MethodPost, "/v1/portfolios", payload).must(t, 200)
		if raw := b.call(t, "asha", http.MethodGet, "/v1/portfolios/"+p.ID+"/raw", "").must(t, 200); raw.body != payload {
			t.Error("want the payload as saved again")
		}
	})
}

// awaited is a log that closes seen once a line contains word.
type awaited struct {
	logtest.Log
	word string
	once sync.Once
	seen chan struct{}
}

func (w *awaited) Write(p []byte) (int, error) {
	n, err := w.Log.Write(p)
	if bytes.Contains(p, []byte(w.word)) {
		w.once.Do(func() { close(w.seen) })
	}
	return n, err
}

// runUntil runs the program with a clock that is ahead, until its log contains word.
func runUntil(t *testing.T, settings config.Config, ahead time.Duration, word string) {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	log := &awaited{word: word, seen: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	a, err := app.New(ctx, settings, app.Options{LogTo: log, Now: func() time.Time { return time.Now().Add(ahead) }})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx, l) }()
	select {
	case <-log.seen:
	case <-time.After(time.Minute):
		t.Errorf("got the log %[2]s, want %[1]q in it", word, log.String())
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestExpiredDataIsDeletedAfterAStart(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, _ *sandbox.Sandbox) {
		settings.Retention = config.Retention{Portfolios: 72 * time.Hour, Grants: 24 * time.Hour}
		b := start(t, settings)
		payload := parse(t, settings.Upstream.URL, b.token(t, "asha").AccessToken, "cdsl", "right").must(t, 200).body
		b.call(t, "asha", http.MethodPost, "/v1/portfolios", payload).must(t, 201)
		if err := b.stop(); err != nil {
			t.Fatal(err)
		}
		const done = "deleted data past its retention"
		runUntil(t, settings, 49*time.Hour, done)
		b = start(t, settings)
		if e := b.export(t, "asha"); len(e.Grants) != 0 || len(e.Portfolios) != 1 {
			t.Errorf("after two days: got %+v", e)
		}
		if err := b.stop(); err != nil {
			t.Fatal(err)
		}
		runUntil(t, settings, 74*time.Hour, done)
		b = start(t, settings)
		e := b.export(t, "asha")
		expired := false
		for _, r := range e.Audit {
			expired = expired || r.Action == "portfolio.expire"
		}
		if len(e.Portfolios) != 0 || !expired {
			t.Errorf("after three days: got %+v", e)
		}
	})
}

// TestErasureEndsGatewayTokensOnAllReplicas uses two replicas on one database. With
// separate caches the second one still has the token in its own.
func TestErasureEndsGatewayTokensOnAllReplicas(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, vendor *sandbox.Sandbox) {
		settings.Token.Mode = config.ModeGateway
		settings.Access.Poll = 100 * time.Millisecond
		one, two := start(t, settings), start(t, settings)
		g, other := two.gatewayToken(t, "asha", ""), two.gatewayToken(t, "rohan", "")
		if again := two.gatewayToken(t, "asha", ""); again.AccessToken != g.AccessToken {
			t.Fatalf("got %s, want the cached token", again.GrantID)
		}
		use := func(b *broker, g gatewayToken) answer {
			return parse(t, b.URL+"/gateway", g.AccessToken, "cdsl", "ABCDE1234F")
		}
		use(two, g).must(t, 200)
		one.latest(t, "asha")
		one.call(t, "asha", http.MethodDelete, "/v1/me", "").must(t, 200)
		use(one, g).mustFail(t, 401, "")
		within(t, 2*time.Second, "the token ends", func() bool { return use(two, g).status == 401 })
		before := calls(vendor)
		next := two.gatewayToken(t, "asha", "")
		if next.AccessToken == g.AccessToken || next.GrantID == g.GrantID {
			t.Errorf("the token of the erased grant %s was handed out again", g.GrantID)
		}
		for _, b := range []*broker{one, two} {
			use(b, g).mustFail(t, 401, "")
		}
		if calls(vendor) != before {
			t.Error("the vendor was called with an erased token")
		}
		use(two, next).must(t, 200)
		use(two, other).must(t, 200)
	})
}

// TestTokenOfAnErasedGrantIsNeverGivenAgain uses two replicas with one cache. The other one
// has each token in its memory, too, and is asked right after the erasure.
func TestTokenOfAnErasedGrantIsNeverGivenAgain(t *testing.T) {
	t.Parallel()
	settings, _ := settingsFor(t, secret.URL(storetest.Postgres(t)), secret.URL(services.OwnRedis(t).URL))
	settings.Token.Mode = config.ModeGateway
	settings.Access.Poll, settings.Access.MaxStaleness = time.Minute, 2*time.Minute // no help from it
	settings.RateLimit = config.RateLimit{}
	one, two := start(t, settings), start(t, settings)
	for i := range 10 {
		user := fmt.Sprint("asha", i)
		g := two.gatewayToken(t, user, "")
		if again := one.gatewayToken(t, user, ""); again.GrantID != g.GrantID {
			t.Fatalf("got %s and %s, want one grant", g.GrantID, again.GrantID)
		}
		one.call(t, user, http.MethodDelete, "/v1/me", "").must(t, 200)
		if next := two.gatewayToken(t, user, ""); next.GrantID == g.GrantID {
			t.Errorf("%s: the token of the erased grant was given again", user)
		}
	}
}
