package app_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"casbroker/internal/admin/session"
	"casbroker/internal/app"
	"casbroker/internal/config"
	"casbroker/internal/sandbox"
	"casbroker/internal/secret"
	"casbroker/internal/testkit/services"
	"casbroker/internal/testkit/storetest"
)

// withOperator adds an admin key called name to the settings, and returns it.
func withOperator(t testing.TB, c *config.Config, name string) (key string) {
	t.Helper()
	made, hash, err := session.NewKey(name)
	if err != nil {
		t.Fatal(err)
	}
	c.Admin.Keys = append(c.Admin.Keys, config.AdminKey{Name: name, Hash: secret.Text(hash)})
	return made.Reveal()
}

// signIn exchanges an admin key for a session and returns the headers that carry it.
func (b *broker) signIn(t *testing.T, key string) []string {
	t.Helper()
	a := b.call(t, "", http.MethodPost, "/admin/v1/session", `{"key":"`+key+`"}`).must(t, http.StatusCreated)
	cookie, _, _ := strings.Cut(a.header.Get("Set-Cookie"), ";")
	return []string{"Cookie", cookie}
}

// bearerAs returns a JWT of the app for who, with roles.
func bearerAs(t *testing.T, who, roles string) string {
	t.Helper()
	now := time.Now()
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"iss": "https://app.example", "aud": "casbroker", "sub": who, "scope": roles,
		"iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	}).SignedString([]byte(jwtSecret))
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestStartLogsAdminKeysWithAnOldHash(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, _ *sandbox.Sandbox) {
		withOperator(t, &settings, "meera")
		settings.Admin.Keys = append(settings.Admin.Keys, config.AdminKey{
			Name: "rohan", Hash: "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$dGFndGFndGFndGFndGFndGFndGFndGFndGFndGFndGE",
		})
		log := start(t, settings).log.String()
		if !strings.Contains(log, "argon2id") || !strings.Contains(log, "rohan") || strings.Contains(log, "meera") || strings.Contains(log, "dGFnd") {
			t.Errorf("got the log %s, want a warning about rohan only", log)
		}
	})
}

func TestOperatorBlocksAUserAndIsRecorded(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, _ *sandbox.Sandbox) {
		key := withOperator(t, &settings, "meera")
		b := start(t, settings)
		before := b.token(t, "asha")
		as := b.signIn(t, key)

		a := b.call(t, "", http.MethodPost, "/admin/v1/users/app:asha/block", `{"reason":"stolen phone"}`, as...).must(t, 200)
		if !strings.Contains(a.body, `"upstream_valid_until"`) || !strings.Contains(a.body, `"upstream_note"`) {
			t.Errorf("got %s, want a note that the token still works at the vendor", a.body)
		}
		if !b.blocked(t, "asha") || b.blocked(t, "rohan") {
			t.Error("want asha blocked and rohan not")
		}
		b.call(t, "", http.MethodPost, "/admin/v1/users/app:asha/unblock", "", as...).must(t, 200)
		if after := b.token(t, "asha"); after.AccessToken == before.AccessToken {
			t.Error("the token from before the block was reused")
		}
		var user struct {
			Grants []struct{ ID, State string }
		}
		b.call(t, "", http.MethodGet, "/admin/v1/users/app:asha", "", as...).must(t, 200).decode(t, &user)
		if len(user.Grants) != 2 || user.Grants[0].State != "active" || user.Grants[1].State != "revoked" || user.Grants[1].ID != before.GrantID {
			t.Errorf("got %+v", user.Grants)
		}

		var trail struct {
			Records []struct{ Action, Actor, Role, Outcome, Object string }
		}
		b.call(t, "", http.MethodGet, "/admin/v1/audit?subject=app%3Aasha&actor=admin%2Fmeera", "", as...).must(t, 200).decode(t, &trail)
		var actions []string
		for _, r := range trail.Records {
			if r.Role != "admin" || r.Outcome != "ok" {
				t.Errorf("got %+v", r)
			}
			actions = append(actions, r.Action)
		}
		if got := strings.Join(actions, " "); got != "admin.read access.unblock access.block" {
			t.Errorf("got %s", got)
		}
	})
}

