package auth_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"

	"casbroker/internal/auth"
	"casbroker/internal/httpapi"
)

func TestRequestWithoutCredentialsGetsOnlyTheScheme(t *testing.T) {
	t.Parallel()
	a := newAuth(t, withSecret())
	for name, r := range map[string]*http.Request{
		"nothing":        request(t),
		"another scheme": request(t, "Basic YXNoYTpwYXNz"),
	} {
		got := ask(t, a, r)
		if got.status != http.StatusUnauthorized || got.code != "unauthenticated" || got.challenge != `Bearer realm="casbroker"` {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}

func TestBearerSchemeFollowsTheRFC(t *testing.T) {
	t.Parallel()
	a := newAuth(t, withSecret())
	token := signHS(t, claimsOf("asha"))
	for _, value := range []string{"Bearer " + token, "bearer " + token, "BEARER   " + token} {
		if got := ask(t, a, request(t, value)); got.body != "demo:asha" {
			t.Errorf("%.12s…: got %+v", value, got)
		}
	}
	for _, value := range []string{"Bearer", "Bearer ", "Bearer " + token + ", Bearer " + token, "Bearer " + token + " x"} {
		if got := ask(t, a, request(t, value)); got.code != "invalid_token" {
			t.Errorf("%.12s…: got %+v", value, got)
		}
	}
}

func TestTwoAuthorizationHeadersAreRefused(t *testing.T) {
	t.Parallel()
	a := newAuth(t, withSecret())
	token := "Bearer " + signHS(t, claimsOf("asha"))
	for _, r := range []*http.Request{request(t, token, token), request(t, "Basic YTpi", token), request(t, token, "")} {
		got := ask(t, a, r)
		if got.status != http.StatusBadRequest || got.code != "invalid_request" ||
			!strings.Contains(got.challenge, `error="invalid_request"`) {
			t.Errorf("got %+v", got)
		}
	}
}

func TestRequireRefusesMissingRole(t *testing.T) {
	t.Parallel()
	a := newAuth(t, withSecret())
	user := request(t, "Bearer "+signHS(t, claimsOf("asha")))
	got := ask(t, a, user, auth.Require(auth.RoleAdmin))
	if got.status != http.StatusForbidden || got.code != "forbidden" ||
		!strings.Contains(got.challenge, `error="insufficient_scope"`) || !strings.Contains(got.detail, "role admin") {
		t.Errorf("a user asks for an admin's call: %+v", got)
	}
	admin := request(t, "Bearer "+signHS(t, with("scope", "openid casbroker:admin")))
	if got := ask(t, a, admin, auth.Require(auth.RoleAdmin)); got.status != http.StatusOK {
		t.Errorf("an admin: %+v", got)
	}
}

func TestRequireWithoutCallerIsUnauthenticated(t *testing.T) {
	t.Parallel()
	e := echo.New()
	e.HTTPErrorHandler = httpapi.HandleError
	e.GET("/", func(c echo.Context) error { return c.NoContent(http.StatusOK) }, auth.Require(auth.RoleUser))
	w := httptest.NewRecorder()
	e.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
	if w.Code != http.StatusUnauthorized || w.Header().Get("WWW-Authenticate") == "" {
		t.Errorf("got %d %v", w.Code, w.Header())
	}
}

func byCookie(t *testing.T, method string, cookies []string, header ...string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, "https://broker.example/me", nil)
	for _, value := range cookies {
		r.AddCookie(&http.Cookie{Name: "session", Value: value}) //nolint:gosec // what a browser sends has no attributes
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return r
}

func TestCookieIsAcceptedFromPagesOfTheSameSite(t *testing.T) {
	t.Parallel()
	a := newAuthWith(t, auth.Options{
		Verifiers: []auth.Verifier{withSecret()}, Cookie: "session", TrustedOrigins: []string{"https://app.example"},
	})
	good, bad := []string{signHS(t, claimsOf("asha"))}, []string{"x.y.z"}
	bearer := "Bearer " + signHS(t, claimsOf("bela"))
	const site, origin = "Sec-Fetch-Site", "Origin"
	for name, tt := range map[string]struct {
		r      *http.Request
		status int
		want   string // subject or code
	}{
		"reading":                               {byCookie(t, "GET", good, site, "cross-site"), 200, "demo:asha"},
		"saving from the same origin":           {byCookie(t, "POST", good, site, "same-origin"), 200, "demo:asha"},
		"saving from another site":              {byCookie(t, "POST", good, site, "cross-site"), 403, "cross_origin"},
		"saving from a neighbouring host":       {byCookie(t, "POST", good, site, "same-site"), 403, "cross_origin"},
		"deleting from another site":            {byCookie(t, "DELETE", good, site, "cross-site"), 403, "cross_origin"},
		"an older browser on our page":          {byCookie(t, "POST", good, origin, "https://broker.example"), 200, "demo:asha"},
		"an older browser on another page":      {byCookie(t, "POST", good, origin, "https://evil.example"), 403, "cross_origin"},
		"an opaque origin":                      {byCookie(t, "POST", good, origin, "null"), 403, "cross_origin"},
		"a trusted origin":                      {byCookie(t, "POST", good, site, "cross-site", origin, "https://app.example"), 200, "demo:asha"},
		"a planted cookie before the good one":  {byCookie(t, "GET", append(bad, good...)), 200, "demo:asha"},
		"a planted cookie after the good one":   {byCookie(t, "GET", append(good, bad...)), 200, "demo:asha"},
		"an empty cookie and the good one":      {byCookie(t, "GET", append([]string{""}, good...)), 200, "demo:asha"},
		"the good cookie twice":                 {byCookie(t, "GET", append(good, good...)), 200, "demo:asha"},
		"a cookie of another user, too":         {byCookie(t, "GET", append(good, signHS(t, claimsOf("bela")))), 400, "invalid_request"},
		"more cookies than are verified":        {byCookie(t, "GET", append(good, "a.b.c", "d.e.f", "g.h.i", "j.k.l")), 400, "invalid_request"},
		"only bad cookies":                      {byCookie(t, "GET", append(bad, bad...)), 401, "invalid_token"},
		"a bad cookie":                          {byCookie(t, "GET", bad), 401, "invalid_token"},
		"an empty cookie":                       {byCookie(t, "GET", []string{""}), 401, "unauthenticated"},
		"no cookie":                             {byCookie(t, "POST", nil, site, "cross-site"), 401, "unauthenticated"},
		"bearer takes precedence over a cookie": {byCookie(t, "GET", good, "Authorization", bearer), 200, "demo:bela"},
		"bearer needs no origin":                {byCookie(t, "POST", good, "Authorization", bearer, site, "cross-site"), 200, "demo:bela"},
		"a bad bearer is not made up for":       {byCookie(t, "GET", good, "Authorization", "Bearer x.y.z"), 401, "invalid_token"},
		"a foreign scheme leaves the cookie":    {byCookie(t, "GET", good, "Authorization", "Basic YTpi"), 200, "demo:asha"},
		"a foreign scheme from another site":    {byCookie(t, "POST", good, "Authorization", "Basic YTpi", site, "cross-site"), 403, "cross_origin"},
		"an unknown method":                     {byCookie(t, "REPORT", good, site, "cross-site"), 403, "cross_origin"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := ask(t, a, tt.r)
			if got.status != tt.status || got.body != tt.want && got.code != tt.want {
				t.Errorf("got %+v, want %d %s", got, tt.status, tt.want)
			}
		})
	}
}

// TestCookieReadsOnRecordOnlyWithProofOfItsOrigin: a page of another site can have a browser send
// a GET with the cookie, which would stand in the audit trail under the name of its owner.
func TestCookieReadsOnRecordOnlyWithProofOfItsOrigin(t *testing.T) {
	t.Parallel()
	a := newAuthWith(t, auth.Options{
		Verifiers: []auth.Verifier{withSecret()}, Cookie: "session", TrustedOrigins: []string{"https://app.example"},
	})
	token := signHS(t, claimsOf("asha"))
	const site, origin = "Sec-Fetch-Site", "Origin"
	for name, c := range map[string]struct {
		method string
		header []string
		status int
	}{
		"own page":                            {"GET", []string{site, "same-origin"}, 200},
		"address typed by the user":           {"GET", []string{site, "none"}, 200},
		"trusted origin":                      {"GET", []string{site, "cross-site", origin, "https://app.example"}, 200},
		"own page in an older browser":        {"GET", []string{origin, "https://broker.example"}, 200},
		"no proof":                            {"GET", nil, 403},
		"page of another site":                {"GET", []string{site, "cross-site"}, 403},
		"link on another site":                {"GET", []string{site, "cross-site", "Sec-Fetch-Mode", "navigate"}, 403},
		"other host of the site":              {"GET", []string{site, "same-site", origin, "https://evil.example"}, 403},
		"another page in an older browser":    {"GET", []string{origin, "https://evil.example"}, 403},
		"change by a program":                 {"POST", nil, 200},
		"change by a page of another site":    {"POST", []string{site, "cross-site"}, 403},
		"program with the Authorization only": {"GET", []string{"Authorization", "Bearer " + token}, 200},
	} {
		got := askThrough(t, a.RecordedMiddleware(), byCookie(t, c.method, []string{token}, c.header...))
		if got.status != c.status || c.status == 403 && got.code != "cross_origin" {
			t.Errorf("%s: got %+v, want %d", name, got, c.status)
		}
	}
}

func TestCookieIsIgnoredUnlessConfigured(t *testing.T) {
	t.Parallel()
	a := newAuth(t, withSecret())
	if got := ask(t, a, byCookie(t, "GET", []string{signHS(t, claimsOf("asha"))})); got.code != "unauthenticated" {
		t.Errorf("got %+v", got)
	}
}
