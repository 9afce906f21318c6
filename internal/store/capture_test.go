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
	return captureOf(t, s, subject, "", payload)
}

// captureOf is capture for a recorded call.
func captureOf(t *testing.T, s *store.DB, subject, callID string, payload []byte) string {
	t.Helper()
	c := portfolio.Capture{ID: id.New("ca"), Subject: subject, CallID: callID, At: savedAt, Payload: payload}
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
			if got, _, err := s.Latest(t.Context(), "demo:asha"); got.ID != latest || err != nil {
				t.Errorf("the latest is %s, %v; want %s", got.ID, err, latest)
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

// observe has a capture matched for a day.
func observe(t *testing.T, s *store.DB, subject, callID string, payload []byte) (captureID string, known bool) {
	t.Helper()
	one := saving(t, subject, payload)
	captureID = captureOf(t, s, subject, callID, payload)
	known, err := s.ObserveCapture(t.Context(), portfolio.ObserveRequest{
		Capture:   portfolio.Capture{ID: captureID, Subject: subject, At: savedAt},
		Statement: one.Statement, Until: savedAt.Add(24 * time.Hour),
		Record: audit.New(t.Context(), savedAt, audit.Broker, audit.PortfolioSave, subject, ""),
	})
	if err != nil {
		t.Fatal(err)
	}
	return captureID, known
}

func TestPostedStatementIsVerifiedByAnObservedCapture(t *testing.T) {
	t.Parallel()
	eachWithRows(t, func(t *testing.T, s *store.DB, rows func(string) int) {
		payload := named("Fund", "2026-03-31")
		captureID, known := observe(t, s, "demo:asha", "", payload)
		if known || rows("portfolios") != 0 {
			t.Errorf("got known %t and %d portfolios, want none", known, rows("portfolios"))
		}
		due(t, s, "", savedAt.Add(48*time.Hour))

		post := func(subject string, payload []byte, since time.Time) portfolio.Portfolio {
			t.Helper()
			one := saving(t, subject, payload)
			one.ObservedSince = since
			a, err := s.SavePortfolio(t.Context(), one)
			if err != nil {
				t.Fatal(err)
			}
			p, _, err := s.Portfolio(t.Context(), subject, a.PortfolioID, 0, all)
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
		if p := post("demo:ravi", payload, savedAt); p.Provenance != portfolio.Reported {
			t.Errorf("another user: got %s", p.Provenance)
		}
		changed := saving(t, "demo:asha", named("Changed", "2026-03-31"))
		if ids, err := s.Observed(t.Context(), "demo:asha", &changed.Statement, savedAt); err != nil || len(ids) != 1 || ids[0] != captureID {
			t.Errorf("got the observed %q, %v, want %s", ids, err, captureID)
		}
		if p := post("demo:asha", payload, savedAt.Add(time.Millisecond)); p.Provenance != portfolio.Reported {
			t.Errorf("too late: got %s", p.Provenance)
		}
		// The one that was reported too early becomes verified.
		p := post("demo:asha", payload, savedAt)
		if p.Provenance != portfolio.Verified || !p.ObservedAt.Equal(savedAt) || !p.Active {
			t.Errorf("got %+v", p)
		}
		if n := rows("captures"); n != 0 || rows("portfolios") != 2 {
			t.Errorf("%d captures and %d portfolios", n, rows("portfolios"))
		}
		if _, known := observe(t, s, "demo:asha", "gc_gone", payload); !known || rows("captures") != 0 {
			t.Errorf("a known statement: got %t, %d captures", known, rows("captures"))
		}
	})
}

func TestObservedCaptureOfADeletedUserIsGone(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		one := saving(t, "demo:asha", named("Fund", "2026-03-31"))
		_, err := s.ObserveCapture(t.Context(), portfolio.ObserveRequest{
			Capture: portfolio.Capture{ID: "ca_gone", Subject: "demo:asha", At: savedAt}, Statement: one.Statement, Until: savedAt,
		})
		if !errors.Is(err, portfolio.ErrNoCapture) {
			t.Errorf("got %v, want ErrNoCapture", err)
		}
	})
}

func TestObservedCapturesEndByThemselves(t *testing.T) {
	t.Parallel()
	eachWithRows(t, func(t *testing.T, s *store.DB, rows func(string) int) {
		observe(t, s, "demo:asha", "", named("Fund", "2026-03-31"))
		capture(t, s, "demo:asha", named("Other", "2026-03-31"))
		if err := s.DropObserved(t.Context(), savedAt.Add(24*time.Hour-time.Millisecond)); err != nil || rows("captures") != 2 {
			t.Errorf("too early: %v, %d captures, want 2", err, rows("captures"))
		}
		if err := s.DropObserved(t.Context(), savedAt.Add(24*time.Hour)); err != nil || rows("captures") != 1 {
			t.Errorf("%v, %d captures, want the one that is not saved yet", err, rows("captures"))
		}
	})
}

func TestMetadataIsAddedOnce(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		payload := named("Fund", "2026-03-31")
		first, err := s.SavePortfolio(t.Context(), verified(t, "demo:asha", "", payload))
		if err != nil {
			t.Fatal(err)
		}
		for _, metadata := range []string{`{"filename":"a.pdf"}`, `{"filename":"b.pdf"}`, ""} {
			one := saving(t, "demo:asha", payload)
			if metadata != "" {
				one.Portfolio.Metadata = []byte(metadata)
			}
			a, err := s.SavePortfolio(t.Context(), one)
			if err != nil || a.PortfolioID != first.PortfolioID || a.Created {
				t.Fatalf("%+v, %v", a, err)
			}
			p, _, err := s.Portfolio(t.Context(), "demo:asha", first.PortfolioID, 0, all)
			if err != nil || string(p.Metadata) != `{"filename":"a.pdf"}` || !p.MetadataAdded || p.Provenance != portfolio.Verified || p.Investor.Name == "" {
				t.Errorf("after %s: got %+v, %v", metadata, p, err)
			}
		}
		if raw, err := s.Payload(t.Context(), "demo:asha", first.PortfolioID); err != nil || !bytes.Equal(raw, payload) {
			t.Errorf("got %.60s, %v, want the payload as the vendor gave it", raw, err)
		}
	})
}
