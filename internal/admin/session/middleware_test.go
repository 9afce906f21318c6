package session_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"casbroker/internal/admin/session"
	"casbroker/internal/audit"
	"casbroker/internal/auth"
)

// broken is a drawer that fails with why.
type broken struct {
	*drawer
	why error
}

func (b broken) StartSession(context.Context, session.Kept, time.Time, audit.Record) error {
	return b.why
}

func (b broken) Session(context.Context, []byte) (*session.Kept, error) { return nil, b.why }

func (b broken) Append(context.Context, ...audit.Record) error { return b.why }

func TestASessionSpeaksForItsAdminOnPagesOfTheSameOriginOnly(t *testing.T) {
	t.Parallel()
	s := newSite(t, asha)
	good := "casbroker_session=" + s.post(t, ashasKey).cookie.Value
	const site, origin, cookie = "Sec-Fetch-Site", "Origin", "Cookie"
	for name, c := range map[string]struct {
		method string
		header []string
		status int
		want   string // what comes back, or its code
	}{
		"a script without a browser":         {"POST", []string{cookie, good}, 200, "admin/asha"},
		"our own page":                       {"POST", []string{cookie, good, site, "same-origin", origin, "https://broker.example"}, 200, "admin/asha"},
		"our own page that hides its origin": {"POST", []string{cookie, good, site, "same-origin", origin, "null"}, 200, "admin/asha"},
		"an older browser on our page":       {"POST", []string{cookie, good, origin, "https://broker.example"}, 200, "admin/asha"},
		"a form on another site":             {"POST", []string{cookie, good, site, "cross-site", origin, "null"}, 403, "cross_origin"},
		"a neighbouring host":                {"POST", []string{cookie, good, site, "same-site", origin, "https://app.example"}, 403, "cross_origin"},
		"an older browser on another page":   {"POST", []string{cookie, good, origin, "https://evil.example"}, 403, "cross_origin"},
		"a link on another page":             {"GET", []string{cookie, good, site, "same-site", "Sec-Fetch-Mode", "navigate"}, 200, "admin/asha"},
		"a frame on another page":            {"GET", []string{cookie, good, site, "same-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"}, 403, "cross_origin"},
		"an image on another page":           {"GET", []string{cookie, good, site, "same-site", "Sec-Fetch-Mode", "no-cors"}, 403, "cross_origin"},
		"a script of a neighbour that reads": {"GET", []string{cookie, good, site, "same-site", origin, "https://app.example"}, 403, "cross_origin"},
		"our own script that reads":          {"GET", []string{cookie, good, site, "same-origin"}, 200, "admin/asha"},
		"only the head":                      {"HEAD", []string{cookie, good, site, "same-origin"}, 200, "admin/asha"},
		"two cookies of the name":            {"GET", []string{cookie, good, cookie, "casbroker_session=x"}, 400, "invalid_request"},
		"the same one twice":                 {"GET", []string{cookie, good + "; " + good}, 400, "invalid_request"},
		"a JWT beside it goes before":        {"GET", []string{cookie, good, "Authorization", "Bearer admin"}, 200, "app:meera"},
		"a bad JWT is not made up for":       {"GET", []string{cookie, good, "Authorization", "Bearer x"}, 401, "unauthenticated"},
		"a JWT needs no origin":              {"POST", []string{"Authorization", "Bearer admin", site, "cross-site"}, 200, "app:meera"},
		"nothing":                            {"GET", nil, 401, "unauthenticated"},
	} {
		got := s.ask(t, c.method, "/admin/v1/work", "", c.header...)
		if got.status != c.status || got.body != c.want && got.code != c.want {
			t.Errorf("%s: %+v", name, got)
		}
	}
	for name, header := range map[string][]string{
		"another site":   {cookie, good, site, "cross-site"},
		"a neighbour":    {cookie, good, origin, "https://app.example"},
		"two cookies":    {cookie, good, cookie, good},
		"another method": {cookie, good, site, "same-origin"},
	} {
		method := "DELETE"
		if name == "another method" {
			method = "PUT"
		}
		if got := s.ask(t, method, route, "", header...); got.status < 400 {
			t.Errorf("signing out, %s: %+v", name, got)
		}
	}
	if got := s.ask(t, "GET", route, "", cookie, good); got.status != http.StatusOK {
		t.Errorf("another's page signed the admin out: %+v", got)
	}
}

