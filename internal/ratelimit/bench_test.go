package ratelimit_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/labstack/echo/v4"
	"github.com/ulule/limiter/v3"

	"casbroker/internal/auth"
	"casbroker/internal/ratelimit"
)

func BenchmarkAdmit(b *testing.B) {
	rules, err := ratelimit.Parse("limits", limits(ratelimit.Limits{User: "30-M", Address: "600-M", All: "6000-M"}))
	if err != nil {
		b.Fatal(err)
	}
	l := &ratelimit.Limiter{Counter: freeCounter{}, Rules: rules}
	admit := l.Admit(ratelimit.Token)
	r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/token", nil)
	r = r.WithContext(auth.With(r.Context(), &auth.Principal{Subject: "demo:asha"}))
	e := echo.New()
	e.IPExtractor = echo.ExtractIPDirect()
	w := httptest.NewRecorder()
	c := e.NewContext(r, w)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := admit(c, "demo:asha", 60, false); err != nil {
			b.Fatal(err)
		}
	}
}

// freeCounter is a Counter that costs nothing.
type freeCounter struct{}

var plenty = []limiter.Context{{Limit: 30, Remaining: 29}, {Limit: 600, Remaining: 599}, {Limit: 6000, Remaining: 5999}}

func (freeCounter) Take(context.Context, []ratelimit.Hit, ratelimit.TokenKey) ([]limiter.Context, []byte, error) {
	return plenty, nil, nil
}
