package privacy_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/labstack/echo/v4"

	"casbroker/internal/audit"
	"casbroker/internal/auth"
	"casbroker/internal/budget"
	"casbroker/internal/gateway"
	"casbroker/internal/httpapi"
	"casbroker/internal/id"
	"casbroker/internal/ingest"
	"casbroker/internal/link"
	"casbroker/internal/portfolio"
	"casbroker/internal/privacy"
	"casbroker/internal/spool"
	"casbroker/internal/store"
	"casbroker/internal/testkit/apitest"
	"casbroker/internal/testkit/storetest"
	"casbroker/internal/token"
)

var begin = time.Date(2026, 4, 1, 9, 30, 0, 0, time.UTC)

// broker is a running server with the privacy routes and a database of its own.
// The bearer token of a request is the name of its user.
type broker struct {
	url    string
	client *http.Client
	db     *store.DB
	log    *bytes.Buffer
}

// maxSpooled is the size of all exports that are being sent, in bytes.
const maxSpooled = 40 << 20

// start serves exports of portfolios and of the grants in the database.
func start(t *testing.T, portfolios exporterFunc) *broker {
	t.Helper()
	b := &broker{client: apitest.Client(t), db: storetest.New(t), log: &bytes.Buffer{}}
	e := echo.New()
	e.HTTPErrorHandler = httpapi.HandleError
	v1 := e.Group("/v1", func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			c.Response().Header().Set(httpapi.HeaderRequestID, "req_test")
			user := strings.TrimPrefix(c.Request().Header.Get("Authorization"), "Bearer ")
			who := &auth.Principal{Subject: "demo:" + user, Roles: auth.RoleUser}
			if user == "robot" {
				who.Roles = auth.RoleService
			}
			c.SetRequest(c.Request().WithContext(auth.With(c.Request().Context(), who)))
			return next(c)
		}
	})
	sources := []privacy.ExportSource{
		{Name: "portfolios", Exporter: portfolios}, {Name: "accounts", Exporter: portfolio.AccountExporter{Reader: b.db}}, {Name: "captures", Exporter: &portfolio.Captures{Store: b.db}},
		{Name: "grants", Exporter: token.Exporter{Grants: b.db}}, {Name: "calls", Exporter: budget.Exporter{Store: b.db}},
		{Name: "links", Exporter: link.Exporter{Store: b.db, Now: time.Now}},
		{Name: "vendor_resources", Exporter: gateway.Exporter{Owned: b.db}},
		{Name: "forwarded_files", Exporter: gateway.FileExporter{Owned: b.db, Store: b.db, Now: func() time.Time { return begin }}},
		{Name: "mail_parsing", Exporter: ingest.ConsentExporter{Store: b.db}},
		{Name: "statement_jobs", Exporter: ingest.Exporter{Store: b.db}},
	}
	service := &privacy.Service{
		Store: b.db, Sources: sources, Log: slog.New(slog.NewTextHandler(b.log, nil)), Now: func() time.Time { return begin },
		ForgetTokens: func(context.Context, string) error { return nil }, Announce: func(context.Context, int64, string) {},
	}
	(&privacy.Handler{Privacy: service, Spool: spool.New(t.TempDir(), maxSpooled)}).Mount(v1)
	server := httptest.NewServer(e)
	t.Cleanup(server.Close)
	b.url = server.URL
	return b
}

// call sends a request of user and returns the response with its body.
func (b *broker) call(t *testing.T, user, method, path string) (*http.Response, []byte, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, b.url+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+user)
	res, err := b.client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	return res, body, err
}

// exporterFunc is a function used as an Exporter.
type exporterFunc func(ctx context.Context, e *jsontext.Encoder, subject string) error

func (f exporterFunc) Export(ctx context.Context, e *jsontext.Encoder, subject string) error {
	return f(ctx, e, subject)
}

// noPortfolios exports an empty list.
func noPortfolios(_ context.Context, e *jsontext.Encoder, _ string) error {
	return e.WriteValue(jsontext.Value("[]"))
}

// exported has the members of an export that tests check.
type exported struct {
	Subject    string    `json:"subject"`
	ExportedAt time.Time `json:"exported_at"`
	Grants     []struct {
		ID        string    `json:"id"`
		Mode      string    `json:"mode"`
		IssuedAt  time.Time `json:"issued_at"`
		ExpiresAt time.Time `json:"expires_at"`
	} `json:"grants"`
	Captures []struct {
		Payload jsontext.Value `json:"payload"`
	} `json:"captures"`
	Audit []struct {
		ID     string    `json:"id"`
		At     time.Time `json:"at"`
		Action string    `json:"action"`
		Actor  string    `json:"actor"`
		Object string    `json:"object"`
	} `json:"audit"`
}