func TestSessionIsValidOnAllReplicasAndEndsOnAll(t *testing.T) {
	t.Parallel()
	settings, _ := settingsFor(t, secret.URL(storetest.Postgres(t)), secret.URL(services.OwnRedis(t).URL))
	key := withOperator(t, &settings, "meera")
	one, other := start(t, settings), start(t, settings)
	as := one.signIn(t, key)
	// Behind a proxy both have the same host, and so the same name of the cookie.
	there := []string{as[0], strings.Replace(as[1], portOf(t, one.URL), portOf(t, other.URL), 1)}
	other.call(t, "", http.MethodGet, "/admin/v1/overview", "", there...).must(t, 200)
	other.call(t, "", http.MethodDelete, "/admin/v1/session", "", there...).must(t, 204)
	if a := one.call(t, "", http.MethodGet, "/admin/v1/overview", "", as...).must(t, 401); !strings.Contains(a.body, "session_ended") {
		t.Errorf("got %s", a.body)
	}
}

func TestNonAdminIsRefusedAndRecorded(t *testing.T) {
	t.Parallel()
	settings, _ := settingsFor(t, secret.URL(storetest.SQLite(t)), "memory")
	settings.RateLimit.Admin = config.Limits{}
	key := withOperator(t, &settings, "meera")
	b := start(t, settings)
	for _, path := range []string{"/admin/v1/users", "/admin/v1/audit", "/admin/v1/settings", "/admin/v1/grants", "/admin/v1/stats"} {
		b.call(t, "rohan", http.MethodGet, path, "").must(t, 403)
	}
	b.call(t, "", http.MethodGet, "/admin/v1/users", "").must(t, 401)
	for _, path := range []string{"/admin/v1/users/app:asha/block", "/admin/v1/revoke-all", "/oauth/introspect"} {
		b.call(t, "rohan", http.MethodPost, path, "{}").must(t, 403)
	}
	as := b.signIn(t, key)
	within(t, stepTimeout, "the refusals are recorded", func() bool {
		a := b.call(t, "", http.MethodGet, "/admin/v1/audit?actor=app%3Arohan&action=access.refuse&outcome=refused&limit=100", "", as...).must(t, 200)
		return strings.Count(a.body, `"detail":"forbidden"`) == 8 && strings.Contains(a.body, `"POST /admin/v1/users/:subject/block"`)
	})
	admin := b.call(t, "", http.MethodGet, "/admin/v1/settings", "", "Authorization", "Bearer "+bearerAs(t, "boss", "casbroker:admin")).must(t, 200)
	for _, hidden := range []string{apiKey, jwtSecret, hashKey, sealKey, "sha256:"} {
		if strings.Contains(admin.body, hidden) {
			t.Errorf("the settings show %s", hidden)
		}
	}
}

func TestUnusualSubjectsWorkInEveryOperatorCall(t *testing.T) {
	t.Parallel()
	settings, _ := settingsFor(t, secret.URL(storetest.SQLite(t)), "memory")
	key := withOperator(t, &settings, "meera")
	settings.RateLimit.Admin = config.Limits{}
	b := start(t, settings)
	as := b.signIn(t, key)
	for _, sub := range []string{
		"a/b/../c", "two words", "100%25 sure+", "📈🇮🇳", "../..", "?q=1#x", `back\slash"quote`, "a;b,c=d&e", strings.Repeat("é", 128), strings.Repeat("/", 256),
	} {
		path := "/admin/v1/users/" + url.PathEscape("app:"+sub)
		grant := b.token(t, sub).GrantID
		var page struct {
			Grants []struct{ ID, Subject string }
			Users  []struct{ Subject string }
		}
		b.call(t, "", http.MethodGet, "/admin/v1/grants?subject="+url.QueryEscape("app:"+sub), "", as...).must(t, 200).decode(t, &page)
		if len(page.Grants) != 1 || page.Grants[0].ID != grant || page.Grants[0].Subject != "app:"+sub {
			t.Errorf("%q: got %+v", sub, page.Grants)
		}
		b.call(t, "", http.MethodGet, "/admin/v1/users?limit=1&prefix="+url.QueryEscape("app:"+sub), "", as...).must(t, 200).decode(t, &page)
		if len(page.Users) != 1 || page.Users[0].Subject != "app:"+sub {
			t.Errorf("%q: got %+v", sub, page.Users)
		}
		b.call(t, "", http.MethodPost, path+"/revoke", "", as...).must(t, 200)
		b.call(t, "", http.MethodPost, path+"/block", `{}`, as...).must(t, 200)
		if !b.blocked(t, sub) {
			t.Errorf("%q is not blocked", sub)
		}
		b.call(t, "", http.MethodPost, path+"/unblock", "", as...).must(t, 200)
		a := b.call(t, "", http.MethodGet, path, "", as...).must(t, 200)
		if !strings.Contains(a.body, grant) || !strings.Contains(a.body, `"state":"revoked"`) {
			t.Errorf("%q: got %s", sub, a.body)
		}
	}
}

