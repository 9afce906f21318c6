package store_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"casbroker/internal/audit"
	"casbroker/internal/id"
	"casbroker/internal/portfolio"
	"casbroker/internal/store"
	"casbroker/internal/testkit/storetest"
)

// capture stores a capture that was seen at savedAt, and returns its id.
func capture(t *testing.T, s *store.DB, subject string, payload []byte) string {
	t.Helper()
	c := portfolio.Capture{ID: id.New("ca"), Subject: subject, At: savedAt, Payload: payload}
	if err := s.KeepCapture(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	return c.ID
}

// verified returns the SaveRequest that the service makes of a capture.
func verified(t *testing.T, subject, captureID string, payload []byte) portfolio.SaveRequest {
	t.Helper()
	one := saving(t, subject, payload)
	one.Capture, one.Portfolio.Provenance, one.Portfolio.ObservedAt = captureID, portfolio.Verified, savedAt
	return one
}

func due(t *testing.T, s *store.DB, subject string, now time.Time, want ...string) {
	t.Helper()
	ids, err := s.DueCaptures(t.Context(), subject, now, all)
	if err != nil || len(ids) != len(want) {
		t.Fatalf("due are %q, %v; want %q", ids, err, want)
	}
	for i := range ids {
		if ids[i] != want[i] {
			t.Errorf("due are %q, want %q", ids, want)
		}
	}
}

func TestCaptureIsDueUntilItIsSaved(t *testing.T) {
	t.Parallel()
	eachWithRows(t, func(t *testing.T, s *store.DB, rows func(string) int) {
		payload := named("Fund", "2026-03-31")
		first, other := capture(t, s, "demo:asha", payload), capture(t, s, "demo:ravi", payload)
		due(t, s, "", savedAt, first, other)
		due(t, s, "demo:asha", savedAt, first)
		due(t, s, "", savedAt.Add(-time.Millisecond))
		c, err := s.Capture(t.Context(), first)
		if err != nil || c.Subject != "demo:asha" || !c.At.Equal(savedAt) || !bytes.Equal(c.Payload, payload) || c.Tries != 0 {
			t.Errorf("got %+v, %v", c, err)
		}
		if err := s.PostponeCapture(t.Context(), first, savedAt.Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		due(t, s, "", savedAt, other)
		due(t, s, "demo:asha", savedAt.Add(time.Minute), first)
		if c, err := s.Capture(t.Context(), first); err != nil || c.Tries != 1 {
			t.Errorf("got %+v, %v, want one try", c, err)
		}
		a, err := s.SavePortfolio(t.Context(), verified(t, "demo:asha", first, payload))
		if err != nil || !a.Created {
			t.Fatalf("%+v, %v", a, err)
		}
		if _, err := s.Capture(t.Context(), first); !errors.Is(err, portfolio.ErrNoCapture) {
			t.Errorf("got %v, want ErrNoCapture", err)
		}
		// Another replica that has read the capture before must not save it again.
		if _, err := s.SavePortfolio(t.Context(), verified(t, "demo:asha", first, named("Changed", "2026-03-31"))); !errors.Is(err, portfolio.ErrNoCapture) {
			t.Errorf("got %v, want ErrNoCapture", err)
		}
		if n := rows("portfolios"); n != 1 {
			t.Errorf("got %d portfolios, want 1", n)
		}
		if err := s.DropCapture(t.Context(), other); err != nil || rows("captures") != 0 {
			t.Errorf("%v, %d captures remain", err, rows("captures"))
		}
	})
}

func TestReportedPortfolioBecomesVerifiedAndActiveAgain(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		right, wrong := named("Fund", "2026-03-31"), named("Other fund", "2026-03-31")
		first, err := s.SavePortfolio(t.Context(), verified(t, "demo:asha", "", right))
		if err != nil {
			t.Fatal(err)
		}
		differing := saving(t, "demo:asha", wrong)
		differing.Portfolio.SavedAt = savedAt.Add(time.Hour)
		differing.Portfolio.Differs, differing.Portfolio.Differences = true, []string{"/mutual_funds/0/schemes/0/name"}
		differs := audit.New(t.Context(), savedAt, "demo:asha", audit.PortfolioDiffers, "demo:asha", differing.Portfolio.ID)
		differing.Differs = &differs
		second, err := s.SavePortfolio(t.Context(), differing)
		if err != nil {
			t.Fatal(err)
		}
		check := func(latest, other string, differs bool) {
			t.Helper()
			if got, err := s.LatestPortfolio(t.Context(), "demo:asha"); got != latest || err != nil {
				t.Errorf("the latest is %s, %v; want %s", got, err, latest)
			}
			for id, active := range map[string]bool{latest: true, other: false} {
				p, _, err := s.Portfolio(t.Context(), "demo:asha", id, 0, all)
				if err != nil || p.Active != active {
					t.Errorf("%s: active is %t, want %t (%v)", id, p.Active, active, err)
				}
				if want := id == second.PortfolioID && differs; p.Differs != want || len(p.Differences) > 0 != want {
					t.Errorf("%s: got %t, %q", id, p.Differs, p.Differences)
				}
			}
		}
		check(first.PortfolioID, second.PortfolioID, true)

		seen := verified(t, "demo:asha", capture(t, s, "demo:asha", wrong), wrong)
		a, err := s.SavePortfolio(t.Context(), seen)
		if err != nil || a.Created || a.PortfolioID != second.PortfolioID {
			t.Fatalf("%+v, %v", a, err)
		}
		check(second.PortfolioID, first.PortfolioID, false)
		trail, err := s.Trail(t.Context(), "demo:asha", audit.Record{}, all)
		n := map[audit.Action]int{}
		for _, r := range trail {
			n[r.Action]++
		}
		if err != nil || n[audit.PortfolioSave] != 3 || n[audit.PortfolioDiffers] != 1 {
			t.Errorf("got the records %v, %v", n, err)
		}
	})
}

