package app_test

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"casbroker/internal/config"
	"casbroker/internal/sandbox"
	"casbroker/internal/secret"
	"casbroker/internal/testkit/services"
	"casbroker/internal/testkit/storetest"
)

// observed has the members of a portfolio that say whether the broker has seen it.
type observed struct {
	ID          string   `json:"id"`
	Created     bool     `json:"created"`
	Active      bool     `json:"active"`
	Provenance  string   `json:"provenance"`
	Differs     bool     `json:"differs_from_observed"`
	Differences []string `json:"differences"`
}

// post posts a statement as who.
func (b *broker) post(t *testing.T, who, statement string, status int) (o observed) {
	t.Helper()
	b.call(t, who, http.MethodPost, "/v1/portfolios", statement).must(t, status).decode(t, &o)
	return o
}

// latest returns the latest portfolio of who, once there is one.
func (b *broker) latest(t *testing.T, who string) (o observed) {
	t.Helper()
	within(t, 15*time.Second, "the latest portfolio", func() bool {
		a := b.call(t, who, http.MethodGet, "/v1/portfolios/latest", "")
		if a.status == 200 {
			a.decode(t, &o)
		}
		return a.status == 200
	})
	return o
}

// parsed parses a statement through the gateway and returns the answer.
func (b *broker) parsed(t *testing.T, who, source string) string {
	t.Helper()
	g := b.gatewayToken(t, who, `{"mode":"gateway"}`)
	return parse(t, g.BaseURL, g.AccessToken, source, "ABCDE1234F").must(t, 200).body
}

func TestStatementThatTheGatewaySawIsVerified(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, _ *sandbox.Sandbox) {
		settings.Token.Mode = config.ModeBoth
		b := start(t, settings)
		answer := b.parsed(t, "asha", "cdsl")
		first := b.post(t, "asha", `{"data":`+answer+`,"metadata":{"filename":"a.pdf"}}`, 200)
		if first.Created || first.Provenance != "verified" || first.Differs || first.Differences != nil {
			t.Errorf("got %+v, want the verified portfolio", first)
		}
		if again := b.post(t, "asha", answer, 200); again.ID != first.ID {
			t.Errorf("got %s, want %s", again.ID, first.ID)
		}
		if latest := b.latest(t, "asha"); latest.ID != first.ID || latest.Provenance != "verified" {
			t.Errorf("got the latest %+v", latest)
		}
		// What one user has parsed verifies nothing of another user.
		if other := b.post(t, "rohan", answer, 201); other.Provenance != "reported" || other.Differs {
			t.Errorf("another user: got %+v", other)
		}
	})
}

func TestReportedStatementIsVerifiedWhenTheGatewaySeesIt(t *testing.T) {
	t.Parallel()
	// A vendor whose answers to one PDF are all the same.
	now := time.Now()
	settings, _ := settingsWith(t, secret.URL(storetest.SQLite(t)), "memory", sandbox.Options{Now: func() time.Time { return now }})
	settings.Token.Mode = config.ModeGateway
	b := start(t, settings)
	settings.Gateway.Capture = config.CaptureOff
	off := start(t, settings)
	answer := off.parsed(t, "asha", "nsdl")
	first := off.post(t, "asha", answer, 201)
	if first.Provenance != "reported" {
		t.Errorf("without captures: got %+v", first)
	}
	if again := b.parsed(t, "asha", "nsdl"); again != answer {
		t.Fatalf("the vendor answered %s, then %s", answer, again)
	}
	if again := b.post(t, "asha", answer, 200); again.ID != first.ID || again.Provenance != "verified" {
		t.Errorf("got %+v, want %s as verified", again, first.ID)
	}
}

func TestChangedUnitsAreFoundOut(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, _ *sandbox.Sandbox) {
		settings.Token.Mode = config.ModeGateway
		b := start(t, settings)
		answer := b.parsed(t, "asha", "cdsl")
		units := regexp.MustCompile(`"units":\s*[0-9]`).FindStringIndex(answer)
		changed := answer[:units[1]-1] + "9" + answer[units[1]-1:]
		first := b.post(t, "asha", `{"data":`+changed+`}`, 201)
		pointer := regexp.MustCompile(`^/data/demat_accounts/0/holdings/[a-z_]+/0(/transactions/0)?/units$`)
		if first.Provenance != "reported" || !first.Differs || len(first.Differences) != 1 || !pointer.MatchString(first.Differences[0]) {
			t.Errorf("got %+v, want the changed units", first)
		}
		if again := b.post(t, "asha", changed, 200); again.ID != first.ID || !again.Differs || len(again.Differences) != 1 {
			t.Errorf("again: got %+v", again)
		}
		if latest := b.latest(t, "asha"); latest.Provenance != "verified" || !latest.Active {
			t.Errorf("got the latest %+v, want the verified one", latest)
		}
		differs := 0
		for _, r := range b.export(t, "asha").Audit {
			if r.Action == "portfolio.differs" {
				differs++
			}
		}
		if differs != 1 {
			t.Errorf("got %d audit records of the difference, want 1", differs)
		}
	})
}

func TestPortfolioIsSavedAlthoughTheBrowserIsLost(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, vendor *sandbox.Sandbox) {
		settings.Token.Mode = config.ModeGateway
		b := start(t, settings)
		g := b.gatewayToken(t, "asha", "")
		vendor.AddFault(sandbox.Fault{Path: "/v4/smart/parse", Kind: sandbox.FaultDelay, DelayMS: 1000})
		body, kind := form("cdsl", "ABCDE1234F", 1000)
		ctx, leave := context.WithCancel(t.Context())
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, g.BaseURL+"/v4/smart/parse", strings.NewReader(string(body)))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", kind)
		req.Header.Set("X-Api-Key", g.AccessToken)
		left := make(chan error, 1)
		go func() {
			res, err := http.DefaultClient.Do(req)
			if err == nil {
				_ = res.Body.Close()
			}
			left <- err
		}()
		within(t, 10*time.Second, "the vendor is called", func() bool { return calls(vendor) == 1 })
		leave()
		if err := <-left; !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v, want a call that was broken off", err)
		}
		if latest := b.latest(t, "asha"); latest.Provenance != "verified" {
			t.Errorf("got %+v", latest)
		}
	})
}

