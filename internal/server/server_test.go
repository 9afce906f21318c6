package server_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"casbroker/internal/fault"
	"casbroker/internal/server"
	"casbroker/internal/testkit/apitest"
)

// getRoutes are handlers of GET by path.
type getRoutes map[string]echo.HandlerFunc

func (r getRoutes) Mount(g *echo.Group) {
	for path, h := range r {
		g.GET(path, h)
	}
}

func newRouter(o server.Options, routes getRoutes) *server.Router {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	r := server.NewRouter(o)
	r.Mount("", nil, routes)
	return r
}

// get sends GET path to the router and returns the response and its body. header holds
// pairs of name and value.
func get(t *testing.T, r http.Handler, path string, header ...string) (*http.Response, string) {
	t.Helper()
	s := httptest.NewServer(r)
	t.Cleanup(s.Close)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	client := s.Client()
	if path == "/healthz" || path == "/readyz" {
		client = apitest.Client(t)
	}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}

func TestPanicIsAnswered500WithoutDetails(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	r := newRouter(server.Options{Log: slog.New(slog.NewTextHandler(&log, nil))}, getRoutes{
		"/panic": func(echo.Context) error { panic("the reason") },
	})
	res, body := get(t, r, "/panic")
	id := res.Header.Get("X-Request-ID")
	if res.StatusCode != 500 || strings.Contains(body, "reason") || id == "" || !strings.Contains(body, id) {
		t.Errorf("got %d, request id %q and %s, want 500 with the id and without the reason", res.StatusCode, id, body)
	}
	if !strings.Contains(log.String(), "the reason") || !strings.Contains(log.String(), "server_test.go") {
		t.Errorf("the log lacks the reason or the stack: %s", log.String())
	}
}

func TestAbortedAnswerIsLogged(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	s := httptest.NewUnstartedServer(newRouter(server.Options{Log: slog.New(slog.NewTextHandler(&log, nil))}, getRoutes{
		"/half": func(c echo.Context) error {
			_, _ = c.Response().Write([]byte("half of it"))
			panic(http.ErrAbortHandler)
		},
	}))
	ended := make(chan bool, 1)
	serve := s.Config.Handler
	s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() { ended <- true }()
		serve.ServeHTTP(w, r)
	})
	s.Start()
	t.Cleanup(s.Close)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/half", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if res, err := s.Client().Do(req); err == nil {
		_, err = io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err == nil {
			t.Error("the client took half of the answer for a complete one")
		}
	}
	<-ended
	if line := log.String(); !strings.Contains(line, "status=499") || !strings.Contains(line, "route=/half") || strings.Contains(line, "stack") {
		t.Errorf("got %s", line)
	}
}

func TestInternalErrorIsNotShownToTheCaller(t *testing.T) {
	t.Parallel()
	r := newRouter(server.Options{}, getRoutes{
		"/oops": func(echo.Context) error { return errors.New("dial db.internal: refused") },
		"/shy":  func(echo.Context) error { return fault.New(fault.Internal, "shy", "says too much") },
	})
	for _, path := range []string{"/oops", "/shy"} {
		if res, body := get(t, r, path); res.StatusCode != 500 || strings.Contains(body, "internal:") || strings.Contains(body, "too much") {
			t.Errorf("%s: got %d %s, want 500 without details", path, res.StatusCode, body)
		}
	}
}

func TestInvalidRequestIDIsReplaced(t *testing.T) {
	t.Parallel()
	r := newRouter(server.Options{}, nil)
	for given, valid := range map[string]bool{
		"req_Abc123": true, "req_": false, "abc": false, "req_a b": false, "req_" + strings.Repeat("x", 65): false,
	} {
		res, _ := get(t, r, "/healthz", "X-Request-ID", given)
		if got := res.Header.Get("X-Request-ID"); (got == given) != valid || !strings.HasPrefix(got, "req_") {
			t.Errorf("sent %q, got %q", given, got)
		}
	}
}

func TestReadyzNamesTheFailedCheck(t *testing.T) {
	t.Parallel()
	o := server.Options{Checks: []server.Check{
		{Name: "good", Ready: func(context.Context) error { return nil }},
		{Name: "store", Ready: func(context.Context) error {
			return fault.New(fault.Unavailable, "x", "The database sleeps.").Because(errors.New("dial db.internal"))
		}},
	}}
	res, body := get(t, newRouter(o, nil), "/readyz")
	if res.StatusCode != 503 || !strings.Contains(body, `"name":"store","reason":"The database sleeps."`) ||
		strings.Contains(body, "good") || strings.Contains(body, "internal") {
		t.Errorf("got %d %s, want 503 naming only the store", res.StatusCode, body)
	}
	if res, _ := get(t, newRouter(o, nil), "/healthz"); res.StatusCode != 200 {
		t.Errorf("healthz: got %d, want 200", res.StatusCode)
	}
}