func TestObservedFindsOnlyVerifiedPortfoliosOfThePeriod(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		seen, err := s.SavePortfolio(t.Context(), verified(t, "demo:asha", "", named("Fund", "2026-03-31")))
		if err != nil {
			t.Fatal(err)
		}
		save(t, s, "demo:asha", named("Reported", "2026-03-31"))
		for name, c := range map[string]struct {
			subject string
			payload []byte
			since   time.Time
			want    int
		}{
			"another fund":   {"demo:asha", named("Changed", "2026-03-31"), savedAt, 1},
			"the same":       {"demo:asha", named("Fund", "2026-03-31"), savedAt, 0},
			"another period": {"demo:asha", named("Changed", "2026-02-28"), savedAt, 0},
			"another user":   {"demo:ravi", named("Changed", "2026-03-31"), savedAt, 0},
			"too long ago":   {"demo:asha", named("Changed", "2026-03-31"), savedAt.Add(time.Millisecond), 0},
		} {
			one := saving(t, c.subject, c.payload)
			ids, err := s.Observed(t.Context(), c.subject, &one.Statement, c.since)
			if err != nil || len(ids) != c.want || c.want == 1 && ids[0] != seen.PortfolioID {
				t.Errorf("%s: got %q, %v", name, ids, err)
			}
		}
	})
}

func TestOldCapturesAreDeleted(t *testing.T) {
	t.Parallel()
	eachWithRows(t, func(t *testing.T, s *store.DB, rows func(string) int) {
		capture(t, s, "demo:asha", []byte("{}"))
		if _, err := s.ExpirePortfolios(t.Context(), savedAt.Add(-time.Millisecond), savedAt); err != nil || rows("captures") != 1 {
			t.Errorf("too early: %v, %d captures", err, rows("captures"))
		}
		if _, err := s.ExpirePortfolios(t.Context(), savedAt, savedAt); err != nil || rows("captures") != 0 {
			t.Errorf("%v, %d captures, want none", err, rows("captures"))
		}
	})
}
