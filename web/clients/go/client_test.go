package casbroker

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// server answers every request with a handler, and returns a client of it.
func server(t *testing.T, handler http.HandlerFunc) *Client {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return New(s.URL, "key")
}

func TestErrorSaysWhenToTryAgain(t *testing.T) {
	c := server(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "12")
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusTooManyRequests)
		_, _ = io.WriteString(w, `{"type":"/problems/rate_limited","title":"Too Many Requests","status":429,"code":"rate_limited","detail":"Wait.","request_id":"req_1"}`)
	})
	_, err := c.LatestPortfolio(t.Context())
	var problem *Error
	if !errors.As(err, &problem) || problem.RetryAfter != 12*time.Second || problem.Code != "rate_limited" {
		t.Errorf("got %v, want 12s", err)
	}
	if want := "casbroker answered 429 rate_limited: Wait. (req_1)"; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
}

func TestAnswerOfAProxyIsAnErrorWithItsStatus(t *testing.T) {
	for name, body := range map[string]string{"HTML": "<html>", "other JSON": `{"status":1}`, "nothing": ""} {
		c := server(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadGateway)
			_, _ = io.WriteString(w, body)
		})
		_, err := c.LatestPortfolio(t.Context())
		var problem *Error
		if !errors.As(err, &problem) || problem.Status != http.StatusBadGateway || problem.Code != "" || problem.Detail != "Bad Gateway" {
			t.Errorf("%s: got %#v, want the status", name, err)
		}
	}
}

func TestParametersAreSentOnlyIfTheyAreSet(t *testing.T) {
	var got string
	c := server(t, func(w http.ResponseWriter, r *http.Request) {
		got = r.Method + " " + r.RequestURI + " " + r.Header.Get("Authorization")
		_, _ = io.WriteString(w, `{}`)
	})
	from := time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("IST", 19800))
	for want, call := range map[string]func() error{
		"GET /v1/portfolios Bearer key": func() error {
			_, err := c.ListPortfolios(t.Context(), ListPortfoliosParams{})
			return err
		},
		"GET /v1/portfolios?active=true&cursor=a%26b&limit=5 Bearer key": func() error {
			_, err := c.ListPortfolios(t.Context(), ListPortfoliosParams{Active: true, Limit: 5, Cursor: "a&b"})
			return err
		},
		"GET /v1/users/app:a%2Fb%3F/usage?from=2026-01-02T03%3A04%3A05%2B05%3A30 Bearer key": func() error {
			_, err := c.GetUsageOf(t.Context(), "app:a/b?", GetUsageOfParams{From: from})
			return err
		},
	} {
		if err := call(); err != nil || got != want {
			t.Errorf("got %s, %v, want %s", got, err, want)
		}
	}
}

// failing is a file that cannot be read.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestFileThatCannotBeReadIsTheError(t *testing.T) {
	c := server(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusCreated)
	})
	broken := errors.New("broken disk")
	_, _, err := c.ImportStatement(t.Context(), ImportStatementParams{}, StatementForm{PDFFile: failing{broken}})
	if !errors.Is(err, broken) {
		t.Errorf("got %v, want %v", err, broken)
	}
}

func TestCallEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c := server(t, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	if _, err := c.ListEvents(ctx, ListEventsParams{Wait: 30}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want it canceled", err)
	}
}

func TestAddressThatIsNotValidIsRefused(t *testing.T) {
	c := New("http://[", "key")
	_, _, err := c.ImportStatement(t.Context(), ImportStatementParams{}, StatementForm{PDFFile: strings.NewReader("x")})
	if err == nil {
		t.Error("got no error")
	}
}
