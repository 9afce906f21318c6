package console_test

import (
	"cmp"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"casbroker/internal/access"
	"casbroker/internal/admin"
	"casbroker/internal/admin/console"
	"casbroker/internal/admin/session"
	"casbroker/internal/audit"
	"casbroker/internal/budget"
	"casbroker/internal/fault"
	"casbroker/internal/id"
	"casbroker/internal/secret"
	"casbroker/internal/server"
	"casbroker/internal/store"
	"casbroker/internal/testkit/storetest"
	"casbroker/internal/token"
	"casbroker/internal/usage"
	"casbroker/internal/webhook"
	"casbroker/web"
)

var begin = time.Date(2026, 4, 1, 10, 30, 0, 0, time.UTC)

// clock is a clock that a test can set.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// testConsole is a console with its own database.
type testConsole struct {
	t     *testing.T
	URL   string
	db    *store.DB
	clock *clock
	admin *admin.Service
	key   secret.Text // of the admin meera
}

// noMessages is a PubSub without messages: the console is the only replica.
type noMessages struct{}

func (noMessages) Publish(context.Context, string, string) error { return nil }

func (noMessages) Subscribe(ctx context.Context, _ string, _ func(string)) { <-ctx.Done() }

// levels is the level of the log of the only replica. It has no end.
type levels struct {
	now   func() time.Time
	state admin.LogLevel
	reach admin.Reach
}

func (l *levels) LogLevel() admin.LogLevel { return l.state }

func (l *levels) SetLogLevel(_ context.Context, level string, d time.Duration) (admin.LogLevel, admin.Reach) {
	l.state.Level, l.state.Until = cmp.Or(level, l.state.Setting), time.Time{}
	if d > 0 {
		l.state.Until = l.now().Add(d)
	}
	return l.state, cmp.Or(l.reach, admin.AllReplicas)
}

// vendor reports credits or fails.
type vendor struct{ err error }

func (v vendor) Credits(context.Context) (admin.Credits, error) {
	return admin.Credits{Used: "265", Remaining: "1234.5", Limit: "1500", ResetsAt: begin.AddDate(0, 1, 0), AsOf: begin}, v.err
}

// openConsole serves a console until the test ends, after change has changed its handler.
func openConsole(t *testing.T, change func(h *console.Handler)) *testConsole {
	t.Helper()
	box := storetest.NewBox(t)
	db := storetest.Open(t, storetest.SQLite(t), box)
	o := &testConsole{t: t, db: db, clock: &clock{at: begin}}
	o.admin = newAdmin(t, db, box, o.clock)
	key, hash, err := session.NewKey("meera")
	if err != nil {
		t.Fatal(err)
	}
	o.key = key
	log, files := slog.New(slog.DiscardHandler), consoleFiles(t)
	h := &console.Handler{
		Admin: o.admin, Files: func() *console.Files { return files }, Version: "v1.2.3", Log: log, Now: o.clock.Now,
		Sessions: &session.Service{
			Keys: []session.Key{{Name: "meera", Hash: secret.Text(hash)}}, Store: db, Box: box, Log: log, Now: o.clock.Now,
		},
	}
	if change != nil {
		change(h)
	}
	router := server.NewRouter(server.Options{Log: log})
	router.Mount("", nil, h)
	s := httptest.NewServer(router)
	t.Cleanup(s.Close)
	o.URL = s.URL
	return o
}

// readFiles reads the files of the console once for all tests.
var readFiles = sync.OnceValues(func() (*console.Files, error) { return console.ReadFiles(web.Console) })

