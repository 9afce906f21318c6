package server_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"casbroker/internal/server"
	"casbroker/internal/testkit/logtest"
)

func TestSampledLogHasAllRequestsThatFailedOrWereSlow(t *testing.T) {
	t.Parallel()
	for slow, want := range map[time.Duration]int{time.Hour: 3, time.Nanosecond: 9} {
		log := &logtest.Log{}
		r := newRouter(server.Options{Log: slog.New(slog.NewJSONHandler(log, nil)), Sample: server.Sample{Every: 3, Slow: slow}}, getRoutes{
			"/good": func(c echo.Context) error { return c.NoContent(http.StatusNoContent) },
		})
		paths := append(slices.Repeat([]string{"/good"}, 9), "/missing", "/missing")
		for _, path := range paths {
			r.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody))
		}
		text := log.String()
		if got := strings.Count(text, `"route":"/good"`); got != want {
			t.Errorf("slow from %s: got %d lines of 9 good requests, want %d:\n%s", slow, got, want, text)
		}
		if got := strings.Count(text, `"route":"/missing"`); got != 2 {
			t.Errorf("got %d lines of 2 failed requests, want 2:\n%s", got, text)
		}
	}
}
