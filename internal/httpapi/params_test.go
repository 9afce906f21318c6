package httpapi_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"casbroker/internal/httpapi"
)

// query reads the parameters of a query string that is valid.
func query(t *testing.T, raw string) *httpapi.Params {
	t.Helper()
	p, err := httpapi.QueryParams(&url.URL{RawQuery: raw})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestQueryThatWouldLoseAValueIsRefused(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{"limit=1&limit=2", "a=%zz", "a;b"} {
		if _, err := httpapi.QueryParams(&url.URL{RawQuery: raw}); !errors.Is(err, httpapi.ErrQuery) {
			t.Errorf("%q: got %v", raw, err)
		}
	}
}

func TestUnknownParameterIsRefused(t *testing.T) {
	t.Parallel()
	if err := query(t, "limit=5").Only("limit", "cursor"); err != nil {
		t.Error(err)
	}
	for _, known := range [][]string{nil, {"limit"}} {
		if err := query(t, "limits=5").Only(known...); !errors.Is(err, httpapi.ErrQuery) {
			t.Errorf("known %q: got %v", known, err)
		}
	}
	if err := query(t, "limits=5").Only("limit", "cursor"); err == nil || !strings.Contains(err.Error(), "only these query parameters: limit, cursor.") {
		t.Errorf("got %v, want the names of the parameters", err)
	}
}

func TestLimitIsFromOneToTheMaximum(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]int{"": 20, "limit=": 20, "limit=1": 1, "limit=100": 100} {
		p := query(t, raw)
		if got := p.Limit(20, 100); got != want || p.Err() != nil {
			t.Errorf("%q: got %d, %v", raw, got, p.Err())
		}
	}
	for _, raw := range []string{"limit=0", "limit=-1", "limit=101", "limit=ten", "limit=1.5", "limit=99999999999999999999"} {
		p := query(t, raw)
		if p.Limit(20, 100); !errors.Is(p.Err(), httpapi.ErrLimit) {
			t.Errorf("%q: got %v", raw, p.Err())
		}
	}
}

func TestTimeIsReadAsUTC(t *testing.T) {
	t.Parallel()
	p := query(t, "from=2026-04-01T15:30:00%2B05:30")
	want := time.Date(2026, 4, 1, 10, 0, 0, 0, time.UTC)
	if got := p.Time("from"); !got.Equal(want) || got.Location() != time.UTC || p.Err() != nil {
		t.Errorf("got %s, %v", got, p.Err())
	}
	if got := p.Time("to"); !got.IsZero() || p.Err() != nil {
		t.Errorf("left out: got %s, %v", got, p.Err())
	}
	for _, text := range []string{"yesterday", "2026-04-01", "1969-12-31T23:59:59Z", "0001-01-01T00:00:00Z"} {
		p := query(t, "from="+url.QueryEscape(text))
		if p.Time("from"); !errors.Is(p.Err(), httpapi.ErrTime) {
			t.Errorf("%q: got %v", text, p.Err())
		}
	}
}

func TestFirstFaultIsKept(t *testing.T) {
	t.Parallel()
	p := query(t, "limit=0&from=never")
	p.Limit(20, 100)
	p.Time("from")
	if !errors.Is(p.Err(), httpapi.ErrLimit) {
		t.Errorf("got %v", p.Err())
	}
}