func TestReadyzIsReadyWhileAPartIsDegraded(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	outage, access := errors.New("outage"), error(nil)
	o := server.Options{
		Log: slog.New(slog.NewTextHandler(&log, nil)),
		Checks: []server.Check{
			{Name: "store", Ready: func(context.Context) error { return outage }, Degrades: func(err error) bool { return err.Error() == "outage" }},
			{Name: "access", Ready: func(context.Context) error { return access }},
		},
	}
	r := newRouter(o, nil)
	for range 2 {
		if res, body := get(t, r, "/readyz"); res.StatusCode != 200 || !strings.Contains(body, `{"status":"ready","degraded":[{"name":"store","reason":"outage"}]}`) {
			t.Errorf("got %d %s, want 200 naming the store", res.StatusCode, body)
		}
	}
	if n := strings.Count(log.String(), "parts=store"); n != 1 {
		t.Errorf("got %d lines that name the store, want 1: %s", n, &log)
	}
	access = errors.New("stale")
	if res, body := get(t, r, "/readyz"); res.StatusCode != 503 || !strings.Contains(body, `"not_ready":[{"name":"access"`) || !strings.Contains(body, `"degraded":[{"name":"store"`) {
		t.Errorf("got %d %s, want 503 naming both", res.StatusCode, body)
	}
	outage, access = errors.New("wrong key"), nil
	if res, body := get(t, r, "/readyz"); res.StatusCode != 503 || strings.Contains(body, "degraded") {
		t.Errorf("got %d %s, want 503 for an error that is no outage", res.StatusCode, body)
	}
	outage = nil
	if res, body := get(t, r, "/readyz"); res.StatusCode != 200 || strings.Contains(body, "degraded") {
		t.Errorf("got %d %s, want 200 and nothing degraded", res.StatusCode, body)
	}
}

func TestGoodProbesAreLoggedAtDebugAndBadOnesAtWarn(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	down := errors.New("down")
	o := server.Options{
		Log:    slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Checks: []server.Check{{Name: "store", Ready: func(context.Context) error { return down }}},
	}
	r := newRouter(o, getRoutes{"/other": func(c echo.Context) error { return c.NoContent(http.StatusNoContent) }})
	for _, c := range []struct{ path, want string }{
		{"/healthz", "level=DEBUG msg=request"}, {"/readyz", "level=WARN msg=request"}, {"/other", "level=INFO msg=request"},
	} {
		log.Reset()
		get(t, r, c.path)
		if !strings.Contains(log.String(), c.want) {
			t.Errorf("%s: got %s, want %s", c.path, log.String(), c.want)
		}
	}
	down = nil
	log.Reset()
	if get(t, r, "/readyz"); !strings.Contains(log.String(), "level=DEBUG msg=request") {
		t.Errorf("got %s, want it at debug", log.String())
	}
}

func TestHeadIsAnsweredLikeGetWithoutBody(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(newRouter(server.Options{}, nil))
	t.Cleanup(s.Close)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodHead, s.URL+"/healthz", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err := s.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if body, _ := io.ReadAll(res.Body); res.StatusCode != 200 || len(body) != 0 || res.Header.Get("Content-Type") == "" {
		t.Errorf("got %d %q %v, want 200 with headers and no body", res.StatusCode, body, res.Header)
	}
}

func TestStoppingServerIsNotReadyBeforeItStopsListening(t *testing.T) {
	t.Parallel()
	r := newRouter(server.Options{}, nil)
	l, err := server.Listen(t.Context(), "127.0.0.1:0", "--address")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	long := generous
	long.Delay = time.Hour
	notReady := make(chan struct{})
	go func() {
		_ = server.Serve(ctx, l, r, long, slog.New(slog.DiscardHandler), func() { r.SetNotReady(); close(notReady) })
	}()
	t.Cleanup(func() { _ = l.Close() })
	stop()
	<-notReady
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+l.Addr().String()+"/readyz", http.NoBody)
	res, err := apitest.Client(t).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != 503 {
		t.Errorf("got %d, want 503", res.StatusCode)
	}
}

