package ratelimit_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/ulule/limiter/v3"

	"casbroker/internal/auth"
	"casbroker/internal/fault"
	"casbroker/internal/httpapi"
	"casbroker/internal/ratelimit"
)

// counter is a Counter whose windows start at multiples of their period. It fails with err if set.
type counter struct {
	mu     sync.Mutex
	now    func() time.Time
	counts map[string]int64
	tokens map[string]string // by subject
	trips  int
	err    error
}

func (c *counter) Take(_ context.Context, hits []ratelimit.Hit, fetch ratelimit.TokenKey) ([]limiter.Context, []byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.trips++
	if c.err != nil {
		return nil, nil, c.err
	}
	states := make([]limiter.Context, len(hits))
	for i, h := range hits {
		ends := c.now().Truncate(h.Rate.Period).Add(h.Rate.Period)
		key := h.Rule + " " + h.Who + " " + ends.String()
		c.counts[key]++
		n := c.counts[key]
		states[i] = limiter.Context{
			Limit: h.Rate.Limit, Remaining: max(h.Rate.Limit-n, 0), Reset: ends.Unix(), Reached: n > h.Rate.Limit,
		}
	}
	if value, ok := c.tokens[fetch.Subject]; ok {
		return states, []byte(value), nil
	}
	return states, nil, nil
}

// testServer has one route of class token. Its clock starts at 12:00:18.
type testServer struct {
	*echo.Echo
	limiter *ratelimit.Limiter
	counter *counter
	at      time.Time
	refused []string
}

func newTestServer(t *testing.T, s ratelimit.Settings) *testServer {
	t.Helper()
	rules, err := ratelimit.Parse("limits", s)
	if err != nil {
		t.Fatal(err)
	}
	w := &testServer{Echo: echo.New(), at: time.Date(2026, 3, 1, 12, 0, 18, 0, time.UTC)}
	now := func() time.Time { return w.at }
	w.counter = &counter{now: now, counts: map[string]int64{}, tokens: map[string]string{}}
	w.limiter = &ratelimit.Limiter{
		Counter: w.counter, Rules: rules, Now: now,
		OnReached: func(limit, mode string) {
			w.refused = append(w.refused, limit+map[string]string{ratelimit.Observe: " (observed)"}[mode])
		},
	}
	w.HTTPErrorHandler = httpapi.HandleError
	w.IPExtractor = echo.ExtractIPDirect()
	admit := w.limiter.Admit(ratelimit.Token)
	w.GET("/token", func(c echo.Context) error {
		token, err := admit(c, auth.Caller(c).Subject, 60, false)
		if err != nil {
			return err
		}
		return c.String(http.StatusOK, string(token))
	}, w.limiter.LimitAuthFailures(), signIn)
	return w
}

// signIn authenticates by the header X-Who without a check; "anonymous" passes without a subject.
func signIn(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		who := c.Request().Header.Get("X-Who")
		switch who {
		case "":
			return fault.New(fault.Unauthenticated, "unauthenticated", "Sign in.")
		case "forger":
			return auth.ErrInvalidToken
		case "stranger":
			return fault.New(fault.Forbidden, "forbidden", "You may not.")
		case "anonymous":
			return next(c)
		}
		ctx := auth.With(c.Request().Context(), &auth.Principal{Subject: who})
		c.SetRequest(c.Request().WithContext(ctx))
		return next(c)
	}
}

func (s *testServer) get(t testing.TB, who, address string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/token", nil)
	r.RemoteAddr = address
	r.Header.Set("X-Who", who)
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func newRequest(t testing.TB) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil)
	r.RemoteAddr = here
	return r
}

func want(t testing.TB, w *httptest.ResponseRecorder, status int, headers map[string]string) {
	t.Helper()
	if w.Code != status {
		t.Errorf("got status %d, want %d: %s", w.Code, status, w.Body)
	}
	for name, value := range headers {
		if got := strings.Join(w.Header().Values(name), "; "); got != value {
			t.Errorf("%s: got %s, want %s", name, got, value)
		}
	}
}

