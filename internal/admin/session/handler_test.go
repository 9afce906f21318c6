package session_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/labstack/echo/v4"

	"casbroker/internal/admin/session"
	"casbroker/internal/auth"
	"casbroker/internal/fault"
	"casbroker/internal/secret"
	"casbroker/internal/server"
)

// testServer is a server with sessions and one operators' route.
type testServer struct {
	*testService
	router *server.Router
	log    strings.Builder
	limits []string // names of the limits that were applied, in order
}

func newServer(t *testing.T, keys ...session.Key) *testServer {
	t.Helper()
	s := &testServer{testService: newService(t, keys...)}
	s.router = server.NewRouter(server.Options{Log: slog.New(slog.NewTextHandler(&s.log, nil)), OpenAPI: []byte("openapi: 3.1.0")})
	through := []server.Middleware{s.Middleware(byJWT)}
	s.router.Mount("/admin/v1", through, &session.Handler{
		Sessions: s.Service, Limit: s.limit("admin"), ReserveSignIn: s.reserve,
	}, workRoute{})
	return s
}

func (s *testServer) limit(name string) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			s.limits = append(s.limits, name)
			return next(c)
		}
	}
}

func (s *testServer) reserve(echo.Context) error {
	s.limits = append(s.limits, "sign_in")
	return nil
}

// workRoute is a route for operators that answers with their subject.
type workRoute struct{}

func (workRoute) Mount(g *echo.Group) {
	answer := func(c echo.Context) error { return c.String(http.StatusOK, auth.Caller(c).Subject) }
	g.GET("/work", answer, auth.Require(auth.RoleAdmin))
	g.POST("/work", answer, auth.Require(auth.RoleAdmin))
}

// byJWT authenticates one admin and one user by fixed tokens.
func byJWT(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		who := &auth.Principal{Subject: "app:meera", Roles: auth.RoleUser | auth.RoleAdmin}
		switch c.Request().Header.Get("Authorization") {
		case "Bearer admin":
		case "Bearer user":
			who = &auth.Principal{Subject: "app:ravi", Roles: auth.RoleUser}
		default:
			return auth.ErrUnauthenticated
		}
		c.SetRequest(c.Request().WithContext(auth.With(c.Request().Context(), who)))
		return next(c)
	}
}

// reply is an answer, as far as the tests read it.
type reply struct {
	status int
	body   string
	code   string
	cookie *http.Cookie // nil for none
	header http.Header
}

// request sends a request with pairs of header names and values.
func (s *testServer) request(t *testing.T, method, path, body string, header ...string) reply {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, "https://broker.example"+path, strings.NewReader(body))
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
		}
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.router.ServeHTTP(w, r)
	return read(t, w.Result())
}

func read(t *testing.T, answer *http.Response) reply {
	t.Helper()
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	got := reply{status: answer.StatusCode, body: string(body), header: answer.Header}
	var p struct{ Code string }
	_ = json.Unmarshal(body, &p, json.MatchCaseInsensitiveNames(true))
	got.code = p.Code
	for _, c := range answer.Cookies() {
		got.cookie = c
	}
	return got
}

const route = "/admin/v1/session"

// post signs in with key.
func (s *testServer) post(t *testing.T, key secret.Text, header ...string) reply {
	t.Helper()
	return s.request(t, http.MethodPost, route, `{"key":"`+key.Reveal()+`"}`, append([]string{"Content-Type", "application/json"}, header...)...)
}

