package app_test

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"casbroker/internal/config"
	"casbroker/internal/sandbox"
)

// hostedLink is a link in the broker's answers.
type hostedLink struct {
	ID          string    `json:"id"`
	URL         string    `json:"url"`
	State       string    `json:"state"`
	ReturnURL   string    `json:"return_url"`
	ExpiresAt   time.Time `json:"expires_at"`
	PortfolioID string    `json:"portfolio_id"`
	Already     bool      `json:"already"`
	Sessions    []struct {
		Steps []struct{ Step, Code string } `json:"steps"`
	} `json:"sessions"`
	Config json.RawMessage `json:"config"`
}

// withLinks has the settings offer hosted links.
func withLinks(c *config.Config) {
	c.Token.Mode, c.Auth.Verifiers[0].ActsFor = config.ModeGateway, []string{"app"}
	c.Link.Name, c.Link.ReturnURLs = "Example Invest", []string{"https://app.example/done", "myapp://import"}
}

const linksPath = "/v1/users/app:asha/links"

// asService makes a call as the app's back end.
func (b *broker) asService(t *testing.T, method, path, body string) answer {
	t.Helper()
	return b.as(t, bearerAs(t, "backend", "casbroker:service"), method, path, body)
}

// newLink makes a link for app:asha.
func (b *broker) newLink(t *testing.T, body string) (l hostedLink) {
	t.Helper()
	b.asService(t, http.MethodPost, linksPath, body).must(t, 201).decode(t, &l)
	return l
}

// linkNow returns a link as the app's back end sees it.
func (b *broker) linkNow(t *testing.T, l hostedLink) (now hostedLink) {
	t.Helper()
	b.asService(t, http.MethodGet, linksPath+"/"+l.ID, "").must(t, 200).decode(t, &now)
	return now
}

// token returns the token in the URL.
func (l hostedLink) token() string { return l.URL[strings.LastIndex(l.URL, "/")+1:] }

// linkSession is a browser in which a link was started.
type linkSession struct {
	*broker
	secret string
}

func newSessionSecret() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b)
	return "cbls_" + base64.RawURLEncoding.EncodeToString(b)
}

// startLink presses the button of a link in a new browser.
func (b *broker) startLink(t *testing.T, l hostedLink) linkSession {
	t.Helper()
	s := linkSession{b, newSessionSecret()}
	s.start(t, l).must(t, 200)
	return s
}

func (s linkSession) start(t *testing.T, l hostedLink) answer {
	t.Helper()
	return s.as(t, l.token(), http.MethodPost, "/connect/session", `{"session":"`+s.secret+`"}`)
}

func (s linkSession) gatewayToken(t *testing.T) (g gatewayToken) {
	t.Helper()
	s.as(t, s.secret, http.MethodPost, "/connect/session/token", "").must(t, 200).decode(t, &g)
	return g
}

func (s linkSession) save(t *testing.T, statement, key string) answer {
	t.Helper()
	return s.as(t, s.secret, http.MethodPost, "/connect/session/portfolios", statement, "Idempotency-Key", `"`+key+`"`)
}

func (b *broker) linkState(t *testing.T, l hostedLink) string {
	t.Helper()
	var now hostedLink
	b.as(t, l.token(), http.MethodGet, "/connect/session", "").must(t, 200).decode(t, &now)
	return now.State
}

// auditActions returns the actions of the audit trail about app:asha.
func (b *broker) auditActions(t *testing.T) (actions []string) {
	t.Helper()
	var e struct {
		Audit []struct{ Action string } `json:"audit"`
	}
	b.call(t, "asha", http.MethodGet, "/v1/me/export", "").must(t, 200).decode(t, &e)
	for _, r := range e.Audit {
		actions = append(actions, r.Action)
	}
	return actions
}