const (
	here  = "192.0.2.1:40000"
	there = "198.51.100.9:40000"
)

func limits(l ratelimit.Limits) ratelimit.Settings { return ratelimit.Settings{Token: l} }

func TestHeadersSayWhatIsLeft(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, limits(ratelimit.Limits{User: "30-M", Address: "600-H", All: "6000-M"}))
	policy := `"token-user";q=30;w=60, "token-address";q=600;w=3600`
	want(t, s.get(t, "demo:asha", here), http.StatusOK, map[string]string{
		"RateLimit-Policy": policy, "RateLimit": `"token-user";r=29;t=42, "token-address";r=599;t=3582`, "Retry-After": "",
	})
	s.at = s.at.Add(1500 * time.Millisecond) // half a second is rounded so that callers never retry too early
	want(t, s.get(t, "demo:ravi", here), http.StatusOK, map[string]string{
		"RateLimit-Policy": policy, "RateLimit": `"token-user";r=29;t=41, "token-address";r=598;t=3581`,
	})
}

func TestRefusalSaysWhyAndForHowLong(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, rule, detail, state string
		limits                    ratelimit.Limits
	}{
		{
			"user", "token-user", "You may make 2 of these requests a minute. Try again in 42 s.",
			`"token-user";r=0;t=42`, ratelimit.Limits{User: "2-M", Address: "9-M", All: "9-M"},
		},
		{
			"address", "token-address", "Your address may make 2 of these requests a minute. Try again in 42 s.",
			`"token-address";r=0;t=42`, ratelimit.Limits{User: "9-M", Address: "2-M", All: "9-M"},
		},
		{
			"all callers, without the number", "token-all",
			"The service accepts no more of these requests at the moment. Try again in 42 s.",
			"", ratelimit.Limits{User: "9-M", Address: "9-M", All: "2-M"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newTestServer(t, limits(c.limits))
			want(t, s.get(t, "demo:asha", here), http.StatusOK, nil)
			want(t, s.get(t, "demo:asha", here), http.StatusOK, nil)
			w := s.get(t, "demo:asha", here)
			want(t, w, http.StatusTooManyRequests, map[string]string{"Retry-After": "42", "RateLimit": c.state})
			if body := w.Body.String(); !strings.Contains(body, c.detail) || !strings.Contains(body, `"code":"rate_limited"`) {
				t.Errorf("got %s", body)
			}
			if len(s.refused) != 1 || s.refused[0] != c.rule {
				t.Errorf("OnReached got %v, want %s", s.refused, c.rule)
			}
			s.at = s.at.Add(42 * time.Second)
			want(t, s.get(t, "demo:asha", here), http.StatusOK, nil)
		})
	}
}

func TestRefusalNamesTheLimitThatLastsLongest(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, limits(ratelimit.Limits{User: "1-M", Address: "1-H"}))
	// Another replica has exhausted both, which this one does not know yet.
	for _, rule := range []string{"token-user demo:asha", "token-address 192.0.2.1"} {
		for _, period := range []time.Duration{time.Minute, time.Hour} {
			s.counter.counts[rule+" "+s.at.Truncate(period).Add(period).String()] = 7
		}
	}
	want(t, s.get(t, "demo:asha", here), http.StatusTooManyRequests, map[string]string{
		"Retry-After": "3582", "RateLimit": `"token-user";r=0;t=42, "token-address";r=0;t=3582`,
	})
}

func TestRefusedRequestsDoNotUseUpSharedLimits(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, limits(ratelimit.Limits{User: "2-M", Address: "10-M", All: "10-M"}))
	for range 50 {
		s.get(t, "demo:asha", here)
	}
	want(t, s.get(t, "demo:ravi", here), http.StatusOK, map[string]string{
		"RateLimit": `"token-user";r=1;t=42, "token-address";r=7;t=42`,
	})
	if s.counter.trips != 3 {
		t.Errorf("51 requests, 3 of them allowed: got %d round trips, want 3", s.counter.trips)
	}
}

