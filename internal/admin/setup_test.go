package admin_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"casbroker/internal/access"
	"casbroker/internal/admin"
	"casbroker/internal/audit"
	"casbroker/internal/auth"
	"casbroker/internal/budget"
	"casbroker/internal/cache"
	"casbroker/internal/id"
	"casbroker/internal/portfolio"
	"casbroker/internal/sandbox"
	"casbroker/internal/server"
	"casbroker/internal/statement"
	"casbroker/internal/store"
	"casbroker/internal/testkit/apitest"
	"casbroker/internal/testkit/storetest"
	"casbroker/internal/token"
	"casbroker/internal/upstream"
	"casbroker/internal/usage"
	"casbroker/internal/webhook"
	"casbroker/web"
)

// begin is when the clock of every test starts.
var begin = time.Date(2026, 4, 1, 10, 0, 0, 0, time.UTC)

// broker is a server with the operator routes and its own database. Its answers are
// checked against the OpenAPI file.
type broker struct {
	url     string
	client  *http.Client
	db      *store.DB
	service *admin.Service
	counts  *usage.Counter
	ledger  *budget.Ledger
	log     *bytes.Buffer
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
	b := &broker{client: apitest.Client(t), log: &bytes.Buffer{}}
	log := slog.New(slog.NewTextHandler(b.log, nil))
	box := storetest.NewBox(t)
	b.db = storetest.Open(t, url, box)
	watcher := access.NewWatcher(access.WatchOptions{
		Store: b.db, PubSub: &cache.Memory{}, Log: log, Now: b.now, Poll: time.Hour, MaxAge: time.Hour,
		Hash: strings.ToUpper,
	})
	if err := watcher.Refresh(t.Context(), access.TriggerPoll); err != nil {
		t.Fatal(err)
	}
	b.counts = &usage.Counter{Store: b.db, Now: b.now}
	b.ledger = &budget.Ledger{Store: b.db, Budgets: testBudgets, Digest: box.Digest, Lease: budget.MinLease, Log: log, Now: b.now}
	b.service = &admin.Service{
		Access: &access.Service{Store: b.db, Watcher: watcher, Now: b.now},
		Grants: &token.Directory{Grants: b.db, Box: box, Now: b.now},
		Users:  b.db, Portfolios: b.db, Trail: &audit.Service{Store: b.db, Chains: b.db, Box: box},
		Usage: &usage.Service{Store: b.db, Now: b.now}, Vendor: vendor(t, b.now),
		Budgets:  &budget.Service{Ledger: b.ledger, Store: b.db, Apps: []string{"app", "shop"}},
		Webhooks: &webhook.Service{Store: b.db, Sender: webhook.NewSender(loopback, b.now), Allowed: loopback, Now: b.now},
		Comparer: &budget.Comparer{Store: b.db, Jobs: b.db, Log: log, Now: b.now, Vendor: vendorUsage},
		Version:  "1.2.3", Settings: []admin.Setting{{Key: "upstream.api_key", Value: "[secret]", Words: "set, not shown", Source: "file"}, {Key: "log.level", Value: "info", Words: "info", Default: true, Source: "default"}},
		Health: func(context.Context) []admin.Component { return []admin.Component{{Name: "database", State: admin.OK}} },
		Now:    b.now,
	}
	router := server.NewRouter(server.Options{Log: log, OpenAPI: web.OpenAPI})
	router.Mount("/admin/v1", []server.Middleware{authenticate}, &admin.Handler{Service: b.service, Log: log})
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

// reply is the answer to a request.
type reply struct {
	status int
	header http.Header
	body   string
	err    error // why the body was not read to its end
}

// call sends a request as who, with pairs of header names and values. The default media
// type is JSON.
func (b *broker) call(t *testing.T, who, method, path, body string, pairs ...string) reply {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, b.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+who)
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(pairs); i += 2 {
		req.Header.Set(pairs[i], pairs[i+1])
	}
	res, err := b.client.Do(req)
	if err != nil {
		return reply{err: err}
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	return reply{res.StatusCode, res.Header, string(text), err}
}

// get sends a GET as an operator and decodes the answer into into.
func (b *broker) get(t *testing.T, path string, into any) reply {
	t.Helper()
	r := b.call(t, "meera", http.MethodGet, "/admin/v1"+path, "")
	return r.decode(t, path, into)
}

// post sends a POST as an operator and decodes the answer into into.
func (b *broker) post(t *testing.T, path, body string, into any) reply {
	t.Helper()
	r := b.call(t, "meera", http.MethodPost, "/admin/v1"+path, body)
	return r.decode(t, path, into)
}

func (r reply) decode(t *testing.T, path string, into any) reply {
	t.Helper()
	if r.status != http.StatusOK || r.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%s: got %d %v %s", path, r.status, r.err, r.body)
	}
	if err := json.Unmarshal([]byte(r.body), into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return r
}

// failed fails the test unless r is the problem with this status and code.
func (r reply) failed(t *testing.T, name string, status int, code string) {
	t.Helper()
	if r.status != status || !strings.Contains(r.body, `"code":"`+code+`"`) {
		t.Errorf("%s: got %d %s, want %d %s", name, r.status, r.body, status, code)
	}
}

// give records a grant of subject that expires in an hour.
func (b *broker) give(t *testing.T, subject string) string {
	t.Helper()
	at := b.now()
	g := token.Grant{
		ID: id.New("gr"), Subject: subject, Mode: token.ModeDirect, IssuedAt: at, ExpiresAt: at.Add(time.Hour),
		VendorRequestID: "req_vendor", AccessVersion: b.service.Access.Watcher.Version(),
	}
	if err := b.db.RecordGrant(t.Context(), g, audit.New(t.Context(), at, subject, audit.TokenMint, subject, g.ID)); err != nil {
		t.Fatal(err)
	}
	return g.ID
}

// payload is a statement with a name, a PAN and an amount that operators must not see.
const payload = `{"meta":{"cas_type":"CAMS_KFINTECH","statement_period":{"from":"2026-01-01","to":"2026-03-31"}},
	"investor":{"name":"Asha Example","pan":"AAAPZ9999A"},
	"mutual_funds":[{"folio_number":"123/45","amc":"Sample AMC","schemes":[{"name":"Sample Fund","units":"1.50","value":76543.21}]}]}`

// save stores a portfolio of subject.
func (b *broker) save(t *testing.T, subject string) string {
	t.Helper()
	st, err := statement.Parse([]byte(payload), b.now())
	if err != nil {
		t.Fatal(err)
	}
	p := portfolio.Portfolio{
		ID: id.New("pf"), Subject: subject, Provenance: portfolio.Reported, SavedAt: b.now(), Summary: st.Summary,
	}
	_, err = b.db.SavePortfolio(t.Context(), portfolio.SaveRequest{
		Portfolio: p, Statement: *st, Payload: []byte(payload),
		Record: audit.New(t.Context(), b.now(), subject, audit.PortfolioSave, subject, p.ID),
		Render: func(portfolio.Portfolio, bool) ([]byte, error) { return []byte(`{}`), nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return p.ID
}

// loopback permits the receivers of the tests.
var loopback = webhook.Allowed{Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
