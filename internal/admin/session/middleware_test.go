package session_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"casbroker/internal/admin/session"
	"casbroker/internal/audit"
	"casbroker/internal/auth"
)

// broken is a store that fails with err.
type broken struct {
	*memoryStore
	err error
}

func (b broken) StartSession(context.Context, session.Stored, time.Time, audit.Record) error {
	return b.err
}

func (b broken) Session(context.Context, []byte) (*session.Stored, error) { return nil, b.err }

func (b broken) Append(context.Context, ...audit.Record) error { return b.err }

func TestSessionCookieWorksOnlyForSameOrigin(t *testing.T) {
	t.Parallel()
	s := newServer(t, asha)
	good := "__Host-casbroker_session=" + s.post(t, ashasKey).cookie.Value
	const site, origin, cookie = "Sec-Fetch-Site", "Origin", "Cookie"
	for name, c := range map[string]struct {
		method string
		header []string
		status int
		want   string // the body, or the code of the problem
	}{
		"script without a browser":          {"POST", []string{cookie, good}, 200, "admin/asha"},
		"own page":                          {"POST", []string{cookie, good, site, "same-origin", origin, "https://broker.example"}, 200, "admin/asha"},
		"own page that hides its origin":    {"POST", []string{cookie, good, site, "same-origin", origin, "null"}, 200, "admin/asha"},
		"own page in an older browser":      {"POST", []string{cookie, good, origin, "https://broker.example"}, 200, "admin/asha"},
		"form of another site":              {"POST", []string{cookie, good, site, "cross-site", origin, "null"}, 403, "cross_origin"},
		"other host of the site":            {"POST", []string{cookie, good, site, "same-site", origin, "https://app.example"}, 403, "cross_origin"},
		"another site in an older browser":  {"POST", []string{cookie, good, origin, "https://evil.example"}, 403, "cross_origin"},
		"link on another page":              {"GET", []string{cookie, good, site, "same-site", "Sec-Fetch-Mode", "navigate"}, 200, "admin/asha"},
		"frame on another page":             {"GET", []string{cookie, good, site, "same-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"}, 403, "cross_origin"},
		"image on another page":             {"GET", []string{cookie, good, site, "same-site", "Sec-Fetch-Mode", "no-cors"}, 403, "cross_origin"},
		"reading script of the same site":   {"GET", []string{cookie, good, site, "same-site", origin, "https://app.example"}, 403, "cross_origin"},
		"own script that reads":             {"GET", []string{cookie, good, site, "same-origin"}, 200, "admin/asha"},
		"HEAD":                              {"HEAD", []string{cookie, good, site, "same-origin"}, 200, "admin/asha"},
		"link on a page of another site":    {"GET", []string{cookie, good, site, "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}, 200, "admin/asha"},
		"another cookie before it":          {"GET", []string{cookie, "__Host-casbroker_session=" + strings.Repeat("x", 43), cookie, good}, 200, "admin/asha"},
		"another cookie, from another site": {"POST", []string{cookie, "__Host-casbroker_session=x", cookie, good, site, "cross-site"}, 403, "cross_origin"},
		"valid JWT wins over the cookie":    {"GET", []string{cookie, good, "Authorization", "Bearer admin"}, 200, "app:meera"},
		"invalid JWT wins over the cookie":  {"GET", []string{cookie, good, "Authorization", "Bearer x"}, 401, "unauthenticated"},
		"JWT from another site":             {"POST", []string{"Authorization", "Bearer admin", site, "cross-site"}, 200, "app:meera"},
		"no credentials":                    {"GET", nil, 401, "unauthenticated"},
	} {
		got := s.request(t, c.method, "/admin/v1/work", "", c.header...)
		if got.status != c.status || got.body != c.want && got.code != c.want {
			t.Errorf("%s: got %+v", name, got)
		}
	}
	for name, header := range map[string][]string{
		"another site":           {cookie, good, site, "cross-site"},
		"other host of the site": {cookie, good, origin, "https://app.example"},
		"another method":         {cookie, good, site, "same-origin"},
	} {
		method := "DELETE"
		if name == "another method" {
			method = "PUT"
		}
		if got := s.request(t, method, route, "", header...); got.status < 400 {
			t.Errorf("sign out, %s: got %+v", name, got)
		}
	}
	if got := s.request(t, "GET", route, "", cookie, good); got.status != http.StatusOK {
		t.Errorf("a request of another site ended the session: %+v", got)
	}
}

func TestIdlePageDoesNotProlongSession(t *testing.T) {
	t.Parallel()
	s := newServer(t, asha)
	cookie := "__Host-casbroker_session=" + s.post(t, ashasKey).cookie.Value
	for range 3 {
		s.wait(session.IdleTimeout / 3)
		got := s.request(t, "GET", "/admin/v1/work", "", "Cookie", cookie, session.HeaderIdle, "1")
		if over := s.Now().Sub(begin) == session.IdleTimeout; over != (got.code == "session_ended") {
			t.Errorf("after %s: got %+v", s.Now().Sub(begin), got)
		}
	}
}

func TestSignInIsRefusedOverInsecureHTTP(t *testing.T) {
	t.Parallel()
	const site, origin = "Sec-Fetch-Site", "Origin"
	for name, c := range map[string]struct {
		host   string
		header []string
		want   error
	}{
		"script without a browser":          {"broker.example", nil, nil},
		"https":                             {"broker.example", []string{origin, "https://broker.example", site, "same-origin"}, nil},
		"https in an older browser":         {"broker.example", []string{origin, "https://broker.example"}, nil},
		"https, hidden origin":              {"broker.example", []string{origin, "null", site, "same-origin"}, nil},
		"https through a proxy to loopback": {"127.0.0.1:8080", []string{origin, "https://broker.example", site, "same-origin"}, nil},
		"loopback":                          {"localhost:8080", []string{origin, "http://localhost:8080", site, "same-origin"}, nil},
		"loopback by IPv4 address":          {"127.0.0.1:8080", []string{origin, "http://127.0.0.1:8080"}, nil},
		"loopback by IPv6 address":          {"[::1]:8080", []string{origin, "http://[::1]:8080"}, nil},
		"loopback, hidden origin":           {"localhost:8080", []string{origin, "null", site, "same-origin"}, nil},
		"http":                              {"broker.example", []string{origin, "http://broker.example"}, session.ErrInsecure},
		"http in a private network":         {"192.168.1.5:8080", []string{origin, "http://192.168.1.5:8080"}, session.ErrInsecure},
		"http through a proxy to loopback":  {"127.0.0.1:8080", []string{origin, "http://broker.example"}, session.ErrInsecure},
		"http, hidden origin":               {"192.168.1.5:8080", []string{origin, "null"}, session.ErrInsecure},
		"page of another site":              {"broker.example", []string{origin, "https://evil.example", site, "cross-site"}, auth.ErrCrossOrigin},
		"another site, in an older browser": {"broker.example", []string{origin, "https://evil.example"}, auth.ErrCrossOrigin},
		"loopback page, remote broker":      {"broker.example", []string{origin, "http://localhost:3000"}, auth.ErrCrossOrigin},
		"other loopback page":               {"localhost:8080", []string{origin, "http://localhost:3000", site, "same-site"}, auth.ErrCrossOrigin},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+c.host+route, nil)
		for i := 0; i < len(c.header); i += 2 {
			r.Header.Add(c.header[i], c.header[i+1])
		}
		if err := session.CheckSecure(r); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
	s := newServer(t, asha)
	renamed := s.post(t, ashasKey, "Host", "10.0.0.7:8080", origin, "https://broker.example")
	if renamed.status != 403 || renamed.code != "cross_origin" || !strings.Contains(renamed.body, "must pass the Host header on unchanged") {
		t.Errorf("a proxy that renames the host, in an older browser: got %+v", renamed)
	}
	if got := s.post(t, ashasKey, origin, "http://broker.example"); got.status != http.StatusForbidden || got.code != "insecure_sign_in" {
		t.Errorf("got %+v, want 403 insecure_sign_in", got)
	}
	if len(s.store.records()) != 0 || s.store.calls != 0 {
		t.Error("the store was called")
	}
}

func TestIdentifyFindsOperatorOfPage(t *testing.T) {
	t.Parallel()
	s := newService(t, asha)
	token := s.signIn(t, ashasKey)
	identify := func(cookies ...string) (echo.Context, *session.Session, error) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://broker.example/console/", nil)
		for _, value := range cookies {
			r.AddCookie(&http.Cookie{Name: "__Host-casbroker_session", Value: value}) //nolint:gosec // what a browser sends has no attributes
		}
		c := echo.New().NewContext(r, httptest.NewRecorder())
		found, err := s.Identify(c)
		return c, found, err
	}
	c, found, err := identify(token.Reveal())
	if err != nil || found == nil || found.Admin != "asha" || session.Current(c) != found || auth.Caller(c).Subject != "admin/asha" || !session.HasCookie(c) {
		t.Errorf("signed in: got %+v and %v", found, err)
	}
	for name, cookies := range map[string][]string{"no cookie": nil, "unknown token": {token.Reveal()[1:] + "x"}} {
		if c, found, err := identify(cookies...); err != nil || found != nil || session.Current(c) != nil || auth.Caller(c).Subject != "" {
			t.Errorf("%s: got %+v and %v, want no session", name, found, err)
		}
	}
	if _, found, err := identify("x", token.Reveal()); err != nil || found == nil || found.Admin != "asha" {
		t.Errorf("two cookies: got %+v and %v", found, err)
	}
}