func TestServiceIntrospectsAndRevokesAToken(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, _ *sandbox.Sandbox) {
		settings.Auth.Verifiers[0].ActsFor = []string{"app"}
		b := start(t, settings)
		as := []string{"Authorization", "Bearer " + bearerAs(t, "backend", "casbroker:service"), "Content-Type", "application/x-www-form-urlencoded"}
		issued := b.token(t, "asha")
		introspect := func() string {
			return strings.TrimSpace(b.call(t, "", http.MethodPost, "/oauth/introspect", "token="+issued.AccessToken, as...).must(t, 200).body)
		}
		if got := introspect(); !strings.Contains(got, `"active":true`) || !strings.Contains(got, `"sub":"app:asha"`) || !strings.Contains(got, issued.GrantID) {
			t.Errorf("got %s", got)
		}
		for _, token := range []string{"at_unknown", issued.AccessToken, issued.AccessToken} {
			if a := b.call(t, "", http.MethodPost, "/oauth/revoke", "token_type_hint=access_token&token="+token, as...).must(t, 200); a.body != "" {
				t.Errorf("got %q", a.body)
			}
		}
		if got := introspect(); got != `{"active":false}` {
			t.Errorf("got %s", got)
		}
		if b.token(t, "asha").GrantID == issued.GrantID {
			t.Error("the revoked token was reused")
		}
		if a := b.call(t, "", http.MethodPost, "/oauth/introspect", "", as...).must(t, 400); !strings.Contains(a.body, `"error":"invalid_request"`) {
			t.Errorf("got %s", a.body)
		}
	})
}

func TestOtherSitesCannotUseOperatorRoutes(t *testing.T) {
	t.Parallel()
	settings, _ := settingsFor(t, secret.URL(storetest.SQLite(t)), "memory")
	settings.Server.AllowedOrigins, settings.Auth.Cookie = []string{"https://app.example"}, "session"
	key := withOperator(t, &settings, "meera")
	b := start(t, settings)
	as := b.signIn(t, key)
	for _, origin := range []string{"https://app.example", "https://evil.example"} {
		from := append([]string{"Origin", origin}, as...)
		a := b.call(t, "", http.MethodPost, "/admin/v1/users/app:asha/block", `{}`, from...).must(t, 403)
		read := b.call(t, "", http.MethodGet, "/admin/v1/users", "", from...)
		for _, h := range []http.Header{a.header, read.header} {
			if h.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s can read the answer, want no access", origin)
			}
		}
	}
	for site, status := range map[string]int{"same-origin": 200, "cross-site": 403, "same-site": 403, "": 403} {
		header := []string{"Cookie", "session=" + bearerAs(t, "meera", "casbroker:admin")}
		if site != "" {
			header = append(header, "Sec-Fetch-Site", site)
		}
		if got := b.call(t, "", http.MethodGet, "/admin/v1/users", "", header...); got.status != status {
			t.Errorf("an admin's JWT in a cookie, Sec-Fetch-Site %q: got %d %s, want %d", site, got.status, got.body, status)
		}
	}
	if a := b.call(t, "asha", http.MethodGet, "/v1/portfolios", "", "Origin", "https://app.example"); a.header.Get("Access-Control-Allow-Origin") == "" {
		t.Error("want the app's own page to read its users' answers")
	}
	if b.blocked(t, "asha") {
		t.Error("a page of another site blocked a user")
	}
}

