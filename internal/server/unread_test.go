package server_test

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"casbroker/internal/httpapi"
	"casbroker/internal/server"
)

func TestDownloadDoesNotWaitForABodyThatStops(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(newRouter(server.Options{BodyRate: httpapi.BodyRate{Least: 1 << 10, Grace: 100 * time.Millisecond}}, getRoutes{
		"/file": func(c echo.Context) error {
			file := httpapi.Download{Name: "all.csv", Type: "text/csv", Log: slog.New(slog.DiscardHandler)}
			return file.Send(c.Request(), c.Response(), func(_ context.Context, w io.Writer) error {
				_, err := io.WriteString(w, "a,b\r\n")
				return err
			})
		},
	}))
	t.Cleanup(s.Close)
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(conn, "GET /file HTTP/1.1\r\nHost: broker\r\nContent-Length: 5\r\n\r\nhel"); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("got %v, want an answer", err)
	}
	defer func() { _ = res.Body.Close() }()
	if body, err := io.ReadAll(res.Body); err != nil || string(body) != "a,b\r\n" || !res.Close {
		t.Errorf("got %q, %v, closed %t; want the file, and the end of the connection", body, err, res.Close)
	}
}
