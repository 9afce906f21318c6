package portfolio_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"casbroker/internal/auth"
	"casbroker/internal/portfolio"
	"casbroker/internal/secret"
	"casbroker/internal/server"
	"casbroker/internal/spool"
	"casbroker/internal/store"
	"casbroker/internal/testkit/apitest"
	"casbroker/internal/testkit/storetest"
)

// maxBody is the payload limit of the broker under test, in bytes.
const maxBody = 1 << 20

// broker is a running server with the portfolio routes and a database of its own.
// The bearer token of a request is the name of its user.
type broker struct {
	t      *testing.T
	url    string
	client *http.Client
	db     *store.DB
	clock  atomic.Int64 // offset of the service's clock, in nanoseconds
	broken atomic.Bool  // saves fail
	killed atomic.Bool  // saves fail and do not release their key, as if the process had died
	routes http.Handler
}

var begin = time.Date(2026, 4, 1, 9, 30, 0, 0, time.UTC)

func start(t *testing.T) *broker {
	t.Helper()
	return serve(t, storetest.New(t))
}

// serve starts a broker on db, which several brokers may share. change modifies the
// service before it starts.
func serve(t *testing.T, db *store.DB, change ...func(*portfolio.Service)) *broker {
	t.Helper()
	b := &broker{t: t, client: apitest.Client(t), db: db}
	service := &portfolio.Service{
		Store: failingStore{b.db, b}, Reader: b.db, Keys: failingKeys{b.db, b}, Log: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return begin.Add(time.Duration(b.clock.Add(int64(time.Millisecond)))) },
	}
	for _, do := range change {
		do(service)
	}
	authenticate := func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			user := strings.TrimPrefix(c.Request().Header.Get("Authorization"), "Bearer ")
			ctx := auth.With(c.Request().Context(), &auth.Principal{Subject: "demo:" + user, Roles: auth.RoleUser})
			c.SetRequest(c.Request().WithContext(ctx))
			return next(c)
		}
	}
	router := server.NewRouter(server.Options{Log: slog.New(slog.DiscardHandler)})
	routes := &portfolio.Handler{Portfolios: service, MaxBody: maxBody, MaxWait: time.Millisecond, Spool: spool.New(t.TempDir(), 64<<20)}
	router.Mount("/v1", []server.Middleware{authenticate}, routes, compatSaves{routes})
	b.routes = router
	listener := httptest.NewServer(router)
	t.Cleanup(listener.Close)
	b.url = listener.URL
	return b
}

// compatSaves is a drop-in path for saves.
type compatSaves struct{ *portfolio.Handler }

// Mount adds the path to g.
func (c compatSaves) Mount(g *echo.Group) { c.MountCompat(g, "/compat") }

// failingStore is the database, except while saves are made to fail.
type failingStore struct {
	portfolio.Store
	*broker
}

func (k failingStore) SavePortfolio(ctx context.Context, s portfolio.SaveRequest) (portfolio.SaveResult, error) {
	if k.broken.Load() || k.killed.Load() {
		return portfolio.SaveResult{}, store.ErrUnavailable
	}
	return k.Store.SavePortfolio(ctx, s)
}

// failingKeys is the database, except that a killed broker releases no key.
type failingKeys struct {
	portfolio.KeyStore
	*broker
}

func (k failingKeys) ReleaseKey(ctx context.Context, c portfolio.Claim) error {
	if k.killed.Load() {
		return store.ErrUnavailable
	}
	return k.KeyStore.ReleaseKey(ctx, c)
}

func newBox(t testing.TB, digest secret.Text, keys ...secret.Key) *secret.Box {
	t.Helper()
	box, err := secret.NewBox(digest, keys...)
	if err != nil {
		t.Fatal(err)
	}
	return box
}

// reply is a response with its body read.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// call sends a request of user. Headers are given as name, value, name, value.
func (b *broker) call(user, method, path string, body io.Reader, headers ...string) reply {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), method, b.url+path, body)
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+user)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	client := b.client
	if method == http.MethodHead {
		client = http.DefaultClient // openapi.yaml describes only GET
	}
	res, err := client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	if res.Header.Get("Cache-Control") != "no-store" {
		b.t.Errorf("%s %s: got Cache-Control %q, want no-store", method, path, res.Header.Get("Cache-Control"))
	}
	return reply{res.StatusCode, res.Header, answer}
}

func (b *broker) get(user, path string) reply {
	b.t.Helper()
	return b.call(user, http.MethodGet, path, nil)
}

func (b *broker) save(user string, payload []byte, headers ...string) reply {
	b.t.Helper()
	headers = append([]string{"Content-Type", "application/json"}, headers...)
	return b.call(user, http.MethodPost, "/v1/portfolios", bytes.NewReader(payload), headers...)
}

// shown has the members of answers that tests check.
type shown struct {
	ID           string         `json:"id"`
	Created      *bool          `json:"created"`
	Active       bool           `json:"active"`
	Owner        int            `json:"owner"`
	Owners       []owner        `json:"owners"`
	Accounts     []listed       `json:"accounts"`
	Readable     bool           `json:"readable"`
	Transactions int            `json:"transactions"`
	Investor     map[string]any `json:"investor"`
	TotalValue   string         `json:"total_value"`
	Holdings     map[string]int `json:"holdings"`
	ReceivedRows int            `json:"received_rows"`
	StoredRows   int            `json:"stored_rows"`
	Complete     bool           `json:"complete"`
	Rejected     []finding      `json:"rejected"`
	Warnings     []finding      `json:"warnings"`
	Rows         []row          `json:"rows"`
	Code         string         `json:"code"`
	Detail       string         `json:"detail"`
	Errors       []finding      `json:"errors"`
	Provenance   string         `json:"provenance"`
	Differs      bool           `json:"differs_from_observed"`
	Differences  []string       `json:"differences"`
	Metadata     any            `json:"metadata"`
}

type finding struct {
	Pointer string `json:"pointer"`
	Code    string `json:"code"`
}

type owner struct {
	Number    int     `json:"number"`
	Name      *string `json:"name"`
	PANMasked *string `json:"pan_masked"`
	Accounts  int     `json:"accounts"`
}

type listed struct {
	ID      string               `json:"id"`
	Kind    string               `json:"kind"`
	Number  *string              `json:"number"`
	Owner   int                  `json:"owner"`
	Holders []map[string]*string `json:"holders"`
}

type row struct {
	ID        string  `json:"id"`
	AccountID *string `json:"account_id"`
	Owner     int     `json:"owner"`
	Class     string  `json:"class"`
	Name      string  `json:"name"`
	Account   *string `json:"account"`
	Units     *string `json:"units"`
	Value     *string `json:"value"`
}

// members are the members of a row as text, nil for null.
type members map[string]*string

// UnmarshalJSON decodes an object of texts, numbers and null.
func (m *members) UnmarshalJSON(body []byte) error {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(body, &raw); err != nil {
		return err
	}
	*m = members{}
	for name, value := range raw {
		text := new(string)
		if err := json.Unmarshal(value, &text); err != nil {
			text = new(string(value))
		}
		(*m)[name] = text
	}
	return nil
}

// want fails the test unless r has this status. It returns the decoded body.
func (r reply) want(t *testing.T, status int) shown {
	t.Helper()
	if r.status != status {
		t.Fatalf("got %d, want %d: %s", r.status, status, r.body)
	}
	var s shown
	if len(r.body) > 0 {
		if err := json.Unmarshal(r.body, &s); err != nil {
			t.Fatalf("%v in %s", err, r.body)
		}
	}
	return s
}