func TestRevokeAllNeedsConfirmation(t *testing.T) {
	t.Parallel()
	settings, _ := settingsFor(t, secret.URL(storetest.SQLite(t)), "memory")
	key := withOperator(t, &settings, "meera")
	b := start(t, settings)
	as := b.signIn(t, key)
	before := []string{b.token(t, "asha").GrantID, b.token(t, "rohan").GrantID}
	for _, body := range []string{``, `{}`, `{"confirm":"yes"}`, `{"confirm":true}`} {
		if a := b.call(t, "", http.MethodPost, "/admin/v1/revoke-all", body, as...); a.status < 400 || a.status >= 500 {
			t.Errorf("%s: got %d", body, a.status)
		}
	}
	if b.token(t, "asha").GrantID != before[0] {
		t.Fatal("tokens were revoked without confirmation")
	}
	for _, already := range []string{"false", "true"} {
		a := b.call(t, "", http.MethodPost, "/admin/v1/revoke-all", `{"confirm":"revoke everything"}`, as...).must(t, 200)
		if !strings.Contains(a.body, `"already":`+already) {
			t.Errorf("want already %s: %s", already, a.body)
		}
	}
	if b.token(t, "asha").GrantID == before[0] || b.token(t, "rohan").GrantID == before[1] {
		t.Error("a revoked token was reused")
	}
}

func TestSignInAttemptsAreLimitedByAddress(t *testing.T) {
	t.Parallel()
	settings, _ := settingsFor(t, secret.URL(storetest.SQLite(t)), "memory")
	key := withOperator(t, &settings, "meera")
	settings.RateLimit.SignIn.Address = "3-H"
	b := start(t, settings)
	for range 5 { // the right key is not limited
		b.signIn(t, key)
	}
	wrong := "cbk_meera_" + strings.Repeat("A", 43)
	codes := make(chan int, 40) // sent at once, so that none is counted before the others are compared
	for range cap(codes) {
		go func() {
			codes <- b.call(t, "", http.MethodPost, "/admin/v1/session", `{"key":"`+wrong+`"}`).status
		}()
	}
	counts := map[int]int{}
	for range cap(codes) {
		counts[<-codes]++
	}
	if counts[401] != 3 || counts[429] != 37 {
		t.Errorf("got %v, want 3 answers 401 and 37 answers 429", counts)
	}
	page := func(key string) answer { // not part of openapi.yaml
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.URL+"/console/sign-in", strings.NewReader("key="+key))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		direct := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		return send(t, direct, req)
	}
	if page(wrong).must(t, 429).header.Get("Retry-After") == "" {
		t.Error("want Retry-After")
	}
	page(key).must(t, 303) // others' guesses do not delay it
	b.signIn(t, key)
	if got := b.call(t, "", http.MethodGet, "/admin/v1/audit?action=admin.sign_in&outcome=refused", "", b.signIn(t, key)...).must(t, 200); strings.Count(got.body, "wrong_key") != 3 {
		t.Errorf("got %s, want 3 records of wrong keys", got.body)
	}
	if strings.Contains(b.log.String(), key) || strings.Contains(b.log.String(), "AAAAAAAAAA") {
		t.Error("the log shows a key")
	}
}