func TestStatementIsImportedWithAHostedLink(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, _ *sandbox.Sandbox) {
		withLinks(&settings)
		b := start(t, settings)
		l := b.newLink(t, `{"return_url":"https://app.example/done?from=mail","language":"hi","prefill":{"pan":"AAAPZ9999A"}}`)
		if left := time.Until(l.ExpiresAt); l.State != "new" || left < 23*time.Hour || left > 24*time.Hour {
			t.Errorf("got %+v, want a new link for a day", l)
		}
		for range 3 { // such as programs that preview links
			page := b.call(t, "", http.MethodGet, "/connect/"+l.token(), "").must(t, 200)
			for name, want := range map[string]string{
				"Referrer-Policy": "no-referrer", "Cache-Control": "no-store", "X-Robots-Tag": "noindex, nofollow, noarchive", "X-Content-Type-Options": "nosniff",
			} {
				if page.header.Get(name) != want {
					t.Errorf("got %s: %s, want %s", name, page.header.Get(name), want)
				}
			}
			if csp := page.header.Get("Content-Security-Policy"); !strings.Contains(csp, "frame-ancestors 'none'") || strings.Contains(csp, "script-src 'self' 'unsafe") {
				t.Errorf("got the policy %s", csp)
			}
			if !strings.Contains(page.body, "Example Invest") || strings.Contains(page.body, l.token()) || strings.Contains(page.body, "AAAPZ9999A") {
				t.Error("the page is not the same for every link")
			}
		}
		if got := b.linkState(t, l); got != "ready" || b.linkNow(t, l).State != "new" {
			t.Errorf("got %s, want the link ready and unused", got)
		}

		s := b.startLink(t, l)
		var again hostedLink
		s.start(t, l).must(t, 200).decode(t, &again)
		if again.ReturnURL != "https://app.example/done?from=mail" || !strings.Contains(string(again.Config), "AAAPZ9999A") {
			t.Errorf("got %+v, want what the app gave for the page", again)
		}
		g := s.gatewayToken(t)
		statement := parse(t, g.BaseURL, g.AccessToken, "cdsl", "ABCDE1234F").must(t, 200).body
		s.as(t, s.secret, http.MethodPost, "/connect/session/steps", `{"steps":[{"step":"widget_opened"},{"step":"AAAPZ9999A"},{"step":"error","code":"asha verma"}]}`).must(t, 204)
		saved := s.save(t, `{"data":`+statement+`}`, "one")
		if saved.status != 200 && saved.status != 201 {
			t.Fatalf("got %d %s", saved.status, saved.body)
		}
		var p observed
		saved.decode(t, &p)
		s.save(t, `{"data":`+statement+`}`, "one").must(t, saved.status)
		s.save(t, small(3), "two").mustRefuse(t, 403, "link_completed")
		s.as(t, s.secret, http.MethodPost, "/connect/session/token", "").mustRefuse(t, 403, "link_completed")
		parse(t, g.BaseURL, g.AccessToken, "cdsl", "ABCDE1234F").must(t, 401)
		now := b.linkNow(t, l)
		if p.Provenance != "verified" || now.State != "completed" || now.PortfolioID != p.ID || b.linkState(t, l) != "completed" {
			t.Errorf("got %+v and %+v, want the link completed with a verified portfolio", now, p)
		}
		if len(now.Sessions) != 1 || fmt.Sprint(now.Sessions[0].Steps) != "[{started } {widget_opened } {other } {error other}]" {
			t.Errorf("got the sessions %+v, want one with its steps and nothing personal", now.Sessions)
		}
		got := b.eventsUntil(t, 3)
		i := slices.Index(got.types(), "link.completed app:asha")
		if i < 0 {
			got = b.eventsUntil(t, 4)
			i = slices.Index(got.types(), "link.completed app:asha")
		}
		if i < 0 || got.Events[i].Data.PortfolioID != p.ID {
			t.Errorf("got %v, want link.completed with the portfolio", got)
		}
		actions := strings.Join(b.auditActions(t), " ")
		if !strings.Contains(actions, "link.create") || strings.Count(actions, "link.use") != 1 {
			t.Errorf("got the audit records %s", actions)
		}
		if log := b.log.String(); strings.Contains(log, l.token()) || strings.Contains(log, s.secret) || !strings.Contains(log, `/connect/:token`) {
			t.Error("the log has a secret, or not the pattern of the route")
		}
	})
}

