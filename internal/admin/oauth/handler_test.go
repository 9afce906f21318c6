package oauth_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"casbroker/internal/access"
	"casbroker/internal/admin/oauth"
	"casbroker/internal/audit"
	"casbroker/internal/auth"
	"casbroker/internal/cache"
	"casbroker/internal/sandbox"
	"casbroker/internal/secret"
	"casbroker/internal/server"
	"casbroker/internal/store"
	"casbroker/internal/testkit/apitest"
	"casbroker/internal/testkit/storetest"
	"casbroker/internal/token"
	"casbroker/internal/upstream"
	"casbroker/web"
)

// begin is when the clock of every test starts.
var begin = time.Date(2026, 4, 1, 10, 0, 0, 0, time.UTC)

// broker is a server with the OAuth routes and a service that issues tokens. Its answers
// are checked against the OpenAPI file.
type broker struct {
	url     string
	client  *http.Client
	db      *store.DB
	tokens  *token.Service
	service *oauth.Service
	passed  atomic.Int64 // since begin
}

func (b *broker) now() time.Time { return begin.Add(time.Duration(b.passed.Load())) }

// eachBroker runs test with every kind of database.
func eachBroker(t *testing.T, test func(t *testing.T, b *broker)) {
	t.Helper()
	storetest.EachURL(t, func(t *testing.T, url string) { test(t, start(t, url)) })
}

// startSQLite starts a broker with a SQLite database.
func startSQLite(t *testing.T) *broker {
	t.Helper()
	return start(t, storetest.SQLite(t))
}

func start(t *testing.T, url string) *broker {
	t.Helper()
	b := &broker{client: apitest.Client(t)}
	log, box := slog.New(slog.DiscardHandler), storetest.NewBox(t)
	b.db = storetest.Open(t, url, box)
	watcher := access.NewWatcher(access.WatchOptions{
		Store: b.db, PubSub: &cache.Memory{}, Log: log, Now: b.now, Poll: time.Hour, MaxAge: 24 * time.Hour,
		Hash: strings.ToUpper,
	})
	if err := watcher.Refresh(t.Context(), access.TriggerPoll); err != nil {
		t.Fatal(err)
	}
	cache, err := cache.NewMemory(cache.MemoryOptions{})
	if err != nil {
		t.Fatal(err)
	}
	b.tokens = &token.Service{
		Minter: vendor(t, b.now), Grants: b.db, Cache: cache, Access: watcher, Box: box, Log: log, Now: b.now, MintTimeout: time.Minute,
	}
	b.service = &oauth.Service{
		Grants:  &token.Directory{Grants: b.db, Box: box, Now: b.now},
		ActsFor: func(auth.Principal) []string { return []string{"app"} },
		Access:  &access.Service{Store: b.db, Watcher: watcher, Now: b.now}, Recorder: b.db, Now: b.now,
	}
	router := server.NewRouter(server.Options{Log: log, OpenAPI: web.OpenAPI})
	router.Mount("/oauth", []server.Middleware{authenticate}, &oauth.Handler{Tokens: b.service})
	front := httptest.NewServer(router)
	t.Cleanup(front.Close)
	b.url = front.URL
	return b
}

// vendor returns a client of an emulated vendor.
func vendor(t *testing.T, now func() time.Time) *upstream.Client {
	t.Helper()
	const key = "the-api-key-of-the-tests"
	emulated := httptest.NewServer(sandbox.New(sandbox.Options{APIKey: key}))
	t.Cleanup(emulated.Close)
	return upstream.New(upstream.Options{
		URL: emulated.URL, APIKey: key, Timeout: 10 * time.Second, Deadline: 20 * time.Second, Attempts: 1,
		Log: slog.New(slog.DiscardHandler), Now: now,
	})
}

// roles are the roles of the callers; the bearer token is their name.
var roles = map[string]auth.Role{"meera": auth.RoleAdmin, "robot": auth.RoleService, "asha": auth.RoleUser}

