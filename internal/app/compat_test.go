package app_test

import (
	"bytes"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"casbroker/internal/config"
	"casbroker/internal/sandbox"
	"casbroker/internal/secret"
	"casbroker/internal/testkit/apitest"
	"casbroker/internal/testkit/storetest"
)

// compatSettings are settings with the routes of config/compat.yaml, and a session cookie.
func compatSettings(t *testing.T) (config.Config, *sandbox.Sandbox) {
	t.Helper()
	c, vendor := settingsFor(t, secret.URL(storetest.SQLite(t)), "memory")
	return withCompatRoutes(t, c), vendor
}

// eachCompat is eachBackend with the settings of compatSettings.
func eachCompat(t *testing.T, test func(t *testing.T, settings config.Config, vendor *sandbox.Sandbox)) {
	t.Helper()
	eachBackend(t, func(t *testing.T, settings config.Config, vendor *sandbox.Sandbox) {
		test(t, withCompatRoutes(t, settings), vendor)
	})
}

func withCompatRoutes(t *testing.T, c config.Config) config.Config {
	t.Helper()
	c, err := config.Load(c, "../../config/compat.yaml", nil)
	if err != nil {
		t.Fatal(err)
	}
	c.Auth.Cookie = "session"
	c.RateLimit.Token.User, c.RateLimit.Save.User = "", ""
	return c
}

// described are the paths that stand for all of their kind in web/openapi.yaml.
var described = map[string]string{
	config.CompatToken: "/api/casparser/token", config.CompatSave: "/api/portfolio", config.CompatParse: "/api/parse-cas",
}

// page is a page of the app, whose user is signed in by a cookie or a bearer token.
type page struct {
	*broker
	settings config.Config
	who      string
	cookie   bool
}