func TestLinkForUseOnceWorksInOneBrowser(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, _ *sandbox.Sandbox) {
		withLinks(&settings)
		b := start(t, settings)
		l := b.newLink(t, `{"use":"once"}`)
		sessions := make([]linkSession, 4)
		statuses := make([]int, len(sessions))
		var phones sync.WaitGroup
		for i := range sessions {
			sessions[i] = linkSession{b, newSessionSecret()}
			phones.Go(func() { statuses[i] = sessions[i].start(t, l).status })
		}
		phones.Wait()
		first := slices.Index(statuses, 200)
		if first < 0 || strings.Count(fmt.Sprint(statuses), "403") != len(sessions)-1 {
			t.Fatalf("got %v, want one phone to open the link", statuses)
		}
		sessions[(first+1)%len(sessions)].start(t, l).mustRefuse(t, 403, "link_used")
		sessions[first].start(t, l).must(t, 200)
		if now := b.linkNow(t, l); b.linkState(t, l) != "used" || time.Until(now.ExpiresAt) > time.Hour {
			t.Errorf("got %+v, want it in use for an hour", now)
		}
		sessions[first].save(t, small(1), "k").must(t, 201)
	})
}

func TestLinkUntilSavedWorksOnTwoPhonesUntilOneHasSaved(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, _ *sandbox.Sandbox) {
		withLinks(&settings)
		b := start(t, settings)
		l := b.newLink(t, "")
		one, two := b.startLink(t, l), b.startLink(t, l)
		g := two.gatewayToken(t)
		one.save(t, small(1), "k").must(t, 201)
		one.save(t, small(1), "k").must(t, 201)
		two.save(t, small(2), "k").mustRefuse(t, 403, "link_completed")
		parse(t, g.BaseURL, g.AccessToken, "cdsl", "ABCDE1234F").must(t, 401)
		two.start(t, l).mustRefuse(t, 403, "link_completed")
		if n := len(b.linkNow(t, l).Sessions); n != 2 {
			t.Errorf("got %d sessions, want 2", n)
		}
	})
}

func TestRevokedLinkStopsAtOnce(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, _ *sandbox.Sandbox) {
		withLinks(&settings)
		b := start(t, settings)
		for what, end := range map[string]func(l hostedLink){
			"revoked": func(l hostedLink) {
				var now hostedLink
				b.asService(t, http.MethodDelete, linksPath+"/"+l.ID, "").must(t, 200).decode(t, &now)
				if now.State != "revoked" || now.Already {
					t.Errorf("got %+v, want it revoked", now)
				}
				b.asService(t, http.MethodDelete, linksPath+"/"+l.ID, "").must(t, 200).decode(t, &now)
				if !now.Already {
					t.Errorf("got %+v, want it revoked before", now)
				}
			},
			"signed out": func(hostedLink) { b.call(t, "asha", http.MethodPost, "/v1/token/revoke", "").must(t, 200) },
		} {
			l := b.newLink(t, "")
			s := b.startLink(t, l)
			g := s.gatewayToken(t)
			end(l)
			parse(t, g.BaseURL, g.AccessToken, "cdsl", "ABCDE1234F").must(t, 401)
			s.save(t, small(1), "k").mustRefuse(t, 403, "link_revoked")
			s.as(t, s.secret, http.MethodPost, "/connect/session/token", "").mustRefuse(t, 403, "link_revoked")
			s.start(t, l).mustRefuse(t, 403, "link_revoked")
			if got := b.linkState(t, l); got != "revoked" || b.linkNow(t, l).State != "revoked" {
				t.Errorf("%s: got %s, want it revoked", what, got)
			}
		}
		b.asService(t, http.MethodDelete, strings.ReplaceAll(linksPath, "asha", "rohan")+"/"+b.newLink(t, "").ID, "").mustRefuse(t, 404, "link_not_found")
	})
}