func TestWrongMethodBehindMiddlewareIs405(t *testing.T) {
	t.Parallel()
	r := server.NewRouter(server.Options{Log: slog.New(slog.DiscardHandler)})
	called := false
	middleware := func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error { called = true; return next(c) }
	}
	r.Mount("/v1", []echo.MiddlewareFunc{middleware}, postRoutes{})
	res, body := get(t, r, "/v1/thing")
	if res.StatusCode != 405 || res.Header.Get("Allow") == "" || !strings.Contains(body, "method_not_allowed") {
		t.Errorf("got %d %v %s, want 405 with Allow", res.StatusCode, res.Header, body)
	}
	if res, _ := get(t, r, "/v1/other"); res.StatusCode != 404 {
		t.Errorf("got %d, want 404", res.StatusCode)
	}
	if !called {
		t.Error("the middleware was not called")
	}
}

type postRoutes struct{}

func (postRoutes) Mount(g *echo.Group) {
	g.POST("/thing", func(c echo.Context) error { return c.NoContent(204) })
}

// generous are timeouts that no test reaches.
var generous = server.Timeouts{
	ReadHeader: time.Second, Read: time.Minute, Write: time.Minute, Idle: time.Minute, Drain: time.Minute,
}

func TestMiddlewareIsPutTogetherOnceAndRunsInItsOrder(t *testing.T) {
	t.Parallel()
	built, ran := 0, []string{}
	named := func(name string) server.Middleware {
		return func(next echo.HandlerFunc) echo.HandlerFunc {
			built++
			return func(c echo.Context) error {
				ran = append(ran, name)
				return next(c)
			}
		}
	}
	r := newRouter(server.Options{}, nil)
	ok := func(c echo.Context) error { return c.NoContent(http.StatusNoContent) }
	r.Mount("/a", []server.Middleware{named("a1"), named("a2")}, getRoutes{"/x": ok})
	r.Mount("/a/b", []server.Middleware{named("b")}, getRoutes{"/x": ok})
	before := built
	for path, want := range map[string]string{"/a/x": "a1 a2", "/a/b/x": "a1 a2 b", "/healthz": "", "/a": "", "/none": ""} {
		ran = ran[:0]
		_, _ = get(t, r, path)
		if got := strings.Join(ran, " "); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
	if built != before {
		t.Errorf("got %d more for requests, want none", built-before)
	}
}

func TestRequestInProgressIsAnsweredDuringShutdown(t *testing.T) {
	t.Parallel()
	entered, finish := make(chan struct{}), make(chan struct{})
	r := newRouter(server.Options{}, getRoutes{"/slow": func(c echo.Context) error {
		close(entered)
		<-finish
		return c.String(200, "done")
	}})
	l, err := server.Listen(t.Context(), "127.0.0.1:0", "--address")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	notReady, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- server.Serve(ctx, l, r, generous, slog.New(slog.DiscardHandler), func() { r.SetNotReady(); close(notReady) })
	}()
	answered := make(chan string, 1)
	go func() {
		req, _ := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://"+l.Addr().String()+"/slow", http.NoBody)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			answered <- err.Error()
			return
		}
		defer func() { _ = res.Body.Close() }()
		body, _ := io.ReadAll(res.Body)
		answered <- string(body)
	}()
	<-entered
	stop()
	<-notReady
	if res, body := get(t, r, "/readyz"); res.StatusCode != 503 || !strings.Contains(body, "stopping") {
		t.Errorf("while stopping: got %d %s, want 503", res.StatusCode, body)
	}
	close(finish)
	if got := <-answered; got != "done" {
		t.Errorf("the request in progress got %q, want done", got)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestStuckRequestIsCutOffAfterTheDrainTimeout(t *testing.T) {
	t.Parallel()
	entered, gone := make(chan struct{}), make(chan struct{})
	r := newRouter(server.Options{}, getRoutes{"/stuck": func(c echo.Context) error {
		close(entered)
		<-c.Request().Context().Done()
		close(gone)
		return nil
	}})
	l, err := server.Listen(t.Context(), "127.0.0.1:0", "--address")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	short := generous
	short.Drain = time.Millisecond
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx, l, r, short, slog.New(slog.DiscardHandler), r.SetNotReady) }()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_, _ = io.WriteString(conn, "GET /stuck HTTP/1.1\r\nHost: x\r\n\r\n")
	<-entered
	stop()
	<-gone
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestUsedPortIsNamedWithTheSettingThatChangesIt(t *testing.T) {
	t.Parallel()
	l, err := server.Listen(t.Context(), "127.0.0.1:0", "--address")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	_, err = server.Listen(t.Context(), l.Addr().String(), "--address")
	if err == nil || !strings.Contains(err.Error(), l.Addr().String()) || !strings.Contains(err.Error(), "--address") {
		t.Errorf("got %v, want the address and the setting", err)
	}
}
