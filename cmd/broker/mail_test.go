package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"casbroker/internal/sandbox"
	"casbroker/internal/testkit/brokertest"
)

// TestForwardedStatementsSurviveAKill kills the broker as soon as it has answered the
// callback about a forwarded statement, and checks after the restart that each was parsed
// once at most and is saved, unless the kill was in the middle of the parse.
func TestForwardedStatementsSurviveAKill(t *testing.T) {
	t.Parallel()
	const apiKey, kills = "an-api-key-of-the-sandbox", 4
	vendor := sandbox.New(sandbox.Options{APIKey: apiKey, RateLimit: sandbox.Unlimited})
	at := httptest.NewServer(vendor)
	t.Cleanup(at.Close)
	p := build(t)
	p.Extra = []string{
		"CASBROKER_UPSTREAM_URL=" + at.URL, "CASBROKER_UPSTREAM_API_KEY=" + apiKey, "CASBROKER_TOKEN_MODE=gateway",
		"CASBROKER_GATEWAY_FEATURES=parse,inbound_email", "CASBROKER_INBOUND_PARSE=true",
	}
	var users []string // their JWTs
	for i := range kills {
		p.Start()
		jwt := brokertest.Token(t, fmt.Sprint("user-", i))
		p.forward(jwt, at.URL)
		p.Kill()
		users = append(users, jwt)
	}
	p.Start()
	for _, jwt := range users {
		p.wantForwarded(jwt)
	}
	if got := vendor.Calls("/v4/smart/parse"); got > kills {
		t.Errorf("the vendor got %d calls for %d statements", got, kills)
	}
}

// forward makes a statement arrive at an address of a user who has agreed that it is parsed.
func (p *program) forward(jwt, vendor string) {
	p.T.Helper()
	p.Must(jwt, http.MethodPut, "/v1/mail-parsing", []byte(`{"password":"ABCDE1234F","consent":true}`), http.StatusOK, nil)
	var g struct {
		AccessToken string `json:"access_token"`
		BaseURL     string `json:"api_base_url"`
	}
	p.Must(jwt, http.MethodPost, "/v1/token", nil, http.StatusOK, &g)
	address := p.post(g.BaseURL+"/v4/inbound-email", g.AccessToken, "{}", http.StatusCreated)
	_, id, _ := strings.Cut(address, `"inbound_email_id":"`)
	id, _, _ = strings.Cut(id, `"`)
	if got := p.post(vendor+"/_sandbox/inbound-email/"+id+"/deliver", "", `{"source":"cdsl"}`, http.StatusOK); !strings.Contains(got, `"callback":"delivered"`) {
		p.T.Fatalf("got %s", got)
	}
}

// post sends JSON and returns the answer.
func (p *program) post(url, apiKey, body string, status int) string {
	p.T.Helper()
	req, err := http.NewRequestWithContext(p.T.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		p.T.Fatal(err)
	}
	req.Header.Set("X-Api-Key", apiKey)
	req.Header.Set("Content-Type", "application/json")
	res, err := p.Client.Do(req)
	if err != nil {
		p.T.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != status {
		p.T.Fatalf("got %v, %d %s", err, res.StatusCode, answer)
	}
	return string(answer)
}

// wantForwarded fails the test unless the forwarded statement of a user is saved, or its job
// has failed since it was interrupted.
func (p *program) wantForwarded(jwt string) {
	p.T.Helper()
	for end := time.Now().Add(time.Minute); ; <-time.After(100 * time.Millisecond) {
		var export struct {
			Portfolios []struct{ Provenance string }
			Jobs       []struct {
				State   string
				Problem struct{ Code string }
			} `json:"statement_jobs"`
		}
		p.Must(jwt, http.MethodGet, "/v1/me/export", nil, http.StatusOK, &export)
		if len(export.Jobs) == 1 {
			switch j := export.Jobs[0]; {
			case j.State == "done" && len(export.Portfolios) == 1 && export.Portfolios[0].Provenance == "verified":
				return
			case j.State == "failed" && j.Problem.Code == "outcome_unknown" && len(export.Portfolios) == 0:
				return
			case j.State == "done", j.State == "failed", len(export.Portfolios) > 1:
				p.T.Errorf("got %+v", export)
				return
			}
		}
		if time.Now().After(end) {
			p.T.Fatalf("got %+v after a minute", export)
		}
	}
}