func TestBlockAndErasureEndLinks(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, _ *sandbox.Sandbox) {
		withLinks(&settings)
		b := start(t, settings)
		l := b.newLink(t, `{"prefill":{"email":"asha@example.com"}}`)
		s := b.startLink(t, l)
		if export := b.call(t, "asha", http.MethodGet, "/v1/me/export", "").must(t, 200).body; !strings.Contains(export, l.ID) || !strings.Contains(export, "asha@example.com") || strings.Contains(export, l.token()) {
			t.Errorf("got the export %s, want the link in it without its token", export)
		}
		operator := bearerAs(t, "olga", "casbroker:admin")
		b.as(t, operator, http.MethodPost, "/admin/v1/users/app:asha/block", `{"reason":"x"}`).must(t, 200)
		s.as(t, s.secret, http.MethodPost, "/connect/session/token", "").mustRefuse(t, 403, "subject_blocked")
		s.save(t, small(1), "k").mustRefuse(t, 403, "subject_blocked")
		if got := b.linkState(t, l); got != "blocked" {
			t.Errorf("got %s, want blocked", got)
		}
		b.asService(t, http.MethodPost, linksPath, "").mustRefuse(t, 403, "subject_blocked")
		b.as(t, operator, http.MethodPost, "/admin/v1/users/app:asha/unblock", "").must(t, 200)
		if got := b.linkState(t, l); got != "revoked" {
			t.Errorf("got %s after the block, want revoked", got)
		}
		b.call(t, "asha", http.MethodDelete, "/v1/me", "").must(t, 200)
		b.as(t, l.token(), http.MethodGet, "/connect/session", "").mustRefuse(t, 401, "link_unknown")
		s.save(t, small(1), "k").mustRefuse(t, 401, "link_unknown")
	})
}

func TestRequestsForLinksAreChecked(t *testing.T) {
	t.Parallel()
	settings, _ := gatewaySettings(t)
	withLinks(&settings)
	b := start(t, settings)
	for body, pointer := range map[string]string{
		`{"expires_in":599}`: "/expires_in", `{"expires_in":604801}`: "/expires_in", `{"use":"twice"}`: "/use", `{"language":"fr"}`: "/language",
		`{"return_url":"https://app.example/donely"}`: "/return_url", `{"return_url":"https://app.example.evil/done"}`: "/return_url",
		`{"return_url":"https://app.example/done/../x"}`: "/return_url", `{"return_url":"https://app.example/done/%2e%2e/x"}`: "/return_url",
		`{"return_url":"https://app.example/done/..;/x"}`: "/return_url", `{"return_url":"https://app.example/done/%c0%ae%c0%ae/x"}`: "/return_url",
		`{"return_url":"https://app.example/done/%5c..%5cx"}`: "/return_url", `{"return_url":"https://app.example/done/."}`: "/return_url",
		`{"return_url":"https://u@app.example/done"}`: "/return_url", `{"return_url":"javascript:alert(1)"}`: "/return_url", `{"return_url":"//app.example/done"}`: "/return_url",
		`{"return_url":"http://app.example/done"}`: "/return_url", `{"return_url":""}`: "/return_url", `{"return_url":"https://app.example\\@evil/done"}`: "/return_url",
		`{"config":{"enableInbox":true}}`: "/config/enableInbox", `{"config":{"prefill":{"pan":"x"}}}`: "/config/prefill", `{"prefill":{"pan":"a\u0000b"}}`: "/prefill/pan",
	} {
		a := b.asService(t, http.MethodPost, linksPath, body).mustRefuse(t, 422, "invalid_link")
		if !strings.Contains(a.body, `"`+pointer+`"`) {
			t.Errorf("%s: got %s, want %s named", body, a.body, pointer)
		}
	}
	for _, body := range []string{`{"ttl":1}`, `{"expires_in":"x"}`, `[]`, `{"config":{"theme":{}}}`} {
		b.asService(t, http.MethodPost, linksPath, body).must(t, 400)
	}
	for _, url := range []string{"https://app.example/done", "https://app.example/done/", "https://app.example/done/x?y=z", "myapp://import", "myapp://import/now"} {
		if l := b.newLink(t, `{"return_url":"`+url+`"}`); l.ReturnURL != url {
			t.Errorf("got %s, want %s", l.ReturnURL, url)
		}
	}
	b.call(t, "asha", http.MethodPost, linksPath, "").must(t, 403)
	b.as(t, bearerAs(t, "backend", "portfolios:read"), http.MethodPost, linksPath, "").must(t, 403)
	b.asService(t, http.MethodGet, linksPath+"?state=new", "").mustRefuse(t, 400, "invalid_query")
	var page struct {
		Links []hostedLink
		Next  string `json:"next_cursor"`
	}
	b.asService(t, http.MethodGet, linksPath+"?limit=3", "").must(t, 200).decode(t, &page)
	first := page.Links
	b.asService(t, http.MethodGet, linksPath+"?limit=3&cursor="+page.Next, "").must(t, 200).decode(t, &page)
	if len(first) != 3 || len(page.Links) != 2 || first[2].ID <= page.Links[0].ID {
		t.Errorf("got %v and then %v, want five links, the newest first", first, page.Links)
	}
}