func TestUsersAndAddressesAreCountedSeparately(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, limits(ratelimit.Limits{User: "1-M"}))
	want(t, s.get(t, "demo:asha", here), http.StatusOK, nil)
	want(t, s.get(t, "demo:ravi", here), http.StatusOK, nil)
	want(t, s.get(t, "demo:asha", there), http.StatusTooManyRequests, nil)

	s = newTestServer(t, limits(ratelimit.Limits{Address: "1-M"}))
	want(t, s.get(t, "demo:asha", here), http.StatusOK, nil)
	want(t, s.get(t, "demo:asha", there), http.StatusOK, nil)
	want(t, s.get(t, "demo:ravi", here), http.StatusTooManyRequests, nil)
}

func TestIPv6AddressesCountByNetwork(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"[2001:db8:1:2::1]:1", "[2001:db8:1:2:ffff::9]:2", true},
		{"[2001:db8:1:2::1]:1", "[2001:db8:1:3::1]:1", false},
		{"[fe80::1%eth0]:1", "[fe80::2%eth1]:1", true},
		{"192.0.2.1:1", "[::ffff:192.0.2.1]:1", true},
		{"192.0.2.1:1", "192.0.2.2:1", false},
		{"[::ffff:192.0.2.1]:1", "[::ffff:192.0.2.2]:1", false},
	} {
		s := newTestServer(t, limits(ratelimit.Limits{Address: "1-M"}))
		s.get(t, "demo:asha", c.a)
		status := map[bool]int{true: http.StatusTooManyRequests, false: http.StatusOK}[c.same]
		if w := s.get(t, "demo:asha", c.b); w.Code != status {
			t.Errorf("%s, then %s: got %d, want %d", c.a, c.b, w.Code, status)
		}
	}
}

func TestAnonymousIsLimitedByAddress(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, limits(ratelimit.Limits{User: "1-M", Address: "2-M"}))
	for _, status := range []int{http.StatusOK, http.StatusOK, http.StatusTooManyRequests} {
		want(t, s.get(t, "anonymous", here), status, nil)
	}
}

func TestHandlerGetsCachedToken(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, limits(ratelimit.Limits{User: "9-M"}))
	s.counter.tokens["demo:asha"] = "sealed"
	if body := s.get(t, "demo:asha", here).Body.String(); body != "sealed" {
		t.Errorf("got %q", body)
	}
	if body := s.get(t, "demo:ravi", here).Body.String(); body != "" {
		t.Errorf("got %q", body)
	}
	if s.counter.trips != 2 {
		t.Errorf("2 requests: got %d round trips, want 2", s.counter.trips)
	}
}

func TestCachedTokenIsFetchedWithoutLimits(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, ratelimit.Settings{})
	s.counter.tokens["demo:asha"] = "sealed"
	w := s.get(t, "demo:asha", here)
	want(t, w, http.StatusOK, map[string]string{"RateLimit": "", "RateLimit-Policy": ""})
	if w.Body.String() != "sealed" {
		t.Errorf("got %q", w.Body)
	}
}

func TestUncountedRequestIsRefused(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, limits(ratelimit.Limits{User: "9-M"}))
	s.counter.err = errors.New("broken")
	w := s.get(t, "demo:asha", here)
	want(t, w, http.StatusServiceUnavailable, map[string]string{"Retry-After": "1"})
	if !strings.Contains(w.Body.String(), "limits_unavailable") || strings.Contains(w.Body.String(), "broken") {
		t.Errorf("got %s", w.Body)
	}
}

func TestConcurrentRequestsPassOnlyUpToTheLimit(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, limits(ratelimit.Limits{User: "50-M"}))
	s.limiter.OnReached = nil
	codes := make(chan int, 200)
	for range cap(codes) {
		go func() { codes <- s.get(t, "demo:asha", here).Code }()
	}
	passed := 0
	for range cap(codes) {
		if <-codes == http.StatusOK {
			passed++
		}
	}
	if passed != 50 {
		t.Errorf("got %d passed, want 50", passed)
	}
}
