package app_test

import (
	"net/http"
	"strings"
	"testing"

	"casbroker/internal/config"
	"casbroker/internal/sandbox"
	"casbroker/internal/secret"
	"casbroker/internal/testkit/services"
)

// TestNoSecretAppearsInLogsOrAnswers imports a portfolio and causes all kinds of errors, then
// searches the log and the answers for every secret.
func TestNoSecretAppearsInLogsOrAnswers(t *testing.T) {
	t.Parallel()
	const password, databasePassword = "Hush-Password-1", "Hush-Password-2"
	eachBackend(t, func(t *testing.T, settings config.Config, vendor *sandbox.Sandbox) {
		settings.Log.Level = "debug"
		// The test's database accepts any password.
		withPassword := strings.Replace(settings.Store.URL.Reveal(), "casbroker@", "casbroker:"+databasePassword+"@", 1)
		settings.Store.URL = secret.URL(withPassword)
		b := start(t, settings)
		var answers strings.Builder
		call := func(who, method, path, body string, header ...string) answer {
			a := b.call(t, who, method, path, body, header...)
			answers.WriteString(a.body)
			for _, values := range a.header {
				answers.WriteString(strings.Join(values, "\n"))
			}
			return a
		}
		token := b.token(t, "asha").AccessToken
		statement := parse(t, settings.Upstream.URL, token, "cams", password).must(t, 200).body
		pan := between(t, statement, `"pan":"`)
		folio := between(t, statement, `"folio_number":"`)
		call("asha", http.MethodPost, "/v1/portfolios", statement).must(t, 201)
		call("asha", http.MethodPost, "/v1/portfolios", `{"pan":"`+pan+`","password":"`+password+`"`)
		call("asha", http.MethodPost, "/v1/portfolios", `{"investor":{"pan":"`+pan+`"},"`+token+`":1}`)
		call("", http.MethodGet, "/v1/portfolios/"+token+"?pan="+pan+"&access_token="+bearer(t, "asha"), "")
		call("", http.MethodGet, "/"+bearer(t, "asha"), "")
		call("", http.MethodPost, "/v1/token", "", "Authorization", "Bearer "+token)
		call("", http.MethodPost, "/v1/token", "", "Authorization", "Bearer "+bearer(t, "asha")+".x")
		call("asha", http.MethodPost, "/v1/token", `{"expiry_minutes":"`+apiKey+`"}`)
		call("asha", http.MethodGet, "/v1/portfolios", "")
		call("asha", http.MethodGet, "/v1/portfolios/latest", "")
		vendor.AddFault(sandbox.Fault{Path: "/v1/token", Times: 1, Kind: sandbox.FaultMalformed})
		call("rohan", http.MethodPost, "/v1/token", "")
		vendor.AddFault(sandbox.Fault{Path: "/v1/token", Times: 3, Kind: sandbox.FaultDrop})
		call("meera", http.MethodPost, "/v1/token", "")
		if strings.HasPrefix(withPassword, "postgres") {
			services.RefuseConnections(t, withPassword)
			call("meera", http.MethodGet, "/v1/portfolios", "").must(t, 503)
			call("", http.MethodGet, "/readyz", "").must(t, 200)
		}
		if err := b.stop(); err != nil {
			t.Error(err)
		}

		log := b.log.String()
		if !strings.Contains(log, `"route":"/v1/token"`) {
			t.Fatalf("got the log %s, want the requests in it", log)
		}
		everywhere := map[string]string{
			"the API key": apiKey, "the JWT secret": jwtSecret, "the hash key": hashKey, "the sealing key": sealKey,
			"the PDF's password": password, "the JWT": bearer(t, "asha")[:40], "the PAN": pan, "the access token": token,
			"the database's password": databasePassword,
		}
		for name, value := range everywhere {
			if strings.Contains(log, value) {
				t.Errorf("the log shows %s", name)
			}
			if strings.Contains(answers.String(), value) {
				t.Errorf("an answer shows %s", name)
			}
		}
		if strings.Contains(log, folio) {
			t.Error("the log shows a folio number")
		}
	})
}

// between returns the text after prefix in s, up to the next quote.
func between(t *testing.T, s, prefix string) string {
	t.Helper()
	_, rest, found := strings.Cut(s, prefix)
	value, _, ended := strings.Cut(rest, `"`)
	if !found || !ended || len(value) < 5 {
		t.Fatalf("the statement lacks %s", prefix)
	}
	return value
}