// fetch sends a request as the page would, and checks the answer against the path that
// web/openapi.yaml describes for its kind. header holds pairs of name and value.
func (p page) fetch(t *testing.T, method, path, body string, header ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, p.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	if p.cookie {
		req.AddCookie(&http.Cookie{Name: "session", Value: bearer(t, p.who)}) //nolint:gosec // a request's cookie has no attributes
	} else {
		req.Header.Set("Authorization", "Bearer "+bearer(t, p.who))
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	a := send(t, http.DefaultClient, req)
	for _, r := range p.settings.Compat.Routes {
		if bare, _, _ := strings.Cut(path, "?"); r.Path == bare {
			same := req.Clone(t.Context())
			same.URL.Path = described[r.Is]
			apitest.Check(t, same, &http.Response{StatusCode: a.status, Header: a.header}, []byte(a.body))
		}
	}
	return a
}

// mustHave fails the test unless the JSON answer has all of members, none of them empty.
func (a answer) mustHave(t *testing.T, members ...string) map[string]any {
	t.Helper()
	var got map[string]any
	a.decode(t, &got)
	for _, name := range members {
		if v := got[name]; v == nil || v == "" || v == false || v == 0.0 {
			t.Errorf("got %s = %v, want a value: %.300s", name, v, a.body)
		}
	}
	return got
}

// textType is the media type of a text that a page sends with fetch and without headers.
const textType = "text/plain;charset=UTF-8"

func TestFrontEndsOfOtherBackEndsSaveUnchanged(t *testing.T) {
	t.Parallel()
	eachCompat(t, func(t *testing.T, settings config.Config, vendor *sandbox.Sandbox) {
		b := start(t, settings)
		at := httptest.NewServer(vendor)
		t.Cleanup(at.Close)
		type request struct {
			method, path, body, media string
			reads                     []string
		}
		bare := func(data string) string { return data }
		widget := func(data string) string { return `{"data":` + data + `,"metadata":{"filename":"a.pdf"}}` }
		for name, row := range map[string]struct {
			cookie   bool
			token    request
			save     request
			envelope func(data string) string
		}{
			"the vendor's Flask, React and Vue examples": {
				true, request{method: "GET", path: "/api/casparser/token", reads: []string{"access_token"}},
				request{path: "/api/portfolio", media: textType}, bare,
			},
			"the vendor's Next example": {
				true, request{method: "POST", path: "/api/casparser-token", reads: []string{"access_token", "expires_in"}},
				request{path: "/api/portfolio", media: textType}, widget,
			},
			"a session cookie": {
				true, request{method: "GET", path: "/api/casparser/token", reads: []string{"access_token"}},
				request{path: "/api/casparser/save", media: "application/json", reads: []string{"success", "totalValue"}}, widget,
			},
			"minutes in another spelling": {
				false, request{method: "POST", path: "/api/casparser/token", body: `{"expiryMinutes":30}`, media: "application/json", reads: []string{"ok", "accessToken"}},
				request{path: "/api/casparser/save", media: "application/json", reads: []string{"success"}}, widget,
			},
			"minutes without a media type": {
				false, request{method: "POST", path: "/api/casparser/token", body: `{"expiryMinutes":30}`, media: textType, reads: []string{"ok", "accessToken"}},
				request{path: "/api/casparser/save", media: textType, reads: []string{"success"}}, widget,
			},
			"bare data": {
				false, request{method: "POST", path: "/api/cas/token", reads: []string{"access_token"}},
				request{path: "/api/cas/save", media: "application/json"}, bare,
			},
			"summary and data": {
				false, request{method: "POST", path: "/api/parse-cas/token", reads: []string{"access_token"}},
				request{path: "/api/parse-cas/save", media: "application/json", reads: []string{"summary", "data"}}, bare,
			},
			"count and investor": {
				false, request{method: "POST", path: "/api/casparser/access-token", reads: []string{"access_token"}},
				request{path: "/api/portfolio/import-connect", media: "application/json", reads: []string{"count", "investor"}}, widget,
			},
			"an envelope with a checksum": {
				false, request{method: "POST", path: "/api/casparser/token", reads: []string{"access_token"}},
				request{path: "/api/cas/sdk-callback", media: "application/json"},
				func(data string) string {
					return `{"checksum":"9f86d081884c7d65","source_type":"CDSL","metadata":{"filename":"a.pdf"},"data":` + data + `}`
				},
			},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				p := page{b, settings, strings.ReplaceAll(name, " ", "-"), row.cookie}
				var header []string
				if row.token.media != "" {
					header = []string{"Content-Type", row.token.media}
				}
				got := p.fetch(t, row.token.method, row.token.path, row.token.body, header...).must(t, 200).mustHave(t, row.token.reads...)
				if minutes := got["expires_in"].(float64) / 60; row.token.body != "" && minutes > 30 {
					t.Errorf("the token lives %v minutes, want 30", minutes)
				}
				token, _ := got["access_token"].(string)
				data := parse(t, at.URL, token, "cdsl", "ABCDE1234F").must(t, 200).body
				saved := p.fetch(t, "POST", row.save.path, row.envelope(data), "Content-Type", row.save.media).must(t, 201)
				saved.mustHave(t, append([]string{"id", "success", "ok", "message"}, row.save.reads...)...)
				p.fetch(t, "POST", row.save.path, row.envelope(data), "Content-Type", row.save.media).must(t, 200)
				if location := saved.header.Get("Location"); !strings.HasPrefix(location, "/v1/portfolios/pf_") {
					t.Errorf("got Location %q, want that of the portfolio", location)
				}
				b.call(t, p.who, "GET", saved.header.Get("Location"), "").must(t, 200)
			})
		}
	})
}

