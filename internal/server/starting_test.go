package server_test

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"casbroker/internal/server"
)

func TestRequestsAreAnsweredWhileTheProgramStarts(t *testing.T) {
	t.Parallel()
	l, err := server.Listen(t.Context(), "127.0.0.1:0", "")
	if err != nil {
		t.Fatal(err)
	}
	end := server.AnswerWhileStarting(l, 0)
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 503, "/v1/token": 503} {
		if got := statusOf(t, l, path); got != want {
			t.Errorf("GET %s while the program starts: got %d, want %d", path, got, want)
		}
	}
	end()
	serveStarted(t, l)
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 200, "/v1/token": 204} {
		if got := statusOf(t, l, path); got != want {
			t.Errorf("GET %s after the start: got %d, want %d", path, got, want)
		}
	}
}

func TestRequestWaitsForAShortStart(t *testing.T) {
	t.Parallel()
	l, err := server.Listen(t.Context(), "127.0.0.1:0", "")
	if err != nil {
		t.Fatal(err)
	}
	end := server.AnswerWhileStarting(l, time.Minute)
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, "GET /v1/token HTTP/1.1\r\nHost: broker\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	end()
	serveStarted(t, l)
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || res.StatusCode != 204 {
		t.Fatalf("got %v, %v, want 204", res, err)
	}
	_ = res.Body.Close()
}

// serveStarted serves on l until the test ends.
func serveStarted(t *testing.T, l net.Listener) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() {
		router := newRouter(server.Options{}, getRoutes{"/v1/token": func(c echo.Context) error { return c.NoContent(http.StatusNoContent) }})
		ended <- server.Serve(ctx, l, router, server.Timeouts{
			ReadHeader: time.Second, Read: time.Second, Write: time.Second, Idle: time.Second, Drain: time.Second,
		}, slog.New(slog.DiscardHandler), func() {})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// statusOf returns the status of a GET on a new connection.
func statusOf(t *testing.T, l net.Listener, path string) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+l.Addr().String()+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	return res.StatusCode
}
