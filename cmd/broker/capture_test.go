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
	p.extra = []string{
		"CASBROKER_UPSTREAM_URL=" + vendor.URL, "CASBROKER_UPSTREAM_API_KEY=" + apiKey, "CASBROKER_TOKEN_MODE=gateway",
	}
	answers := map[string][]byte{}
	for i := range captureKills {
		p.start()
		jwt := token(t, fmt.Sprint("user-", i))
		answers[jwt] = p.parse(jwt)
		p.kill()
	}
	p.start()
	for jwt, answer := range answers {
		p.wantVerified(jwt, answer)
	}
	p.kill() // once more: nothing is saved twice
	p.start()
	for jwt, answer := range answers {
		p.wantVerified(jwt, answer)
	}
}

// parse parses a statement through the gateway and returns the answer.
func (p *program) parse(jwt string) []byte {
	p.t.Helper()
	var g struct {
		AccessToken string `json:"access_token"`
		BaseURL     string `json:"api_base_url"`
	}
	p.must(jwt, http.MethodPost, "/v1/token", nil, http.StatusOK, &g)
	const body = "--x\r\nContent-Disposition: form-data; name=\"pdf_file\"; filename=\"cdsl.pdf\"\r\n\r\n%PDF-1.4\n% cdsl\n%%EOF\n\r\n" +
		"--x\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\nABCDE1234F\r\n--x--\r\n"
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, g.BaseURL+"/v4/smart/parse", strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("X-Api-Key", g.AccessToken)
	req.Header.Set("Content-Type", "multipart/form-data; boundary=x")
	res, err := p.client.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		p.t.Fatalf("got %v, %d %s", err, res.StatusCode, answer)
	}
	return answer
}

// wantVerified fails the test unless the only portfolio of a user is verified and has this
// payload.
func (p *program) wantVerified(jwt string, payload []byte) {
	p.t.Helper()
	type found struct {
		ID         string `json:"id"`
		Provenance string `json:"provenance"`
	}
	var latest found
	p.must(jwt, http.MethodGet, "/v1/portfolios/latest", nil, http.StatusOK, &latest)
	var page struct {
		Portfolios []found `json:"portfolios"`
	}
	p.must(jwt, http.MethodGet, "/v1/portfolios", nil, http.StatusOK, &page)
	if len(page.Portfolios) != 1 || page.Portfolios[0] != latest || latest.Provenance != "verified" {
		p.t.Errorf("got %+v, and the latest %+v; want one verified portfolio", page.Portfolios, latest)
	}
	raw, err := p.call(p.t.Context(), jwt, http.MethodGet, "/v1/portfolios/"+latest.ID+"/raw", nil)
	if err != nil || !bytes.Equal(raw.body, payload) {
		p.t.Errorf("got %v, %.80s, want the answer that was delivered", err, raw.body)
	}
}