func TestAnswerToADropInSaveHasTheStatement(t *testing.T) {
	t.Parallel()
	eachCompat(t, func(t *testing.T, settings config.Config, _ *sandbox.Sandbox) {
		p := page{start(t, settings), settings, "asha", false}
		const data = `{"meta":{"cas_type":"CDSL"},"nps":[{"pran":"110099990001","value":120.5,"funds":[{"name":"Fund","units":1,"nav":120.5,"value":120.5}]}]}`
		for _, body := range []string{data, `{"data":{"cas_type":"CDSL","raw_response":` + data + `}}`, `{"status":"success","data":` + data + `,"metadata":null}`} {
			var got struct {
				Data       json.RawMessage
				TotalValue json.Number
				Summary    json.RawMessage
				Count      int
			}
			p.fetch(t, "POST", "/api/portfolio", body, "Content-Type", "application/json").decode(t, &got)
			if string(got.Data) != data || got.TotalValue != "120.50" || string(got.Summary) != `{"total_value":120.50}` || got.Count != 1 {
				t.Errorf("%s: got %+v, want the statement and its sums", body, got)
			}
		}
	})
}

// upload is the form of Pattern B.
func upload(source, password string) (body, contentType string) {
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	file, _ := w.CreateFormFile("file", source+".pdf")
	_, _ = io.WriteString(file, "%PDF-1.4\n% "+source+"\n%%EOF\n")
	_ = w.WriteField("password", password)
	_ = w.Close()
	return form.String(), w.FormDataContentType()
}

func TestUploadToADropInPathIsParsedAndSaved(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{config.ModeDirect, config.ModeBoth} {
		eachCompat(t, func(t *testing.T, settings config.Config, vendor *sandbox.Sandbox) {
			settings.Token.Mode = mode
			settings.Budgets = []config.Budget{{Name: "daily", Scope: config.ScopeUser, Period: config.PeriodDay, Credits: 1000}}
			p := page{start(t, settings), settings, "asha", true}
			body, media := upload("cdsl", "ABCDE1234F")
			p.fetch(t, "POST", "/api/parse-cas", body, "Content-Type", media).must(t, 200).mustHave(t, "meta", "investor")
			var list struct{ Portfolios []struct{ Provenance string } }
			p.call(t, "asha", "GET", "/v1/portfolios", "").must(t, 200).decode(t, &list)
			if len(list.Portfolios) != 1 || list.Portfolios[0].Provenance != "verified" {
				t.Errorf("got %+v, want one verified portfolio", list)
			}
			if got := p.fetch(t, "POST", "/api/parse-cas", body, "Content-Type", media).must(t, 402).mustHave(t, "error", "message", "msg", "code"); got["ok"] != false {
				t.Errorf("got %v, want a failure: the budget of one credit is used up", got)
			}
			if n := calls(vendor); n != 1 {
				t.Errorf("the vendor got %d parses, want 1", n)
			}
		})
	}
}

func TestDropInParsePassesOnTheVendorsWords(t *testing.T) {
	t.Parallel()
	settings, vendor := compatSettings(t)
	p := page{start(t, settings), settings, "asha", false}
	body, media := upload("cdsl", "wrong")
	a := p.fetch(t, "POST", "/api/parse-cas", body, "Content-Type", media)
	if got := a.mustHave(t, "status", "msg"); a.status < 400 || got["status"] != "failed" || !strings.Contains(strings.ToLower(a.body), "password") {
		t.Errorf("got %d %s, want the vendor's words about the password", a.status, a.body)
	}
	before := calls(vendor)
	p.fetch(t, "POST", "/api/parse-cas", strings.ReplaceAll(body, "%PDF", "PK"), "Content-Type", media).must(t, 400).mustHave(t, "error", "msg")
	p.fetch(t, "POST", "/api/parse-cas", "hello", "Content-Type", "text/plain").must(t, 400).mustHave(t, "error")
	if calls(vendor) != before {
		t.Error("the vendor was called for what is not a PDF")
	}
}