// capture stores an answer of the vendor that was seen at and is not saved yet.
func (b *broker) capture(t *testing.T, subject, payload string, at time.Time) {
	t.Helper()
	c := portfolio.Capture{ID: id.New("ca"), Subject: subject, At: at, Payload: []byte(payload)}
	if err := b.db.KeepCapture(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}

// grant records n grants of subject, a second apart, and returns the id of the first.
func (b *broker) grant(t *testing.T, subject string, n int) (first string) {
	t.Helper()
	for i := range n {
		at := begin.Add(time.Duration(i) * time.Second)
		g := token.Grant{ID: id.New("gr"), Subject: subject, Mode: token.ModeDirect, IssuedAt: at, ExpiresAt: at.Add(time.Hour)}
		if err := b.db.RecordGrant(t.Context(), g, audit.New(t.Context(), at, subject, audit.TokenMint, subject, g.ID)); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = g.ID
		}
	}
	return first
}

func TestExportHasAllDataOfItsUserOnly(t *testing.T) {
	t.Parallel()
	b := start(t, noPortfolios)
	const n = 501 // more than one page
	oldest := b.grant(t, "demo:asha", n)
	b.grant(t, "demo:ravi", 1)
	b.capture(t, "demo:asha", `{"nps":[]}`, begin)
	b.capture(t, "demo:asha", `<not JSON>`, begin.Add(time.Second))
	b.capture(t, "demo:ravi", `{"of":"ravi"}`, begin)
	res, body, err := b.call(t, "asha", http.MethodGet, "/v1/me/export")
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("got %v %v %s", err, res, body)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/json", "Cache-Control": "no-store",
		"Content-Disposition": `attachment; filename="casbroker-export.json"`,
	} {
		if got := res.Header.Get(name); got != want {
			t.Errorf("%s: got %s", name, got)
		}
	}
	var got exported
	if err := json.Unmarshal(body, &got); err != nil {
		t.Fatal(err)
	}
	if got.Subject != "demo:asha" || !got.ExportedAt.Equal(begin) || len(got.Grants) != n || len(got.Audit) != n+1 {
		t.Errorf("%s at %s: %d grants, %d records", got.Subject, got.ExportedAt, len(got.Grants), len(got.Audit))
	}
	if c := got.Captures; len(c) != 2 || string(c[0].Payload) != `{"nps":[]}` || string(c[1].Payload) != "null" {
		t.Errorf("got the captures %s", c)
	}
	if bytes.Contains(body, []byte("ravi")) {
		t.Error("the export has data of another user")
	}
	first := got.Grants[0]
	if first.ID != oldest || first.Mode != "direct" || !first.IssuedAt.Equal(begin) || first.ExpiresAt.Sub(first.IssuedAt) != time.Hour {
		t.Errorf("got %+v", first)
	}
	recorded := false
	for _, r := range got.Audit {
		recorded = recorded || r.Action == "data.export" && r.Actor == "demo:asha" && strings.HasPrefix(r.ID, "au_")
	}
	if !recorded {
		t.Error("the export has no audit record of itself")
	}
}

func TestExportThatFailsMidwayIsAProblem(t *testing.T) {
	t.Parallel()
	b := start(t, func(_ context.Context, e *jsontext.Encoder, _ string) error {
		if err := e.WriteToken(jsontext.String(strings.Repeat("long ", 100_000))); err != nil {
			return err
		}
		return errors.New("the database is gone")
	})
	res, body, err := b.call(t, "asha", http.MethodGet, "/v1/me/export")
	if err != nil || res.StatusCode != http.StatusInternalServerError || len(body) > 1000 || res.Header.Get("Content-Disposition") != "" {
		t.Errorf("got %v, %v with %d bytes, want a problem and nothing of the export", err, res, len(body))
	}
}

func TestExportWithoutSpaceIsAProblem(t *testing.T) {
	t.Parallel()
	b := start(t, func(_ context.Context, e *jsontext.Encoder, _ string) error {
		return e.WriteToken(jsontext.String(strings.Repeat("x", maxSpooled+1<<20)))
	})
	for range 2 {
		res, body, err := b.call(t, "asha", http.MethodGet, "/v1/me/export")
		if err != nil || res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" || !bytes.Contains(body, []byte("export_unavailable")) {
			t.Errorf("got %v, %v, %.200s; want export_unavailable", err, res, body)
		}
	}
}

func TestSlowReadersOfExportsHoldNothing(t *testing.T) {
	t.Parallel()
	const size = 8 << 20 // more than the connection holds
	text := strings.Repeat("x", size)
	b := start(t, func(ctx context.Context, e *jsontext.Encoder, subject string) error {
		if strings.HasPrefix(subject, "demo:slow") {
			return e.WriteToken(jsontext.String(text))
		}
		return noPortfolios(ctx, e, subject)
	})
	slow := &http.Client{Transport: &http.Transport{}} // of which each answer has a connection
	defer slow.CloseIdleConnections()
	var answers []*http.Response
	for i := range 4 { // as many as may be written at a time
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.url+"/v1/me/export", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", fmt.Sprint("Bearer slow", i))
		res, err := slow.Do(req)
		if err != nil || res.StatusCode != http.StatusOK {
			t.Fatalf("slow reader %d: got %v, %v", i, err, res)
		}
		defer func() { _ = res.Body.Close() }()
		answers = append(answers, res)
	}
	if res, body, err := b.call(t, "asha", http.MethodGet, "/v1/me/export"); err != nil || res.StatusCode != http.StatusOK {
		t.Errorf("another user's: got %v, %v, %s, want 200", err, res, body)
	}
	if res, body, err := b.call(t, "slow0", http.MethodGet, "/v1/me/export"); err != nil || res.StatusCode != http.StatusTooManyRequests {
		t.Errorf("a second one of the same user: got %v, %v, %.100s, want 429", err, res, body)
	}
	for i, res := range answers {
		body, err := io.ReadAll(res.Body)
		if err != nil || int64(len(body)) != res.ContentLength || len(body) < size || !jsontext.Value(body).IsValid() {
			t.Errorf("slow reader %d: got %d bytes of %d, %v, want all", i, len(body), res.ContentLength, err)
		}
	}
}