func TestTokensOfLinksCannotBeGuessed(t *testing.T) {
	t.Parallel()
	settings, _ := gatewaySettings(t)
	withLinks(&settings)
	settings.RateLimit.Failures = "3-M"
	b := start(t, settings)
	l := b.newLink(t, "")
	guess := "cbl_" + strings.Repeat("A", 43)
	for range 3 {
		b.as(t, guess, http.MethodGet, "/connect/session", "").mustRefuse(t, 401, "link_unknown")
	}
	b.as(t, guess, http.MethodPost, "/connect/session", `{"session":"`+newSessionSecret()+`"}`).mustRefuse(t, 429, "rate_limited")
	b.as(t, newSessionSecret(), http.MethodPost, "/connect/session/token", "").mustRefuse(t, 429, "rate_limited")
	if got := b.linkState(t, l); got != "ready" {
		t.Errorf("got %s from the same address, want ready", got)
	}
	b.call(t, "", http.MethodGet, "/connect/x", "").must(t, 404)
	b.as(t, l.token(), http.MethodPost, "/connect/session", `{"session":"short"}`).mustRefuse(t, 422, "invalid_session")
	b.as(t, l.token(), http.MethodPost, "/connect/session/token", "").must(t, 429) // it is not the secret of a session
}

func TestServiceWithoutLinksSaysSo(t *testing.T) {
	t.Parallel()
	settings, _ := gatewaySettings(t)
	settings.Auth.Verifiers[0].ActsFor = []string{"app"}
	b := start(t, settings)
	b.asService(t, http.MethodPost, linksPath, "").mustRefuse(t, 403, "links_unavailable")
	b.call(t, "", http.MethodGet, "/connect/cbl_x", "").must(t, 404)
}

func TestOperatorSeesAndRevokesLinks(t *testing.T) {
	t.Parallel()
	settings, _ := gatewaySettings(t)
	withLinks(&settings)
	key := withOperator(t, &settings, "meera")
	b := start(t, settings)
	one, two := b.newLink(t, `{"return_url":"https://app.example/done?for=asha"}`), b.newLink(t, "")
	s := b.startLink(t, one)
	session := b.signIn(t, key)
	var user struct{ Links []hostedLink }
	a := b.call(t, "", http.MethodGet, "/admin/v1/users/app:asha", "", session...).must(t, 200)
	a.decode(t, &user)
	if len(user.Links) != 2 || user.Links[1].ID != one.ID || user.Links[1].State != "opened" || strings.Contains(a.body, "for=asha") {
		t.Errorf("got %s, want both links without what the app gave", a.body)
	}
	b.call(t, "", http.MethodPost, "/admin/v1/links/"+one.ID+"/revoke", "", append(session, "Origin", b.URL)...).must(t, 200)
	s.save(t, small(1), "k").mustRefuse(t, 403, "link_revoked")
	b.call(t, "", http.MethodPost, "/admin/v1/links/ln_x/revoke", "", append(session, "Origin", b.URL)...).mustRefuse(t, 404, "link_not_found")

	// The pages are not in openapi.yaml.
	b.http = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	page := b.call(t, "", http.MethodGet, "/console/users/app:asha", "", session...).must(t, 200).body
	if strings.Count(page, `data-testid="link"`) != 2 || strings.Count(page, "Revoke…") != 1 || !strings.Contains(page, "/console/links/"+two.ID+"/revoke") {
		t.Errorf("got %s, want both links, one of them to revoke", page)
	}
	confirm := b.call(t, "", http.MethodGet, "/console/links/"+two.ID+"/revoke", "", session...).must(t, 200).body
	if !strings.Contains(confirm, "Revoke this hosted link?") {
		t.Errorf("got %s", confirm)
	}
	b.call(t, "", http.MethodPost, "/console/links/"+two.ID+"/revoke", "a=b", append(session, "Origin", b.URL, "Content-Type", "application/x-www-form-urlencoded")...).must(t, 303)
	if got := b.linkNow(t, two).State; got != "revoked" {
		t.Errorf("got %s, want it revoked", got)
	}
}