func TestRevokeAllOnOneReplicaHoldsOnOthersAndIsRecorded(t *testing.T) {
	t.Parallel()
	settings, _ := settingsFor(t, secret.URL(storetest.Postgres(t)), secret.URL(services.OwnRedis(t).URL))
	key := withOperator(t, &settings, "meera")
	one, other := start(t, settings), start(t, settings)
	asha, rohan := other.token(t, "asha"), other.token(t, "rohan")
	as := one.signIn(t, key)
	one.call(t, "", http.MethodPost, "/admin/v1/users/app:asha/revoke", "", as...).must(t, 200)
	within(t, time.Second, "asha gets a new token", func() bool { return other.token(t, "asha").GrantID != asha.GrantID })
	one.call(t, "", http.MethodPost, "/admin/v1/revoke-all", `{"confirm":"revoke everything"}`, as...).must(t, 200)
	within(t, time.Second, "rohan gets a new token", func() bool { return other.token(t, "rohan").GrantID != rohan.GrantID })
	a := one.call(t, "", http.MethodGet, "/admin/v1/audit?actor=admin%2Fmeera", "", as...).must(t, 200)
	for _, action := range []string{`"access.revoke"`, `"access.revoke_all"`, `"admin.sign_in"`} {
		if strings.Count(a.body, action) != 1 {
			t.Errorf("%s: got %s, want exactly one record", action, a.body)
		}
	}
}

func TestUsageIsCounted(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, _ *sandbox.Sandbox) {
		key := withOperator(t, &settings, "meera")
		settings.RateLimit.Admin = config.Limits{}
		b := start(t, settings)
		minted := b.token(t, "asha").AccessToken
		b.token(t, "asha")
		b.call(t, "", http.MethodPost, "/v1/token", "").must(t, 401)
		statement := parse(t, settings.Upstream.URL, minted, "cams", "any").must(t, 200).body
		for range 3 { // a repeated save is counted too
			b.call(t, "asha", http.MethodPost, "/v1/portfolios", statement, "Idempotency-Key", `"k"`)
		}
		as := b.signIn(t, key)
		b.call(t, "", http.MethodPost, "/admin/v1/session", `{"key":"cbk_meera_`+strings.Repeat("A", 43)+`"}`).must(t, 401)
		want := []string{`"minted":1`, `"reused":1`, `"created":1`, `"repeated":2`, `"unauthenticated":1`, `"wrong_key":1`, `"calls":1`}
		within(t, stepTimeout, "all is counted", func() bool {
			_, total, _ := strings.Cut(b.call(t, "", http.MethodGet, "/admin/v1/stats?step=hour", "", as...).must(t, 200).body, `"total":`)
			for _, w := range want {
				if !strings.Contains(total, w) {
					return false
				}
			}
			return true
		})
	})
}

func TestStartRecordShowsAChangedSecret(t *testing.T) {
	t.Parallel()
	settings, _ := settingsFor(t, secret.URL(storetest.SQLite(t)), "memory")
	key := withOperator(t, &settings, "meera")
	starts := func() []string {
		b := start(t, settings)
		var trail struct{ Records []struct{ Object string } }
		as := b.signIn(t, key)
		b.call(t, "", http.MethodGet, "/admin/v1/audit?action=broker.start", "", as...).must(t, 200).decode(t, &trail)
		if err := b.stop(); err != nil {
			t.Fatal(err)
		}
		var objects []string
		for _, r := range trail.Records {
			objects = append(objects, r.Object)
		}
		return objects
	}
	starts()
	starts()
	settings.Upstream.Keys[0].APIKey = "another-key-7f3a91c2d4e5"
	starts()
	all := starts()
	// The newest counts may not be written yet.
	if n := len(all); n < 3 || all[n-1] != all[n-2] || all[n-3] == all[n-1] {
		t.Errorf("got %v", all)
	}
}