func TestKeyIsExchangedForCookieThatWorksUntilSignOut(t *testing.T) {
	t.Parallel()
	s := newServer(t, asha)
	got := s.post(t, ashasKey)
	const started = `{"admin":"asha","started_at":"2026-04-01T10:00:00Z","ends_at":"2026-04-01T10:30:00Z"}`
	if got.status != http.StatusCreated || strings.TrimSpace(got.body) != started || got.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("sign in: got %+v", got)
	}
	cookie := []string{"Cookie", "__Host-casbroker_session=" + got.cookie.Value}
	s.wait(10 * time.Minute)
	if got := s.request(t, "GET", "/admin/v1/work", "", cookie...); got.status != http.StatusOK || got.body != "admin/asha" {
		t.Errorf("work: got %+v", got)
	}
	prolonged := strings.Replace(started, "10:30", "10:40", 1)
	if got := s.request(t, "GET", route, "", cookie...); got.status != http.StatusOK || strings.TrimSpace(got.body) != prolonged ||
		got.header.Get("Cache-Control") != "no-store" {
		t.Errorf("show: got %+v", got)
	}
	for range 2 {
		got := s.request(t, "DELETE", route, "", cookie...)
		if got.status != http.StatusNoContent || got.cookie == nil || got.cookie.Value != "" || got.cookie.MaxAge >= 0 {
			t.Errorf("sign out: got %+v", got)
		}
	}
	got = s.request(t, "GET", "/admin/v1/work", "", cookie...)
	if got.status != http.StatusUnauthorized || got.code != "session_ended" || got.cookie == nil || got.cookie.MaxAge >= 0 ||
		got.header.Get("WWW-Authenticate") != `Bearer realm="casbroker"` {
		t.Errorf("work after signing out: got %+v", got)
	}
	if log := s.log.String(); strings.Contains(log, cookie[1]) || strings.Contains(log, ashasKey.Reveal()) || !strings.Contains(log, "subject=admin/asha") {
		t.Errorf("got the log:\n%s", log)
	}
	if strings.Join(s.limits, " ") != "admin admin admin" {
		t.Errorf("got the limits %v", s.limits)
	}
}

func TestSignOutNeedsNoSession(t *testing.T) {
	t.Parallel()
	s := newServer(t, asha)
	for name, header := range map[string][]string{
		"no cookie":      nil,
		"empty cookie":   {"Cookie", "__Host-casbroker_session="},
		"unknown cookie": {"Cookie", "__Host-casbroker_session=" + strings.Repeat("x", 43)},
		"JWT":            {"Authorization", "Bearer user"},
		"invalid JWT":    {"Authorization", "Bearer x"},
	} {
		if got := s.request(t, "DELETE", route, "", header...); got.status != http.StatusNoContent {
			t.Errorf("%s: got %+v", name, got)
		}
	}
	if n := len(s.store.records()); n != 0 {
		t.Errorf("got %d records, want none", n)
	}
}

func TestAdminWithJWTHasNoSession(t *testing.T) {
	t.Parallel()
	s := newServer(t, asha)
	for _, c := range []struct {
		jwt    string
		status int
		want   string
	}{
		{"Bearer admin", http.StatusOK, `{"admin":"app:meera"}`},
		{"Bearer user", http.StatusForbidden, `"code":"forbidden"`},
		{"Bearer x", http.StatusUnauthorized, `"code":"unauthenticated"`},
	} {
		if got := s.request(t, "GET", route, "", "Authorization", c.jwt); got.status != c.status || !strings.Contains(got.body, c.want) {
			t.Errorf("%s: got %+v", c.jwt, got)
		}
	}
}

