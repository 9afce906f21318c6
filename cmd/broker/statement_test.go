package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"casbroker/internal/sandbox"
	"casbroker/internal/testkit/brokertest"
)

// TestStatementsThatWaitSurviveAKill kills the broker as soon as it has taken a statement,
// and checks after the restart that each was parsed once at most, and that what became of it
// is known.
func TestStatementsThatWaitSurviveAKill(t *testing.T) {
	t.Parallel()
	const apiKey, kills = "an-api-key-of-the-sandbox", 4
	vendor := sandbox.New(sandbox.Options{APIKey: apiKey, RateLimit: sandbox.Unlimited})
	at := httptest.NewServer(vendor)
	t.Cleanup(at.Close)
	p := build(t)
	p.Extra = []string{"CASBROKER_UPSTREAM_URL=" + at.URL, "CASBROKER_UPSTREAM_API_KEY=" + apiKey}
	jobs := map[string]string{} // the path of the job, by the user's JWT
	for i := range kills {
		p.Start()
		jwt := brokertest.Token(t, fmt.Sprint("user-", i))
		jobs[jwt] = p.uploadAsync(jwt)
		p.Kill()
	}
	p.Start()
	done := 0
	for jwt, path := range jobs {
		j := p.endedJob(jwt, path)
		var page struct{ Portfolios []struct{ Provenance string } }
		p.Must(jwt, http.MethodGet, "/v1/portfolios", nil, http.StatusOK, &page)
		switch {
		case j.State == "done" && len(page.Portfolios) == 1 && page.Portfolios[0].Provenance == "verified":
			done++
		case j.State == "failed" && j.Problem.Code == "outcome_unknown" && len(page.Portfolios) == 0:
		default:
			t.Errorf("got %+v with %+v", j, page)
		}
	}
	if got := vendor.Calls("/v4/smart/parse"); got > kills || got < done {
		t.Errorf("the vendor got %d calls for %d statements", got, kills)
	}
}

// uploadAsync sends a statement that is parsed later, and returns the path of its job.
func (p *program) uploadAsync(jwt string) string {
	p.T.Helper()
	const body = "--x\r\nContent-Disposition: form-data; name=\"pdf_file\"; filename=\"cdsl.pdf\"\r\n\r\n%PDF-1.4\n% cdsl\n%%EOF\n\r\n" +
		"--x\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\nABCDE1234F\r\n--x--\r\n"
	req, err := http.NewRequestWithContext(p.T.Context(), http.MethodPost, "http://"+p.Address+"/v1/statements", strings.NewReader(body))
	if err != nil {
		p.T.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+jwt)
	req.Header.Set("Content-Type", "multipart/form-data; boundary=x")
	req.Header.Set("Prefer", "respond-async")
	res, err := p.Client.Do(req)
	if err != nil {
		p.T.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if answer, _ := io.ReadAll(res.Body); res.StatusCode != http.StatusAccepted {
		p.T.Fatalf("got %d %s", res.StatusCode, answer)
	}
	return res.Header.Get("Location")
}