func TestDropInPathsAuthenticateCallers(t *testing.T) {
	t.Parallel()
	settings, vendor := compatSettings(t)
	b := start(t, settings)
	p := page{b, settings, "asha", true}
	form, formType := upload("cdsl", "ABCDE1234F")
	for _, r := range []struct{ method, path, body, media string }{
		{"GET", "/api/casparser/token", "", ""},
		{"POST", "/api/casparser/token", "", ""},
		{"POST", "/api/portfolio", "{}", textType},
		{"POST", "/api/parse-cas", form, formType},
	} {
		b.call(t, "", r.method, r.path, r.body, "Content-Type", r.media).must(t, 401).mustHave(t, "error", "message", "code")
		b.call(t, "", r.method, r.path, r.body, "Content-Type", r.media, "Authorization", "Bearer x.y.z").must(t, 401)
		for _, header := range [][]string{
			{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Sec-Fetch-Site", "", "Origin", "https://evil.example"},
		} {
			got := p.fetch(t, r.method, r.path, r.body, append(header, "Content-Type", r.media)...).must(t, 403).mustHave(t, "error")
			if got["code"] != "cross_origin" {
				t.Errorf("%s %s with %v: got %v, want cross_origin", r.method, r.path, header, got["code"])
			}
		}
	}
	if vendor.IssuedTokens() != 0 || calls(vendor) != 0 {
		t.Error("the vendor was called for callers who are not authenticated")
	}
}

func TestBlockedUserGetsNothingAtDropInPaths(t *testing.T) {
	t.Parallel()
	eachCompat(t, func(t *testing.T, settings config.Config, vendor *sandbox.Sandbox) {
		p := page{start(t, settings), settings, "asha", true}
		if _, err := p.app.Access().Block(t.Context(), operator, "app:asha", "", time.Time{}); err != nil {
			t.Fatal(err)
		}
		form, media := upload("cdsl", "ABCDE1234F")
		p.fetch(t, "GET", "/api/casparser/token", "").must(t, 403).mustHave(t, "error")
		p.fetch(t, "POST", "/api/parse-cas", form, "Content-Type", media).must(t, 403).mustHave(t, "error")
		if vendor.IssuedTokens() != 0 || calls(vendor) != 0 {
			t.Error("the vendor was called for a blocked user")
		}
	})
}

func TestMistakesAtDropInPathsAreNamed(t *testing.T) {
	t.Parallel()
	settings, _ := compatSettings(t)
	p := page{start(t, settings), settings, "asha", false}
	for name, r := range map[string]struct {
		method, path, body string
		status             int
		code               string
	}{
		"minutes out of range": {"POST", "/api/casparser/token", `{"expiryMinutes":61}`, 422, "invalid_expiry_minutes"},
		"minutes as text":      {"POST", "/api/casparser/token", `{"expiryMinutes":"30"}`, 422, "invalid_expiry_minutes"},
		"both spellings":       {"POST", "/api/casparser/token", `{"expiryMinutes":30,"expiry_minutes":30}`, 422, "invalid_expiry_minutes"},
		"unknown member":       {"POST", "/api/casparser/token", `{"user":"ravi"}`, 400, "invalid_json"},
		"query of a POST":      {"POST", "/api/casparser/token?expiryMinutes=5", "", 400, "invalid_query"},
		"minutes in a query":   {"GET", "/api/casparser/token?expiryMinutes=x", "", 422, "invalid_expiry_minutes"},
		"unknown parameter":    {"GET", "/api/casparser/token?user=ravi", "", 400, "invalid_query"},
		"mode":                 {"POST", "/api/casparser/token", `{"mode":"gateway"}`, 422, "invalid_mode"},
		"query of a save":      {"POST", "/api/portfolio?x=1", "{}", 400, "invalid_query"},
		"unreadable query":     {"POST", "/api/portfolio?x=%zz", "{}", 400, "invalid_query"},
		"query of a parse":     {"POST", "/api/parse-cas?password=x", "{}", 400, "invalid_query"},
		"not JSON":             {"POST", "/api/portfolio", "hello", 400, "invalid_json"},
		"no statement":         {"POST", "/api/portfolio", `{"access_token":"at_x"}`, 422, "not_a_statement"},
	} {
		got := p.fetch(t, r.method, r.path, r.body, "Content-Type", "application/json").must(t, r.status).mustHave(t, "error", "message", "msg")
		if got["code"] != r.code || got["error"] != got["detail"] || got["ok"] != false || got["success"] != false {
			t.Errorf("%s: got %v, want %s", name, got, r.code)
		}
	}
	var token issued
	p.fetch(t, "GET", "/api/casparser/token?expiryMinutes=5", "").must(t, 200).decode(t, &token)
	if token.ExpiresIn > 300 {
		t.Errorf("got a token for %d s, want 300", token.ExpiresIn)
	}
	p.call(t, "asha", "GET", "/api/portfolio", "").must(t, 405)
}

func TestDropInTokensOfTheGatewayAreAnnounced(t *testing.T) {
	t.Parallel()
	settings, _ := compatSettings(t)
	settings.Token.Mode = config.ModeGateway
	p := page{start(t, settings), settings, "asha", true}
	var g gatewayToken
	p.fetch(t, "GET", "/api/casparser/token", "").must(t, 200).decode(t, &g)
	if g.Mode != "gateway" || g.BaseURL != p.URL+"/gateway" {
		t.Errorf("got %+v, want a gateway token with its address", g)
	}
	if !strings.Contains(p.log.String(), "apiBaseUrl") {
		t.Error("the log does not say that pages have to know the address of the gateway")
	}
}

func TestTextIsSavedWithABearerTokenOnly(t *testing.T) {
	t.Parallel()
	eachCompat(t, func(t *testing.T, settings config.Config, _ *sandbox.Sandbox) {
		b := start(t, settings)
		const body = `{"meta":{"cas_type":"CDSL"},"nps":[{"pran":"110099990001","value":1,"funds":[{"name":"Fund","units":1,"nav":1,"value":1}]}]}`
		for _, media := range []string{textType, ""} {
			withCookie := []string{"Content-Type", media, "Cookie", "session=" + bearer(t, "ravi"), "Sec-Fetch-Site", "same-origin"}
			b.call(t, "", "POST", "/v1/portfolios", body, withCookie...).must(t, 415)
			b.call(t, "asha"+media, "POST", "/v1/portfolios", body, "Content-Type", media).must(t, 201)
		}
	})
}

// plainPage is a page of an app that calls its own back end with fetch and without headers.
const plainPage = `<!doctype html><link rel="icon" href="data:,"><script type="module">
const token = await (await fetch("/api/casparser/token")).json();
const data = {meta: {cas_type: "CDSL"}, nps: [{pran: "110099990001", value: 1, funds: [{name: "Fund", units: 1, nav: 1, value: 1}]}]};
const saved = await fetch("/api/portfolio", {method: "POST", body: JSON.stringify(data)});
const form = new FormData();
form.append("file", new File(["%PDF-1.4\n% cdsl\n%%EOF\n"], "cdsl.pdf", {type: "application/pdf"}));
form.append("password", "ABCDE1234F");
const parsed = await (await fetch("/api/parse-cas", {method: "POST", body: form})).json();
document.title = [typeof token.access_token, saved.status, parsed.meta?.cas_type].join(" ");
</script>`

func TestPageCallsDropInPathsWithPlainFetch(t *testing.T) {
	t.Parallel()
	settings, _ := compatSettings(t)
	b := start(t, settings)
	// The app's own server passes /api on to the broker.
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/api/") {
			b.app.Handler().ServeHTTP(w, r)
			return
		}
		http.SetCookie(w, &http.Cookie{Name: "session", Value: bearer(t, "asha"), HttpOnly: true}) //nolint:gosec // not Secure, since the test has no TLS
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, plainPage)
	}))
	t.Cleanup(site.Close)
	tab := openTab(t, desktop)
	tab.do(chromedp.Navigate(site.URL), until(`document.title === "string 201 CDSL"`))
	tab.wantNoErrors()
	var list struct{ Portfolios []struct{ Provenance string } }
	b.call(t, "asha", "GET", "/v1/portfolios", "").must(t, 200).decode(t, &list)
	if len(list.Portfolios) != 2 {
		t.Errorf("got %+v, want the saved portfolio and the parsed one", list)
	}
}