// authenticate replaces the authentication.
func authenticate(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		name := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		if role, ok := roles[name]; ok {
			c.SetRequest(r.WithContext(auth.With(r.Context(), &auth.Principal{Subject: "ops:" + name, Roles: role})))
		}
		return next(c)
	}
}

// token issues an access token to subject.
func (b *broker) token(t *testing.T, subject string) token.Issued {
	t.Helper()
	issued, err := b.tokens.Issue(t.Context(), auth.Principal{Subject: subject, Roles: auth.RoleUser}, token.Request{TTL: time.Hour}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return issued
}

type reply struct {
	status int
	header http.Header
	body   string
}

const form = "application/x-www-form-urlencoded"

// post sends body to path as who.
func (b *broker) post(t *testing.T, who, path, body string) reply {
	t.Helper()
	return b.send(t, who, http.MethodPost, path, body, form)
}

func (b *broker) send(t *testing.T, who, method, path, body, media string) reply {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, b.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+who)
	req.Header.Set("Content-Type", media)
	res, err := b.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{res.StatusCode, res.Header, strings.TrimSpace(string(text))}
}

// introspect returns the answer about a token, which must be 200.
func (b *broker) introspect(t *testing.T, who string, value secret.Text) string {
	t.Helper()
	r := b.post(t, who, "/oauth/introspect", "token="+url.QueryEscape(value.Reveal()))
	if r.status != http.StatusOK || r.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("got %d %v %s", r.status, r.header, r.body)
	}
	return r.body
}

const inactive = `{"active":false}`

func TestActiveTokenIsDescribed(t *testing.T) {
	t.Parallel()
	eachBroker(t, func(t *testing.T, b *broker) {
		for _, subject := range []string{"app:asha", "app:a/b 😀\"&+%"} {
			issued := b.token(t, subject)
			for _, who := range []string{"robot", "meera"} {
				var got map[string]any
				if err := json.Unmarshal([]byte(b.introspect(t, who, issued.Value)), &got); err != nil {
					t.Fatal(err)
				}
				want := map[string]any{
					"active": true, "token_type": "api_key", "sub": subject, "jti": issued.GrantID, "mode": "direct",
					"iat": float64(begin.Unix()), "exp": float64(begin.Add(time.Hour).Unix()),
				}
				for name, value := range want {
					if got[name] != value || len(got) != len(want) {
						t.Errorf("%s got %v, want %v", who, got, want)
					}
				}
			}
			b.recordedOnce(t, audit.Filter{Subject: subject, Action: audit.AdminRead}, audit.AdminRead, issued.GrantID)
		}
	})
}

// recordedOnce fails the test unless f matches one record, of action on object.
func (b *broker) recordedOnce(t *testing.T, f audit.Filter, action audit.Action, object string) {
	t.Helper()
	list, err := b.db.Records(t.Context(), f, audit.Cursor{}, 10)
	if err != nil || len(list) != 1 || list[0].Action != action || list[0].Object != object {
		t.Errorf("got the records %+v and %v", list, err)
	}
}

