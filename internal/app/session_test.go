package app_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"casbroker/internal/config"
	"casbroker/internal/sandbox"
)

// grantSession is the answer of GET /v1/grants/{id}.
type grantSession struct {
	ID       string     `json:"id"`
	State    string     `json:"state"`
	Stage    string     `json:"stage"`
	OpenedAt *time.Time `json:"opened_at"`
	Stopped  *struct {
		Outcome string `json:"outcome"`
		Reason  string `json:"reason"`
	} `json:"stopped"`
	Ended *struct {
		By string `json:"by"`
	} `json:"ended"`
	Calls []struct {
		Feature     string  `json:"feature"`
		Outcome     string  `json:"outcome"`
		Reason      string  `json:"reason"`
		Credits     string  `json:"credits"`
		PortfolioID *string `json:"portfolio_id"`
	} `json:"calls"`
	Portfolios []string `json:"portfolio_ids"`
}

func (b *broker) session(t *testing.T, who, grantID string) (s grantSession) {
	t.Helper()
	b.call(t, who, http.MethodGet, "/v1/grants/"+grantID, "").must(t, 200).decode(t, &s)
	return s
}

func TestUserSeesWhatHappenedUnderAToken(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, _ *sandbox.Sandbox) {
		settings.Token.Mode = config.ModeGateway
		b := start(t, settings)
		g := b.gatewayToken(t, "asha", "")
		if s := b.session(t, "asha", g.GrantID); s.ID != g.GrantID || s.State != "active" || s.Stage != "issued" || s.OpenedAt != nil ||
			s.Stopped != nil || s.Ended != nil || len(s.Calls) != 0 {
			t.Errorf("got %+v, want a token without calls", s)
		}

		parse(t, g.BaseURL, g.AccessToken, "cdsl", "wrong")
		var s grantSession
		settled := func(calls int) bool {
			s = b.session(t, "asha", g.GrantID)
			return len(s.Calls) == calls && s.Calls[calls-1].Outcome != ""
		}
		within(t, 10*time.Second, "the failed call is settled", func() bool { return settled(1) })
		if s.Stage != "uploaded" || s.OpenedAt == nil || s.Stopped == nil || s.Stopped.Outcome != "vendor_error" || s.Stopped.Reason != "INVALID_PASSWORD" {
			t.Errorf("got %+v, want an upload with a wrong password", s)
		}

		parse(t, g.BaseURL, g.AccessToken, "cdsl", "ABCDE1234F").must(t, 200)
		saved := b.latest(t, "asha")
		within(t, 10*time.Second, "the call is settled", func() bool { return settled(2) })
		last := s.Calls[1]
		if s.Stage != "saved" || s.Stopped != nil || len(s.Portfolios) != 1 || s.Portfolios[0] != saved.ID || last.Credits != "1" ||
			last.Feature != "smart_parser" || last.Outcome != "ok" || last.PortfolioID == nil || *last.PortfolioID != saved.ID {
			t.Errorf("got %+v, want the portfolio %s", s, saved.ID)
		}

		b.call(t, "rohan", http.MethodGet, "/v1/grants/"+g.GrantID, "").must(t, 404)
		b.call(t, "asha", http.MethodGet, "/v1/grants/gr_unknown", "").must(t, 404)
		b.signOut(t, "asha", `{"grant_id":"`+g.GrantID+`"}`)
		if s := b.session(t, "asha", g.GrantID); s.State != "revoked" || s.Ended == nil || s.Ended.By != "user" {
			t.Errorf("got %+v, want a token that its user ended", s)
		}
		other := b.gatewayToken(t, "asha", "")
		if _, err := b.app.Access().RevokeUser(t.Context(), operator, "app:asha"); err != nil {
			t.Fatal(err)
		}
		if s := b.session(t, "asha", other.GrantID); s.Ended == nil || s.Ended.By != "operator" {
			t.Errorf("got %+v, want a token that an operator ended", s)
		}
	})
}

// TestMatchedPortfolioIsThatOfItsCall: with match the portfolio is saved later, by the page.
func TestMatchedPortfolioIsThatOfItsCall(t *testing.T) {
	t.Parallel()
	settings, _ := gatewaySettings(t)
	settings.Gateway.Capture = config.CaptureMatch
	b := start(t, settings)
	g := b.gatewayToken(t, "asha", "")
	answer := parse(t, g.BaseURL, g.AccessToken, "cdsl", "ABCDE1234F").must(t, 200).body
	within(t, 10*time.Second, "the call is settled", func() bool { return b.session(t, "asha", g.GrantID).Stage == "parsed" })
	p := b.post(t, "asha", answer, 201)
	if s := b.session(t, "asha", g.GrantID); s.Stage != "saved" || len(s.Portfolios) != 1 || s.Portfolios[0] != p.ID {
		t.Errorf("got %+v, want the portfolio %s", s, p.ID)
	}
}

func TestOperatorSeesHowFarAnImportCame(t *testing.T) {
	t.Parallel()
	small := display{"phone-dark", 360, 740, "dark"}
	settings, _ := gatewaySettings(t)
	key := withOperator(t, &settings, "meera")
	b := start(t, settings)
	g := b.gatewayToken(t, "asha", "")
	parse(t, g.BaseURL, g.AccessToken, "cdsl", "wrong")
	within(t, 10*time.Second, "the call is settled", func() bool { return b.session(t, "asha", g.GrantID).Stopped != nil })

	page := openTab(t, desktop)
	page.do(chromedp.Navigate(b.URL+"/console/grants/"+g.GrantID), chromedp.WaitVisible(on("key")))
	page.do(chromedp.SendKeys(on("key"), key))
	page.follow(on("sign-in"), "funnel")
	has(t, read(page, chromedp.Text(on("funnel"))), "Token issued", "Uploaded", "not reached")
	has(t, read(page, chromedp.Text(on("why"))), "The vendor reported an error. INVALID_PASSWORD")
	has(t, read(page, chromedp.Text(on("calls"))), "smart_parser")
	page.checkPage("12-grant", small)
	parse(t, g.BaseURL, g.AccessToken, "cdsl", "ABCDE1234F").must(t, 200)
	within(t, 10*time.Second, "the statement is saved", func() bool { return b.session(t, "asha", g.GrantID).Stage == "saved" })
	page.do(chromedp.Reload())
	page.do(until(`document.querySelector("[data-testid=stage-saved].reached") !== null`))
	page.checkPage("13-grant-saved", small)
}