func TestExportThatFailsBeforeItsFirstByteIsAProblem(t *testing.T) {
	t.Parallel()
	b := start(t, func(context.Context, *jsontext.Encoder, string) error {
		return store.ErrUnavailable
	})
	res, body, err := b.call(t, "asha", http.MethodGet, "/v1/me/export")
	if err != nil || res.StatusCode != http.StatusServiceUnavailable || !bytes.Contains(body, []byte("store_unavailable")) {
		t.Fatalf("got %v %v %s", err, res, body)
	}
	if got := res.Header.Get("Content-Disposition"); got != "" {
		t.Errorf("got Content-Disposition %q on a problem, want none", got)
	}
}

func TestEachUserHasOneExportAtATime(t *testing.T) {
	t.Parallel()
	begun, proceed := make(chan bool), make(chan bool)
	b := start(t, func(ctx context.Context, e *jsontext.Encoder, subject string) error {
		if subject == "demo:asha" {
			begun <- true
			<-proceed
		}
		return noPortfolios(ctx, e, subject)
	})
	ended := make(chan error, 1)
	go func() {
		_, _, err := b.call(t, "asha", http.MethodGet, "/v1/me/export")
		ended <- err
	}()
	<-begun
	res, body, err := b.call(t, "asha", http.MethodGet, "/v1/me/export")
	if err != nil || res.StatusCode != http.StatusTooManyRequests || res.Header.Get("Retry-After") == "" {
		t.Errorf("the second: %v %v %s", err, res, body)
	}
	if res, body, err := b.call(t, "ravi", http.MethodGet, "/v1/me/export"); err != nil || res.StatusCode != http.StatusOK {
		t.Errorf("another user's: %v %v %s", err, res, body)
	}
	close(proceed)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	go func() { <-begun }()
	if res, body, err := b.call(t, "asha", http.MethodGet, "/v1/me/export"); err != nil || res.StatusCode != http.StatusOK {
		t.Errorf("after the first has ended: %v %v %s", err, res, body)
	}
}

func TestFifthConcurrentExportIsRefused(t *testing.T) {
	t.Parallel()
	begun, proceed := make(chan bool), make(chan bool)
	b := start(t, func(ctx context.Context, e *jsontext.Encoder, subject string) error {
		if subject != "demo:asha" {
			begun <- true
			<-proceed
		}
		return noPortfolios(ctx, e, subject)
	})
	ended := make(chan error, 4)
	for i := range cap(ended) {
		go func() {
			_, _, err := b.call(t, fmt.Sprint("user", i), http.MethodGet, "/v1/me/export")
			ended <- err
		}()
		<-begun
	}
	res, body, err := b.call(t, "asha", http.MethodGet, "/v1/me/export")
	if err != nil || res.StatusCode != http.StatusServiceUnavailable || !strings.Contains(string(body), "export_busy") {
		t.Errorf("the fifth: %v %v %s", err, res, body)
	}
	close(proceed)
	for range cap(ended) {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	if res, body, err := b.call(t, "asha", http.MethodGet, "/v1/me/export"); err != nil || res.StatusCode != http.StatusOK {
		t.Errorf("after they have ended: %v %v %s", err, res, body)
	}
}

func TestEraseCountsWhatItDeletes(t *testing.T) {
	t.Parallel()
	b := start(t, noPortfolios)
	b.grant(t, "demo:asha", 3)
	for _, want := range []string{`{"erased":{"portfolios":0,"grants":3}}`, `{"erased":{"portfolios":0,"grants":0}}`} {
		res, body, err := b.call(t, "asha", http.MethodDelete, "/v1/me")
		if err != nil || res.StatusCode != http.StatusOK || strings.TrimSpace(string(body)) != want {
			t.Errorf("%v %v %s, want %s", err, res, body, want)
		}
	}
}

func TestOnlyUsersMayExportAndErase(t *testing.T) {
	t.Parallel()
	b := start(t, noPortfolios)
	for method, path := range map[string]string{http.MethodGet: "/v1/me/export", http.MethodDelete: "/v1/me"} {
		if res, body, err := b.call(t, "robot", method, path); err != nil || res.StatusCode != http.StatusForbidden {
			t.Errorf("%s: got %v %v %s", method, err, res, body)
		}
	}
}
