package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"casbroker/internal/sandbox"
	"casbroker/internal/testkit/brokertest"
)

const captureKills = 5

// TestDeliveredStatementsSurviveAKill kills the broker as soon as the last byte of a parsed
// statement has arrived, and checks after the restart that the statement is a verified
// portfolio, exactly once, although no page ever posted it.
func TestDeliveredStatementsSurviveAKill(t *testing.T) {
	t.Parallel()
	const apiKey = "an-api-key-of-the-sandbox"
	vendor := httptest.NewServer(sandbox.New(sandbox.Options{APIKey: apiKey, RateLimit: sandbox.Unlimited}))
	t.Cleanup(vendor.Close)
	p := build(t)
	p.Extra = []string{
		"CASBROKER_UPSTREAM_URL=" + vendor.URL, "CASBROKER_UPSTREAM_API_KEY=" + apiKey, "CASBROKER_TOKEN_MODE=gateway",
	}
	answers := map[string][]byte{}
	for i := range captureKills {
		p.Start()
		jwt := brokertest.Token(t, fmt.Sprint("user-", i))
		answers[jwt] = p.parse(jwt)
		p.Kill()
	}
	p.Start()
	for jwt, answer := range answers {
		p.wantVerified(jwt, answer)
	}
	p.Kill() // once more: nothing is saved twice
	p.Start()
	for jwt, answer := range answers {
		p.wantVerified(jwt, answer)
	}
}

// parse parses a statement through the gateway and returns the answer.
func (p *program) parse(jwt string) []byte {
	p.T.Helper()
	var g struct {
		AccessToken string `json:"access_token"`
		BaseURL     string `json:"api_base_url"`
	}
	p.Must(jwt, http.MethodPost, "/v1/token", nil, http.StatusOK, &g)
	const body = "--x\r\nContent-Disposition: form-data; name=\"pdf_file\"; filename=\"cdsl.pdf\"\r\n\r\n%PDF-1.4\n% cdsl\n%%EOF\n\r\n" +
		"--x\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\nABCDE1234F\r\n--x--\r\n"
	req, err := http.NewRequestWithContext(p.T.Context(), http.MethodPost, g.BaseURL+"/v4/smart/parse", strings.NewReader(body))
	if err != nil {
		p.T.Fatal(err)
	}
	req.Header.Set("X-Api-Key", g.AccessToken)
	req.Header.Set("Content-Type", "multipart/form-data; boundary=x")
	res, err := p.Client.Do(req)
	if err != nil {
		p.T.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		p.T.Fatalf("got %v, %d %s", err, res.StatusCode, answer)
	}
	return answer
}

// wantVerified fails the test unless the only portfolio of a user is verified and has this
// payload.
func (p *program) wantVerified(jwt string, payload []byte) {
	p.T.Helper()
	type found struct {
		ID         string `json:"id"`
		Provenance string `json:"provenance"`
	}
	var latest found
	p.Must(jwt, http.MethodGet, "/v1/portfolios/latest", nil, http.StatusOK, &latest)
	var page struct {
		Portfolios []found `json:"portfolios"`
	}
	p.Must(jwt, http.MethodGet, "/v1/portfolios", nil, http.StatusOK, &page)
	if len(page.Portfolios) != 1 || page.Portfolios[0] != latest || latest.Provenance != "verified" {
		p.T.Errorf("got %+v, and the latest %+v; want one verified portfolio", page.Portfolios, latest)
	}
	raw, err := p.Call(p.T.Context(), jwt, http.MethodGet, "/v1/portfolios/"+latest.ID+"/raw", nil)
	if err != nil || !bytes.Equal(raw.Body, payload) {
		p.T.Errorf("got %v, %.80s, want the answer that was delivered", err, raw.Body)
	}
}
