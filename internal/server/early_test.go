package server_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"casbroker/internal/fault"
	"casbroker/internal/httpapi"
	"casbroker/internal/server"
	"casbroker/internal/testkit/services"
)

// earlyRoutes are handlers of POST by path.
type earlyRoutes map[string]echo.HandlerFunc

func (r earlyRoutes) Mount(g *echo.Group) {
	for path, h := range r {
		g.POST(path, h)
	}
}

// early are routes that answer before they have read their bodies, by the status.
func early() earlyRoutes {
	refuse := func(kind fault.Kind) echo.HandlerFunc {
		return func(echo.Context) error { return fault.New(kind, "refused", "No.") }
	}
	return earlyRoutes{
		"/401": refuse(fault.Unauthenticated), "/403": refuse(fault.Forbidden), "/415": refuse(fault.Unsupported),
		"/429": refuse(fault.Limited), "/503": refuse(fault.Unavailable),
		"/413": func(c echo.Context) error {
			_, err := httpapi.ReadBody[struct{}](c.Response().Writer, c.Request(), httpapi.BodyRules{MaxBytes: 1 << 10})
			return err
		},
		"/200": func(c echo.Context) error { return c.String(http.StatusOK, "fine") },
	}
}

// running is a server that a test stops.
type running struct {
	address string
	stop    context.CancelFunc
	stopped chan error
}

// serve runs a router on l, or on a new port if l is nil.
func serve(t *testing.T, l net.Listener, r *server.Router, limits server.Timeouts) *running {
	t.Helper()
	if l == nil {
		var err error
		if l, err = server.Listen(t.Context(), "127.0.0.1:0", "server.address"); err != nil {
			t.Fatal(err)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	s := &running{address: l.Addr().String(), stop: stop, stopped: make(chan error, 1)}
	log := slog.New(slog.DiscardHandler)
	go func() { s.stopped <- server.Serve(ctx, l, r, limits, log, r.SetNotReady) }()
	t.Cleanup(stop)
	return s
}

// end stops s, and returns once it has.
func (s *running) end(t *testing.T) {
	t.Helper()
	s.stop()
	if err := <-s.stopped; err != nil {
		t.Error(err)
	}
}

func earlyServer(t *testing.T) *running {
	t.Helper()
	r := server.NewRouter(server.Options{
		Log: slog.New(slog.DiscardHandler), AllowedOrigins: []string{"https://app.example"},
		BodyRate: httpapi.BodyRate{Least: 16 << 10, Grace: 10 * time.Second, Timeout: time.Minute},
	})
	r.Mount("", nil, early())
	return serve(t, nil, r, generous)
}

// sendAll writes a whole request and only then reads the answer, as most clients do.
func sendAll(t *testing.T, address, path, header string, body []byte) (*http.Response, error) {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: broker\r\n%s\r\n", path, header); err != nil {
		return nil, err
	}
	if _, err := conn.Write(body); err != nil {
		return nil, err
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return nil, err
	}
	_, err = io.Copy(io.Discard, res.Body)
	return res, err
}

// upload is larger than the buffers of sockets.
var upload = bytes.Repeat([]byte("x"), 11<<20)

func TestEarlyAnswerIsHeard(t *testing.T) {
	t.Parallel()
	s := earlyServer(t)
	chunked := fmt.Appendf(nil, "%x\r\n%s\r\n0\r\n\r\n", len(upload), upload)
	for path := range early() {
		t.Run(path[1:], func(t *testing.T) {
			t.Parallel()
			for _, c := range []struct {
				header string
				body   []byte
			}{
				{fmt.Sprintf("Content-Length: %d\r\n", len(upload)), upload},
				{fmt.Sprintf("Content-Length: %d\r\nConnection: close\r\n", len(upload)), upload},
				{"Transfer-Encoding: chunked\r\n", chunked},
				{"Transfer-Encoding: chunked\r\nConnection: close\r\n", chunked},
			} {
				res, err := sendAll(t, s.address, path, c.header, c.body)
				if err != nil {
					t.Errorf("%q: got %v, want an answer", c.header, err)
				} else if got := fmt.Sprint("/", res.StatusCode); got != path {
					t.Errorf("%q: got %s", c.header, got)
				}
			}
		})
	}
}

func TestConnectionIsKeptAfterAnEarlyAnswer(t *testing.T) {
	t.Parallel()
	s := earlyServer(t)
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for _, reused := range []bool{false, true} {
		var got bool
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(c httptrace.GotConnInfo) { got = c.Reused }})
		body := io.MultiReader(bytes.NewReader(upload)) // whose length is not known
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.address+"/401", body)
		if err != nil {
			t.Fatal(err)
		}
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		if res.StatusCode != 401 || res.Close || got != reused {
			t.Errorf("got %d, closed %t, reused %t; want 401 on one open connection", res.StatusCode, res.Close, got)
		}
	}
}

func TestSenderThatWaitsForLeaveIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	s := earlyServer(t)
	res, err := sendAll(t, s.address, "/401", fmt.Sprintf("Content-Length: %d\r\nExpect: 100-continue\r\n", len(upload)), nil)
	if err != nil || res.StatusCode != 401 {
		t.Fatalf("got %v, %v, want 401 without a body", res, err)
	}
}

func TestBodyOverTheBoundIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	s := earlyServer(t)
	res, err := sendAll(t, s.address, "/401", fmt.Sprintf("Content-Length: %d\r\n", int64(1)<<40), []byte("the start"))
	if err != nil || res.StatusCode != 401 || !res.Close {
		t.Fatalf("got %v, %v, want 401 on a connection that ends", res, err)
	}
}

// asItComes is the least that nginx needs to pass requests on.
func asItComes(address, broker string) string {
	return "server { listen " + address + "; client_max_body_size 0; location / { proxy_pass http://" + broker + "; } }"
}

// recipe returns config/nginx.conf without TLS, for the brokers at these addresses.
func recipe(t *testing.T, address string, brokers ...string) string {
	t.Helper()
	return services.NginxRecipe(t, "../../config/nginx.conf", address, brokers...)
}

// hearEarlyAnswers sends bodies of size through proxy to routes that do not read them.
func hearEarlyAnswers(t *testing.T, proxy string, size int) {
	t.Helper()
	for i := range 12 {
		path := []string{"/401", "/413", "/503"}[i%3]
		header := fmt.Sprintf("Content-Length: %d\r\nOrigin: https://app.example\r\n", size)
		res, err := sendAll(t, strings.TrimPrefix(proxy, "http://"), path, header, upload[:size])
		if err != nil {
			t.Fatalf("got %v, want an answer", err)
		}
		if got := fmt.Sprint("/", res.StatusCode); got != path || res.Header.Get("Access-Control-Allow-Origin") == "" {
			t.Errorf("got %s %v, want %s that a page can read", got, res.Header, path)
		}
	}
}

func TestEarlyAnswerIsHeardBehindNginx(t *testing.T) {
	t.Parallel()
	s := earlyServer(t)
	for name, proxy := range map[string]string{
		"as it comes": services.Nginx(t, func(address string) string { return asItComes(address, s.address) }),
		"recipe":      services.Nginx(t, func(address string) string { return recipe(t, address, s.address) }),
	} {
		for _, size := range []int{200 << 10, len(upload)} {
			t.Run(fmt.Sprint(name, " ", size), func(t *testing.T) {
				t.Parallel()
				hearEarlyAnswers(t, proxy, size)
			})
		}
	}
}