func TestInactiveTokenIsNotDescribed(t *testing.T) {
	t.Parallel()
	eachBroker(t, func(t *testing.T, b *broker) {
		operator := auth.Principal{Subject: "ops:meera", Roles: auth.RoleAdmin}
		ends := map[string]func(issued token.Issued) error{
			"revoked": func(issued token.Issued) error {
				_, err := b.service.Access.RevokeGrant(t.Context(), operator, issued.GrantID)
				return err
			},
			"revoked with all": func(token.Issued) error {
				_, err := b.service.Access.RevokeUser(t.Context(), operator, "app:revoked with all")
				return err
			},
			"blocked": func(token.Issued) error {
				_, err := b.service.Access.Block(t.Context(), operator, "app:blocked", "", time.Time{})
				return err
			},
			"erased": func(token.Issued) error {
				_, err := b.db.Erase(t.Context(), "app:erased", audit.New(t.Context(), begin, "app:erased", audit.DataErase, "app:erased", ""))
				return err
			},
		}
		for name, end := range ends {
			issued := b.token(t, "app:"+name)
			if got := b.introspect(t, "robot", issued.Value); !strings.Contains(got, `"active":true`) {
				t.Errorf("%s: before: got %s", name, got)
			}
			if err := end(issued); err != nil {
				t.Fatal(err)
			}
			if got := b.introspect(t, "robot", issued.Value); got != inactive {
				t.Errorf("%s: got %s", name, got)
			}
		}
		late := b.token(t, "app:late")
		b.passed.Store(int64(time.Hour))
		if got := b.introspect(t, "robot", late.Value); got != inactive {
			t.Errorf("expired: got %s", got)
		}
		known := late.Value.Reveal()
		for _, value := range []string{
			"at_", "at_nothing", known + "x", known[:len(known)-1], strings.ToUpper(known), "x" + known, known + "\x00", known + " ",
			"at_\xff", "at_é", "at_" + strings.Repeat("x", 9000), "ey.ey.ey", "'; --",
		} {
			if got := b.introspect(t, "robot", secret.Text(value)); got != inactive {
				t.Errorf("%q: got %s", value, got)
			}
			if r := b.post(t, "robot", "/oauth/revoke", "token="+url.QueryEscape(value)); r.status != 200 || r.body != "" {
				t.Errorf("%q: revoking got %d %s", value, r.status, r.body)
			}
		}
	})
}

func TestRevokedTokenIsNotReusedAndRevokingAgainSucceeds(t *testing.T) {
	t.Parallel()
	eachBroker(t, func(t *testing.T, b *broker) {
		first, other := b.token(t, "app:asha"), b.token(t, "app:rohan")
		if again := b.token(t, "app:asha"); again.Value != first.Value {
			t.Fatal("the token is not reused while it is active")
		}
		for range 2 {
			r := b.post(t, "robot", "/oauth/revoke", "token="+first.Value.Reveal()+"&token_type_hint=refresh_token&client_id=x")
			if r.status != http.StatusOK || r.body != "" || r.header.Get("Cache-Control") != "no-store" {
				t.Errorf("got %d %q %v", r.status, r.body, r.header)
			}
		}
		if b.introspect(t, "meera", first.Value) != inactive || b.token(t, "app:asha").Value == first.Value {
			t.Error("the token is active or was reused")
		}
		if b.introspect(t, "meera", other.Value) == inactive {
			t.Error("the token of another user is not active")
		}
		list, err := b.db.Records(t.Context(), audit.Filter{Action: audit.TokenRevoke}, audit.Cursor{}, 10)
		if err != nil || len(list) != 2 || list[0].Subject != "app:asha" || list[1].Actor != "ops:robot" || list[1].Object != first.GrantID {
			t.Errorf("got the records %+v and %v", list, err)
		}
	})
}

// problem is an error answer, with the members of OAuth.
type problem struct {
	Status      int    `json:"status"`
	Code        string `json:"code"`
	Error       string `json:"error"`
	Description string `json:"error_description"`
}