// TestStatementIsSavedOnceTheDatabaseIsBack: the database goes down while the vendor works.
func TestStatementIsSavedOnceTheDatabaseIsBack(t *testing.T) {
	t.Parallel()
	database := storetest.Postgres(t)
	settings, vendor := settingsFor(t, secret.URL(database), "memory")
	settings.Token.Mode = config.ModeGateway
	b := start(t, settings)
	g := b.gatewayToken(t, "asha", "")
	vendor.AddFault(sandbox.Fault{Path: "/v4/smart/parse", Kind: sandbox.FaultDelay, DelayMS: 2000})
	answered := make(chan answer, 1)
	go func() { answered <- parse(t, g.BaseURL, g.AccessToken, "cdsl", "ABCDE1234F") }()
	within(t, 10*time.Second, "the vendor is called", func() bool { return calls(vendor) == 1 })
	services.RefuseConnections(t, database)
	(<-answered).must(t, 200)
	services.AllowConnections(t, database)
	if latest := b.latest(t, "asha"); latest.Provenance != "verified" { // the answer was kept in memory meanwhile
		t.Errorf("got %+v", latest)
	}
}

func TestParseWorksWhileTheDatabaseIsDown(t *testing.T) {
	t.Parallel()
	database := storetest.Postgres(t)
	settings, _ := settingsFor(t, secret.URL(database), "memory")
	settings.Token.Mode = config.ModeGateway
	b := start(t, settings)
	g := b.gatewayToken(t, "asha", "")
	services.RefuseConnections(t, database)
	parse(t, g.BaseURL, g.AccessToken, "cdsl", "ABCDE1234F").must(t, 200)
	services.AllowConnections(t, database)
	if latest := b.latest(t, "asha"); latest.Provenance != "verified" {
		t.Errorf("got %+v, want a verified portfolio", latest)
	}
	within(t, 20*time.Second, "the call is recorded", func() bool {
		return strings.Contains(b.log.String(), "a call of an outage of the database is recorded")
	})
	if usage := b.call(t, "asha", http.MethodGet, "/v1/usage", "").body; !strings.Contains(usage, `"calls":1`) {
		t.Errorf("got %s, want 1 call", usage)
	}
}

func TestOtherAnswersAreNotSaved(t *testing.T) {
	t.Parallel()
	settings, vendor := gatewaySettings(t)
	b := start(t, settings)
	g := b.gatewayToken(t, "asha", "")
	parse(t, g.BaseURL, g.AccessToken, "cdsl", "wrong")
	vendor.AddFault(sandbox.Fault{Path: "/v4/smart/parse", Kind: sandbox.FaultMalformed})
	parse(t, g.BaseURL, g.AccessToken, "cdsl", "ABCDE1234F")
	within(t, 10*time.Second, "the malformed answer is refused", func() bool {
		return strings.Contains(b.log.String(), "an answer of the vendor is not saved as a portfolio")
	})
	b.call(t, "asha", http.MethodGet, "/v1/portfolios/latest", "").must(t, 404)
}

func TestWhatOneReplicaSawIsVerifiedOnAll(t *testing.T) {
	t.Parallel()
	settings, _ := settingsFor(t, secret.URL(storetest.Postgres(t)), "memory")
	settings.Token.Mode = config.ModeGateway
	one, two := start(t, settings), start(t, settings)
	answer := one.parsed(t, "asha", "cdsl")
	// Right after the answer the other replica may not know of it: 201, and verified later.
	two.call(t, "asha", http.MethodPost, "/v1/portfolios", answer)
	within(t, 10*time.Second, "it is verified", func() bool { return two.latest(t, "asha").Provenance == "verified" })
	if again := two.post(t, "asha", answer, 200); again.Provenance != "verified" || len(two.export(t, "asha").Portfolios) != 1 {
		t.Errorf("got %+v", again)
	}
}

func TestMatchingSavesOnlyWhatThePagePosts(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, _ *sandbox.Sandbox) {
		settings.Token.Mode, settings.Gateway.Capture = config.ModeGateway, config.CaptureMatch
		one, two := start(t, settings), start(t, settings)
		answer := one.parsed(t, "asha", "cdsl")
		one.call(t, "asha", http.MethodGet, "/v1/portfolios/latest", "").must(t, 404)
		changed := regexp.MustCompile(`"units":\s*[0-9]`).FindString(answer)
		forged := strings.Replace(answer, changed, changed[:len(changed)-1]+"9"+changed[len(changed)-1:], 1)
		if p := one.post(t, "asha", forged, 201); p.Provenance != "reported" || !p.Differs || len(p.Differences) != 1 {
			t.Errorf("got %+v, want the changed units", p)
		}
		p := two.post(t, "asha", `{"data":`+answer+`,"metadata":{"filename":"a.pdf"}}`, 201) // on the other replica
		if p.Provenance != "verified" || p.Differs || !p.Active {
			t.Errorf("got %+v, want a verified portfolio", p)
		}
		if latest := one.latest(t, "asha"); latest.ID != p.ID {
			t.Errorf("got the latest %+v, want the verified one", latest)
		}
	})
}
