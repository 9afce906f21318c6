package app_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"casbroker/internal/config"
	"casbroker/internal/sandbox"
	"casbroker/internal/secret"
	"casbroker/internal/testkit/storetest"
)

// eventPage is the answer of GET /v1/events.
type eventPage struct {
	Events []struct {
		ID   string `json:"id"`
		Type string `json:"type"`
		Data struct {
			Subject     string `json:"subject"`
			PortfolioID string `json:"portfolio_id"`
			Reason      string `json:"reason"`
		} `json:"data"`
	} `json:"events"`
	NextAfter string `json:"next_after"`
}

// types returns the types of the events, each with its subject.
func (p eventPage) types() (list []string) {
	for _, e := range p.Events {
		list = append(list, e.Type+" "+e.Data.Subject)
	}
	return list
}

// events reads events as the app's back end.
func (b *broker) events(t *testing.T, query string) answer {
	t.Helper()
	return b.call(t, "", http.MethodGet, "/v1/events"+query, "", "Authorization", "Bearer "+bearerAs(t, "backend", "casbroker:service"))
}

// eventsUntil reads events until there are n.
func (b *broker) eventsUntil(t *testing.T, n int) (all eventPage) {
	t.Helper()
	for len(all.Events) < n {
		var p eventPage
		b.events(t, "?wait=10&after="+all.NextAfter).must(t, 200).decode(t, &p)
		if len(p.Events) == 0 {
			t.Fatalf("got %v and no more, want %d events", all.types(), n)
		}
		all.Events, all.NextAfter = append(all.Events, p.Events...), p.NextAfter
	}
	return all
}

func TestBackEndReadsWhatHasHappened(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, _ *sandbox.Sandbox) {
		settings.Token.Mode, settings.Auth.Verifiers[0].ActsFor = config.ModeGateway, []string{"app"}
		b := start(t, settings)
		g := b.gatewayToken(t, "asha", "")
		parse(t, g.BaseURL, g.AccessToken, "cdsl", "wrong")
		b.eventsUntil(t, 1) // the call is settled after its answer
		statement := parse(t, g.BaseURL, g.AccessToken, "cdsl", "ABCDE1234F").must(t, 200).body
		b.eventsUntil(t, 3) // the statement is saved without the page
		saved := b.post(t, "asha", statement, 200)
		b.call(t, "asha", http.MethodDelete, "/v1/portfolios/"+saved.ID, "").must(t, 204)
		b.call(t, "asha", http.MethodPost, "/v1/token/revoke", "")
		b.call(t, "asha", http.MethodDelete, "/v1/me", "").must(t, 200)
		got := b.eventsUntil(t, 7)
		want := []string{
			"statement.failed ", "portfolio.saved ", "holdings.changed ", "portfolio.deleted ", "holdings.changed ", "token.revoked ", "user.erased app:asha",
		}
		if !slices.Equal(got.types(), want) {
			t.Errorf("got %q, want %q", got.types(), want)
		}
		if e := got.Events[0]; e.Data.Reason == "" {
			t.Errorf("got %+v, want the reason of the failure", e)
		}
		if e := got.Events[1]; e.Data.PortfolioID != saved.ID {
			t.Errorf("got %+v, want portfolio %s", e, saved.ID)
		}
		var last eventPage
		b.events(t, "?after="+got.NextAfter).must(t, 200).decode(t, &last)
		if len(last.Events) != 0 || last.NextAfter != got.NextAfter {
			t.Errorf("got %+v after the last event", last)
		}
	})
}

// TestLimitsAndBlocksAreEvents ends with a broker whose API key the vendor refuses.
func TestLimitsAndBlocksAreEvents(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, _ *sandbox.Sandbox) {
		settings.Auth.Verifiers[0].ActsFor = []string{"app"}
		settings.Budgets = []config.Budget{{Name: "daily", Scope: config.ScopeUser, Period: config.PeriodDay, Credits: 1000}}
		b := start(t, settings)
		b.upload(t, "asha", "cdsl", "ABCDE1234F").must(t, 201)
		b.upload(t, "asha", "nsdl", "ABCDE1234F").must(t, 402)
		if _, err := b.app.Access().Block(t.Context(), operator, "app:rohan", "", time.Time{}); err != nil {
			t.Fatal(err)
		}
		b.eventsUntil(t, 4)
		if err := b.stop(); err != nil {
			t.Fatal(err)
		}
		settings.Upstream.Keys[0].APIKey = "not-the-right-key"
		b = start(t, settings)
		b.call(t, "meera", http.MethodPost, "/v1/token", "").mustRefuse(t, 503, "upstream_refused_key")
		got := b.eventsUntil(t, 5)
		want := []string{"budget.reached app:asha", "holdings.changed app:asha", "key.set_aside ", "portfolio.saved app:asha", "user.blocked app:rohan"}
		if types := slices.Sorted(slices.Values(got.types())); !slices.Equal(types, want) {
			t.Errorf("got %q, want %q", types, want)
		}
	})
}

func TestReaderOfEventsIsAnsweredWhenOneArrivesOnAnotherReplica(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, _ *sandbox.Sandbox) {
		settings.Auth.Verifiers[0].ActsFor = []string{"app"}
		b := start(t, settings)
		other := b
		if strings.HasPrefix(settings.Store.URL.Reveal(), "postgres") {
			other = start(t, settings)
		}
		var start eventPage
		b.events(t, "").must(t, 200).decode(t, &start)
		answered := make(chan answer)
		go func() { answered <- b.events(t, "?wait=30&after="+start.NextAfter) }()
		other.call(t, "asha", http.MethodDelete, "/v1/me", "").must(t, 200)
		select {
		case a := <-answered:
			if !strings.Contains(a.must(t, 200).body, `"user.erased"`) {
				t.Errorf("got %s", a.body)
			}
		case <-time.After(20 * time.Second):
			t.Error("the reader is not answered")
		}
	})
}

func TestEventsRefuseWrongRequests(t *testing.T) {
	t.Parallel()
	settings, _ := gatewaySettings(t)
	unrelated := start(t, settings)
	if a := unrelated.events(t, "").must(t, 403); !strings.Contains(a.body, "may not act for any users") {
		t.Errorf("got %s", a.body)
	}
	settings.Store.URL = secret.URL(storetest.SQLite(t))
	settings.Auth.Verifiers[0].ActsFor = []string{"app"}
	b := start(t, settings)
	b.call(t, "asha", http.MethodGet, "/v1/events", "").must(t, 403)
	for query, code := range map[string]string{
		"?since=1": "invalid_query", "?wait=31": "invalid_query", "?wait=-1": "invalid_query", "?wait=1s": "invalid_query", "?wait=1&wait=2": "invalid_query",
		"?limit=0": "invalid_limit", "?limit=501": "invalid_limit", "?after=x": "invalid_cursor", "?after=ZXYgOTk": "invalid_cursor", "?after=ZXYgLTE": "invalid_cursor",
	} {
		if a := b.events(t, query).must(t, 400); !strings.Contains(a.body, code) {
			t.Errorf("%s: got %s, want %s", query, a.body, code)
		}
	}
}