func TestReasonsOfBlocksAreEncryptedAlsoThoseOfBefore(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, _ *sandbox.Sandbox) {
		key := withOperator(t, &settings, "meera")
		b := start(t, settings)
		as := b.signIn(t, key)
		b.call(t, "", http.MethodPost, "/admin/v1/users/app:asha/block", `{"reason":"stolen phone"}`, as...).must(t, 200)
		db := storetest.SQL(t, settings.Store.URL.Reveal())
		inClear := func() (n int) {
			t.Helper()
			query := `SELECT (SELECT COUNT(*) FROM blocks WHERE reason LIKE '%phone%') + (SELECT COUNT(*) FROM access_changes WHERE reason LIKE '%phone%')`
			if err := db.QueryRowContext(t.Context(), query).Scan(&n); err != nil {
				t.Fatal(err)
			}
			return n
		}
		if n := inClear(); n != 0 {
			t.Errorf("got %d reasons in clear, want none", n)
		}
		if err := b.stop(); err != nil {
			t.Fatal(err)
		}
		if _, err := db.ExecContext(t.Context(), `UPDATE blocks SET reason = 'lost phone', sealed_reason = NULL`); err != nil { // as an earlier release stores it
			t.Fatal(err)
		}
		b = start(t, settings)
		within(t, 10*time.Second, "the reason is encrypted", func() bool { return inClear() == 0 })
		user := b.call(t, "", http.MethodGet, "/admin/v1/users/app:asha", "", b.signIn(t, key)...).must(t, 200)
		if !strings.Contains(user.body, `"reason":"lost phone"`) || !strings.Contains(user.body, `"reason":"stolen phone"`) {
			t.Errorf("got %s, want the reasons of the block and of its change", user.body)
		}
		if err := b.stop(); err != nil {
			t.Fatal(err)
		}
		for _, e := range trailOf(t, settings) { // verifies the chains
			if strings.Contains(fmt.Sprint(e), "phone") {
				t.Errorf("got the record %+v, want it without the reason", e)
			}
		}
	})
}

// TestSessionThatWasWrittenByHandIsNone: whoever can write to the database must not become an
// operator by it.
func TestSessionThatWasWrittenByHandIsNone(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, _ *sandbox.Sandbox) {
		ashasKey, rohansKey := withOperator(t, &settings, "asha"), withOperator(t, &settings, "rohan")
		b := start(t, settings)
		db := storetest.SQL(t, settings.Store.URL.Reveal())
		exec := func(query string) {
			t.Helper()
			if res, err := db.ExecContext(t.Context(), query); err != nil {
				t.Fatal(err)
			} else if n, err := res.RowsAffected(); err != nil || n == 0 {
				t.Fatalf("%s changed %d rows, %v", query, n, err)
			}
		}
		for name, change := range map[string]string{
			"of another operator": `UPDATE sessions SET admin = 'rohan', key_mark = (SELECT key_mark FROM sessions WHERE admin = 'rohan' LIMIT 1) WHERE admin = 'asha'`,
			"prolonged":           `UPDATE sessions SET seen_ms = seen_ms + 1800000 WHERE admin = 'asha'`,
			"renewed":             `UPDATE sessions SET started_ms = started_ms + 1 WHERE admin = 'asha'`,
			"without a MAC":       `UPDATE sessions SET mac = NULL WHERE admin = 'asha'`,
			"with another MAC":    `UPDATE sessions SET mac = (SELECT mac FROM sessions WHERE admin = 'rohan' LIMIT 1) WHERE admin = 'asha'`,
			"put in another's place": `UPDATE sessions SET admin = 'rohan', key_mark = r.key_mark, started_ms = r.started_ms, seen_ms = r.seen_ms, mac = r.mac
				FROM (SELECT * FROM sessions WHERE admin = 'rohan' LIMIT 1) r WHERE sessions.admin = 'asha'`,
		} {
			b.signIn(t, rohansKey)
			as := b.signIn(t, ashasKey)
			b.call(t, "", http.MethodGet, "/admin/v1/session", "", as...).must(t, 200)
			exec(change)
			if got := b.call(t, "", http.MethodGet, "/admin/v1/session", "", as...); got.status != 401 || !strings.Contains(got.body, "session_ended") {
				t.Errorf("a session %s: got %d %s, want 401 session_ended", name, got.status, got.body)
			}
			exec(`DELETE FROM sessions`)
		}
	})
}

func TestUserCookieMustDifferFromTheOperatorCookie(t *testing.T) {
	t.Parallel()
	settings, _ := settingsFor(t, secret.URL(storetest.SQLite(t)), "memory")
	for name, ok := range map[string]bool{
		"casbroker_session": false, "__Host-casbroker_session": false, "casbroker_session_8080": false, "casbroker_sessions": true, "casbroker_session_x": true,
	} {
		settings.Auth.Cookie = name
		if err := app.Check(settings); ok != (err == nil) || !ok && !strings.HasPrefix(err.Error(), "auth.cookie: ") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