func TestInvalidSignInIsRefusedWithoutRepeatingIt(t *testing.T) {
	t.Parallel()
	s := newServer(t, asha)
	key := ashasKey.Reveal()
	const media, jsonType = "Content-Type", "application/json"
	for name, c := range map[string]struct {
		body, media string
		status      int
		code        string
	}{
		"wrong key":          {`{"key":"` + rohansKey.Reveal() + `"}`, jsonType, 401, "wrong_key"},
		"no body":            {``, jsonType, 400, "invalid_json"},
		"string":             {`"` + key + `"`, jsonType, 400, "invalid_json"},
		"bare key":           {key, jsonType, 400, "invalid_json"},
		"null":               {`null`, jsonType, 400, "invalid_json"},
		"no key":             {`{}`, jsonType, 400, "invalid_json"},
		"empty key":          {`{"key":""}`, jsonType, 400, "invalid_json"},
		"list as key":        {`{"key":["` + key + `"]}`, jsonType, 400, "invalid_json"},
		"key as member name": {`{"` + key + `":"key"}`, jsonType, 400, "invalid_json"},
		"unknown member":     {`{"key":"` + key + `","name":"` + key + `"}`, jsonType, 400, "invalid_json"},
		"duplicate member":   {`{"key":"` + key + `","key":"` + key + `"}`, jsonType, 400, "invalid_json"},
		"trailing text":      {`{"key":"` + key + `"}` + key, jsonType, 400, "invalid_json"},
		"form":               {"key=" + key, "application/x-www-form-urlencoded", 415, "unsupported_media_type"},
		"no media type":      {`{"key":"` + key + `"}`, "", 415, "unsupported_media_type"},
		"body too large":     {`{"key":"` + strings.Repeat("x", 4<<10) + `"}`, jsonType, 413, "body_too_large"},
	} {
		got := s.request(t, "POST", route, c.body, media, c.media)
		if got.status != c.status || got.code != c.code || got.cookie != nil {
			t.Errorf("%s: got %+v", name, got)
		}
		if challenged := got.header.Get("WWW-Authenticate") != ""; challenged != (c.status == http.StatusUnauthorized) {
			t.Errorf("%s: has WWW-Authenticate: %v", name, challenged)
		}
		if strings.Contains(got.body+s.log.String(), key[9:]) {
			t.Errorf("%s: the answer or the log repeats the key: %s %s", name, got.body, s.log.String())
		}
	}
	if got := s.post(t, ashasKey, media, "x"); got.status != http.StatusCreated {
		t.Errorf("two media types: got %+v", got)
	}
	if got := newServer(t).post(t, ashasKey); got.status != http.StatusForbidden || got.code != "no_admin_keys" {
		t.Errorf("without keys: got %+v", got)
	}
}

func TestCookieIsHiddenFromScriptsOtherSitesAndPlainHTTP(t *testing.T) {
	t.Parallel()
	s := newServer(t, asha)
	const https, http8080 = "__Host-casbroker_session", "casbroker_session_8080"
	for host, name := range map[string]string{
		"broker.example": https, "broker.example:8443": https, "192.0.2.1:8080": https, "[2001:db8::1]": https,
		"localhost.example": https, "127.0.0.1.example": https, "notlocalhost": https,
		"localhost": "casbroker_session", "localhost:8080": http8080, "LOCALHOST:80": "casbroker_session_80", "console.localhost:8080": http8080,
		"127.0.0.1": "casbroker_session", "127.8.9.1:8080": http8080, "[::1]:8080": http8080, "[::1]": "casbroker_session",
	} {
		made := s.post(t, ashasKey, "Host", host).cookie
		for _, c := range []*http.Cookie{made, s.request(t, "DELETE", route, "", "Host", host, "Cookie", name+"="+made.Value).cookie} {
			if c.Name != name || c.Path != "/" || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Domain != "" {
				t.Errorf("%s: got %s, want %s", host, c, name)
			}
			if secure := name == https; c.Secure != secure {
				t.Errorf("%s: got Secure %v", host, c.Secure)
			}
		}
	}
	c := s.post(t, ashasKey, "Host", "127.0.0.1:8080", "Origin", "https://broker.example", "Sec-Fetch-Site", "same-origin").cookie
	if !c.Secure || c.Name != "__Host-casbroker_session_8080" {
		t.Errorf("behind a TLS proxy that forwards to loopback: got %s", c)
	}
	if got := s.request(t, "GET", route, "", "Host", "127.0.0.1:8080", "Cookie", c.Name+"="+c.Value); got.status != 200 {
		t.Errorf("behind a TLS proxy that forwards to loopback: got %+v", got)
	}
}