func TestMalformedRequestGetsOAuthError(t *testing.T) {
	t.Parallel()
	b := startSQLite(t)
	value := b.token(t, "app:asha").Value.Reveal()
	for name, c := range map[string]struct {
		who, method, path, body, media string
		status                         int
		code, oauth                    string
	}{
		"no token":         {"robot", "POST", "", "token_type_hint=access_token", form, 400, "invalid_request", "invalid_request"},
		"no body":          {"robot", "POST", "", "", form, 400, "invalid_request", "invalid_request"},
		"empty token":      {"robot", "POST", "", "token=", form, 400, "invalid_request", "invalid_request"},
		"two tokens":       {"robot", "POST", "", "token=" + value + "&token=" + value, form, 400, "invalid_request", "invalid_request"},
		"half an escape":   {"robot", "POST", "", "token=%", form, 400, "invalid_request", "invalid_request"},
		"semicolon":        {"robot", "POST", "", "token=" + value + ";x=y", form, 400, "invalid_request", "invalid_request"},
		"token in the URL": {"robot", "POST", "?token=" + value, "token=" + value, form, 400, "invalid_request", "invalid_request"},
		"JSON":             {"robot", "POST", "", `{"token":"` + value + `"}`, "application/json", 415, "unsupported_media_type", "invalid_request"},
		"no type":          {"robot", "POST", "", "token=" + value, "", 415, "unsupported_media_type", "invalid_request"},
		"too large":        {"robot", "POST", "", "token=" + strings.Repeat("x", 21_000), form, 413, "body_too_large", "invalid_request"},
		"no credentials":   {"", "POST", "", "token=" + value, form, 401, "unauthenticated", "invalid_client"},
		"user":             {"asha", "POST", "", "token=" + value, form, 403, "forbidden", "unauthorized_client"},
	} {
		for _, path := range []string{"/oauth/revoke", "/oauth/introspect"} {
			r := b.send(t, c.who, c.method, path+c.path, c.body, c.media)
			var p problem
			if err := json.Unmarshal([]byte(r.body), &p); err != nil {
				t.Fatalf("%s: %v in %s", name, err, r.body)
			}
			if r.header.Get("Content-Type") != "application/json" || r.status != c.status || p.Status != c.status || p.Code != c.code || p.Error != c.oauth || p.Description == "" {
				t.Errorf("%s at %s: got %d %+v", name, path, r.status, p)
			}
			if strings.Contains(r.body, value) {
				t.Errorf("%s: the answer repeats the token", name)
			}
		}
	}
	if r := b.post(t, "asha", "/oauth/revoke", "token="+value); !strings.Contains(r.body, "service or admin") {
		t.Errorf("a user got %s", r.body)
	}
	if b.introspect(t, "robot", secret.Text(value)) == inactive {
		t.Error("the token was revoked")
	}
}

func TestServiceUsesOnlyTokensOfUsersForWhomItMayAct(t *testing.T) {
	t.Parallel()
	eachBroker(t, func(t *testing.T, b *broker) {
		value := b.token(t, "shop:asha").Value
		if got := b.introspect(t, "robot", value); got != inactive {
			t.Errorf("introspect: got %s, want nothing about a user of another verifier", got)
		}
		r := b.post(t, "robot", "/oauth/revoke", "token="+url.QueryEscape(value.Reveal()))
		if r.status != http.StatusForbidden || !strings.Contains(r.body, `"error":"unauthorized_client"`) || strings.Contains(r.body, "asha") {
			t.Errorf("revoke: got %d %s", r.status, r.body)
		}
		if got := b.introspect(t, "meera", value); got == inactive {
			t.Error("the service has revoked the token")
		}
		if r := b.post(t, "meera", "/oauth/revoke", "token="+url.QueryEscape(value.Reveal())); r.status != http.StatusOK {
			t.Errorf("an admin got %d %s", r.status, r.body)
		}
		if got := b.introspect(t, "meera", value); got != inactive {
			t.Errorf("after the revocation: got %s", got)
		}
	})
}

// unwritable is a Recorder that fails.
type unwritable struct{}

func (unwritable) Append(context.Context, ...audit.Record) error {
	return errors.New("the disk is full")
}

func TestIntrospectionThatCannotBeAuditedIsRefused(t *testing.T) {
	t.Parallel()
	b := startSQLite(t)
	value := b.token(t, "app:asha").Value
	b.service.Recorder = unwritable{}
	r := b.post(t, "meera", "/oauth/introspect", "token="+value.Reveal())
	if r.status != 500 || strings.Contains(r.body, "asha") || !strings.Contains(r.body, `"error":"server_error"`) {
		t.Errorf("got %d %s", r.status, r.body)
	}
	if got := b.introspect(t, "meera", "at_nothing"); got != inactive {
		t.Errorf("unknown token: got %s", got)
	}
}