func TestAnIdlePageDoesNotProlongTheSession(t *testing.T) {
	t.Parallel()
	s := newSite(t, asha)
	cookie := "casbroker_session=" + s.post(t, ashasKey).cookie.Value
	for range 3 {
		s.wait(session.Rest / 3)
		got := s.ask(t, "GET", "/admin/v1/work", "", "Cookie", cookie, session.HeaderIdle, "1")
		if over := s.Now().Sub(begin) == session.Rest; over != (got.code == "session_ended") {
			t.Errorf("after %s: %+v", s.Now().Sub(begin), got)
		}
	}
}

func TestSigningInIsRefusedWhereOthersCouldReadTheKey(t *testing.T) {
	t.Parallel()
	const site, origin = "Sec-Fetch-Site", "Origin"
	for name, c := range map[string]struct {
		host   string
		header []string
		want   error
	}{
		"a script without a browser":                 {"broker.example", nil, nil},
		"https":                                      {"broker.example", []string{origin, "https://broker.example", site, "same-origin"}, nil},
		"https, in an older browser":                 {"broker.example", []string{origin, "https://broker.example"}, nil},
		"https, and the page hides its origin":       {"broker.example", []string{origin, "null", site, "same-origin"}, nil},
		"https to a proxy that names this machine":   {"127.0.0.1:8080", []string{origin, "https://broker.example", site, "same-origin"}, nil},
		"this machine":                               {"localhost:8080", []string{origin, "http://localhost:8080", site, "same-origin"}, nil},
		"this machine by number":                     {"127.0.0.1:8080", []string{origin, "http://127.0.0.1:8080"}, nil},
		"this machine by the newer number":           {"[::1]:8080", []string{origin, "http://[::1]:8080"}, nil},
		"this machine, and the page hides it":        {"localhost:8080", []string{origin, "null", site, "same-origin"}, nil},
		"http":                                       {"broker.example", []string{origin, "http://broker.example"}, session.ErrInsecure},
		"http in the house":                          {"192.168.1.5:8080", []string{origin, "http://192.168.1.5:8080"}, session.ErrInsecure},
		"http to a proxy that names this machine":    {"127.0.0.1:8080", []string{origin, "http://broker.example"}, session.ErrInsecure},
		"http, and the page hides its origin":        {"192.168.1.5:8080", []string{origin, "null"}, session.ErrInsecure},
		"a page of another site":                     {"broker.example", []string{origin, "https://evil.example", site, "cross-site"}, auth.ErrCrossOrigin},
		"another site, in an older browser":          {"broker.example", []string{origin, "https://evil.example"}, auth.ErrCrossOrigin},
		"a page of this machine at another's":        {"broker.example", []string{origin, "http://localhost:3000"}, auth.ErrCrossOrigin},
		"another program's page on the same machine": {"localhost:8080", []string{origin, "http://localhost:3000", site, "same-site"}, auth.ErrCrossOrigin},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+c.host+route, nil)
		for i := 0; i < len(c.header); i += 2 {
			r.Header.Add(c.header[i], c.header[i+1])
		}
		if err := session.CheckSecure(r); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
	s := newSite(t, asha)
	if got := s.post(t, ashasKey, origin, "http://broker.example"); got.status != http.StatusForbidden || got.code != "insecure_sign_in" {
		t.Errorf("%+v", got)
	}
	if len(s.drawer.records()) != 0 || s.drawer.asked != 0 {
		t.Error("the key was looked at")
	}
}

func TestAPageIdentifiesItsOperatorByItself(t *testing.T) {
	t.Parallel()
	d := newDesk(t, asha)
	token := d.signIn(t, ashasKey)
	ask := func(cookies ...string) (echo.Context, *session.Session, error) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://broker.example/console/", nil)
		for _, value := range cookies {
			r.AddCookie(&http.Cookie{Name: "casbroker_session", Value: value}) //nolint:gosec // what a browser sends has no attributes
		}
		c := echo.New().NewContext(r, httptest.NewRecorder())
		k, err := d.Identify(c)
		return c, k, err
	}
	c, k, err := ask(token.Reveal())
	if err != nil || k == nil || k.Admin != "asha" || session.Current(c) != k || auth.Caller(c).Subject != "admin/asha" || session.Token(c) != token {
		t.Errorf("signed in: %+v %v", k, err)
	}
	for name, cookies := range map[string][]string{"nobody": nil, "a session that was never begun": {token.Reveal()[1:] + "x"}} {
		if c, k, err := ask(cookies...); err != nil || k != nil || session.Current(c) != nil || auth.Caller(c).Subject != "" {
			t.Errorf("%s: %+v %v", name, k, err)
		}
	}
	if c, k, err := ask(token.Reveal(), "x"); !errors.Is(err, auth.ErrInvalidRequest) || k != nil || session.Token(c) != "" {
		t.Errorf("two cookies: %+v %v", k, err)
	}
}