// TestPlantedCookieIsIgnoredAndCleared: another host of the domain, or another program on the
// machine, can have a browser send a cookie of the same name.
func TestPlantedCookieIsIgnoredAndCleared(t *testing.T) {
	t.Parallel()
	s := newServer(t, asha)
	good := s.post(t, ashasKey).cookie.Value
	const https, loopback = "__Host-casbroker_session", "casbroker_session_8080"
	other := strings.Repeat("x", 43)
	for name, c := range map[string]struct {
		host, cookie string
		status       int
		cleared      []string // name, domain and path; each must be cleared
		kept         string   // must not be cleared
	}{
		"no other": {"broker.example", https + "=" + good, 200, nil, https + "||/"},
		"before it, of the domain": {"broker.example", https + "=" + other + "; " + https + "=" + good, 200,
			[]string{https + "|broker.example|/", https + "||/admin", https + "||/admin/v1/"}, https + "||/"},
		"after it":           {"broker.example", https + "=" + good + "; " + https + "=" + other, 200, []string{https + "||/admin"}, https + "||/"},
		"the same":           {"broker.example", https + "=" + good + "; " + https + "=" + good, 200, []string{https + "||/admin"}, https + "||/"},
		"without TLS":        {"broker.example", "casbroker_session=" + other + "; " + https + "=" + good, 200, []string{"casbroker_session||/", "casbroker_session|broker.example|/"}, https + "||/"},
		"good without TLS":   {"broker.example", "casbroker_session=" + good, 401, nil, https + "||/"},
		"of a sub-domain":    {"console.broker.example", https + "=" + other + "; " + https + "=" + good, 200, []string{https + "|console.broker.example|/", https + "|broker.example|/"}, https + "||/"},
		"on loopback":        {"127.0.0.1:8080", loopback + "=" + other + "; " + loopback + "=" + good, 200, []string{loopback + "||/admin", loopback + "||/admin/v1/work"}, loopback + "||/"},
		"of another port":    {"127.0.0.1:8080", "casbroker_session_8081=" + other + "; casbroker_session=" + other + "; " + loopback + "=" + good, 200, nil, "casbroker_session_8081||/"},
		"none is right":      {"broker.example", https + "=" + other + "; " + https + "=" + other[1:] + "y", 401, []string{https + "||/", https + "||/admin"}, "casbroker_session||/"},
		"too many to try":    {"broker.example", strings.Repeat(https+"="+other+"; ", 10) + https + "=" + good, 401, []string{https + "||/", https + "||/admin"}, "casbroker_session||/"},
		"as many as allowed": {"broker.example", strings.Repeat(https+"="+other+"; ", 9) + https + "=" + good, 200, []string{https + "||/admin"}, https + "||/"},
	} {
		got := s.request(t, "GET", "/admin/v1/work", "", "Host", c.host, "Cookie", c.cookie)
		if got.status != c.status {
			t.Errorf("%s: got %+v, want %d", name, got, c.status)
		}
		var cleared []string
		for _, line := range got.header.Values("Set-Cookie") {
			set, err := http.ParseSetCookie(line)
			if err != nil || set.MaxAge >= 0 || set.Value != "" {
				t.Fatalf("%s: got %s, want it to clear a cookie", name, line)
			}
			cleared = append(cleared, set.Name+"|"+set.Domain+"|"+set.Path)
		}
		for _, want := range c.cleared {
			if !slices.Contains(cleared, want) {
				t.Errorf("%s: got %q, want %s cleared", name, cleared, want)
			}
		}
		if slices.Contains(cleared, c.kept) || c.cleared == nil && len(cleared) > 0 {
			t.Errorf("%s: got %q cleared", name, cleared)
		}
	}
}

func TestEmptyCookieCountsAsMissing(t *testing.T) {
	t.Parallel()
	s := newServer(t, asha)
	for _, cookie := range []string{"__Host-casbroker_session=", "__Host-casbroker_session", "other=x"} {
		if got := s.request(t, "GET", "/admin/v1/work", "", "Cookie", cookie); got.code != "unauthenticated" {
			t.Errorf("%s: got %+v", cookie, got)
		}
	}
}

func TestSessionsAreUnavailableWithoutDatabase(t *testing.T) {
	t.Parallel()
	s := newServer(t, asha)
	cookie := "__Host-casbroker_session=" + s.post(t, ashasKey).cookie.Value
	down := fault.New(fault.Unavailable, "store_unavailable", "The database is down.")
	s.Store = broken{s.store, down}
	for _, got := range []reply{
		s.post(t, ashasKey), s.post(t, rohansKey),
		s.request(t, "GET", route, "", "Cookie", cookie), s.request(t, "DELETE", route, "", "Cookie", cookie),
	} {
		if got.status != http.StatusServiceUnavailable || got.code != "store_unavailable" || got.cookie != nil {
			t.Errorf("got %+v, want 503 store_unavailable", got)
		}
	}
}