func consoleFiles(t *testing.T) *console.Files {
	t.Helper()
	files, err := readFiles()
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func newAdmin(t *testing.T, db *store.DB, box *secret.Box, c *clock) *admin.Service {
	t.Helper()
	w := access.NewWatcher(access.WatchOptions{
		Store: db, PubSub: noMessages{}, Log: slog.New(slog.DiscardHandler), Now: c.Now, Poll: time.Second,
		Hash:    strings.ToUpper,
		Observe: func(string, int) {},
	})
	if err := w.Refresh(t.Context(), access.TriggerPoll); err != nil {
		t.Fatal(err)
	}
	return &admin.Service{
		Access: &access.Service{Store: db, Watcher: w, Now: c.Now},
		Grants: &token.Directory{Grants: db, Now: c.Now},
		Users:  db, Portfolios: db,
		Trail:  &audit.Service{Store: db, Chains: db, Box: box},
		Usage:  &usage.Service{Store: db, Now: c.Now},
		Vendor: vendor{},
		Levels: &levels{now: c.Now, state: admin.LogLevel{Level: "info", Setting: "info"}},
		Budgets: &budget.Service{Store: db, Apps: []string{"app", "shop"}, Ledger: &budget.Ledger{
			Store: db, Budgets: testBudgets, Digest: box.Digest, Lease: budget.MinLease, Log: slog.New(slog.DiscardHandler), Now: c.Now,
		}},
		Webhooks: &webhook.Service{Store: db, Sender: webhook.NewSender(loopback, c.Now), Allowed: loopback, Now: c.Now},
		Comparer: &budget.Comparer{Store: db, Jobs: db, Log: slog.New(slog.DiscardHandler), Now: c.Now},
		Settings: []admin.Setting{
			{Key: "upstream.url", Value: "https://vendor.example", Words: "https://vendor.example", Default: true, Source: "default"},
			{Key: "upstream.timeout", Value: "15s", Words: "15 seconds", Source: "file"},
			{Key: "upstream.api_key", Value: "[secret]", Words: "set, not shown", Source: "environment"},
		},
		Health: func(context.Context) []admin.Component {
			return []admin.Component{
				{Name: "database", State: admin.OK, Note: "SQLite"},
				{Name: "cache", State: admin.Degraded, Note: "Redis does not answer; each replica keeps its own."},
				{Name: "vendor", State: admin.Down, Note: "The vendor answers with errors."},
			}
		},
		Now: c.Now,
	}
}

// give records a grant of subject that was issued some time ago, and returns its id.
func (o *testConsole) give(subject string, ago time.Duration) string {
	o.t.Helper()
	return o.giveToken(subject, token.ModeDirect, ago)
}

// giveGateway records a grant of a gateway token that was issued now, and returns its id.
func (o *testConsole) giveGateway(subject string) string {
	o.t.Helper()
	return o.giveToken(subject, token.ModeGateway, 0)
}

func (o *testConsole) giveToken(subject string, mode token.Mode, ago time.Duration) string {
	o.t.Helper()
	at := o.clock.Now().Add(-ago)
	g := token.Grant{
		ID: id.New("gr"), Subject: subject, Mode: mode, IssuedAt: at, ExpiresAt: at.Add(time.Hour),
		VendorRequestID: "req_1", AccessVersion: o.admin.Access.Watcher.Version(),
	}
	if err := o.db.RecordGrant(o.t.Context(), g, audit.New(o.t.Context(), at, subject, audit.TokenMint, subject, g.ID)); err != nil {
		o.t.Fatal(err)
	}
	return g.ID
}

// browser is an HTTP client with cookies that does not follow redirects.
type browser struct {
	t       *testing.T
	console *testConsole
	client  *http.Client
}

func (o *testConsole) browser() *browser {
	o.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		o.t.Fatal(err)
	}
	return &browser{o.t, o, &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// answer is a response.
type answer struct {
	status int
	header http.Header
	body   string
}

// to returns the URL that the answer redirects to.
func (a answer) to() string { return a.header.Get("Location") }

func (b *browser) do(method, path string, form url.Values, header ...string) answer {
	b.t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.console.URL+path, body)
	if err != nil {
		b.t.Fatal(err)
	}
	if form != nil {
		r.Header.Set(echo.HeaderContentType, echo.MIMEApplicationForm)
		r.Header.Set(echo.HeaderOrigin, b.console.URL)
	}
	if method != http.MethodHead {
		r.Header.Set(echo.HeaderAccept, "text/html,application/xhtml+xml,*/*;q=0.8")
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, string(text)}
}

func (b *browser) get(path string, header ...string) answer {
	b.t.Helper()
	return b.do(http.MethodGet, path, nil, header...)
}

// post sends a form of names and values.
func (b *browser) post(path string, pairs ...string) answer {
	b.t.Helper()
	form := make(url.Values)
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	return b.do(http.MethodPost, path, form)
}

// signedIn returns a browser that is signed in.
func (o *testConsole) signedIn() *browser {
	o.t.Helper()
	b := o.browser()
	if a := b.post("/console/sign-in", "key", o.key.Reveal()); a.status != http.StatusSeeOther {
		o.t.Fatalf("sign-in: %d %s", a.status, a.body)
	}
	return b
}

// expect fails the test unless the page has this status and contains all parts.
func expect(t *testing.T, a answer, status int, parts ...string) {
	t.Helper()
	_, content, _ := strings.Cut(a.body, "<main")
	if a.status != status {
		t.Errorf("got the status %d, want %d: %s", a.status, status, content)
	}
	for _, part := range parts {
		if !strings.Contains(a.body, part) {
			t.Errorf("no %q in %s", part, content)
		}
	}
}

var errVendor = fault.New(fault.Unavailable, "upstream_unavailable", "The vendor does not answer.")

// loopback permits the receivers of the tests.
var loopback = webhook.Allowed{Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
