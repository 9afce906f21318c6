package store_test

import (
	"crypto/sha256"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"casbroker/internal/audit"
	"casbroker/internal/fault"
	"casbroker/internal/id"
	"casbroker/internal/portfolio"
	"casbroker/internal/store"
	"casbroker/internal/testkit/storetest"
)

// claim returns the claim of a request with key and body, made after the first requests.
func claim(key, body string, after time.Duration) portfolio.Claim {
	at := savedAt.Add(after)
	return portfolio.Claim{
		Subject: "demo:asha", Route: "POST /v1/portfolios", Key: key, Body: sha256.Sum256([]byte(body)), Holder: id.New("cl"),
		At: at, Until: at.Add(time.Minute), Expires: at.Add(24 * time.Hour),
	}
}

// saveUnder saves a statement as part of c.
func saveUnder(t *testing.T, s *store.DB, c portfolio.Claim) (portfolio.SaveResult, error) {
	t.Helper()
	one := saving(t, c.Subject, named("Fund", "2026-03-31"))
	one.Claim = &c
	return s.SavePortfolio(t.Context(), one)
}

func mustClaim(t *testing.T, s *store.DB, c portfolio.Claim) {
	t.Helper()
	if a, err := s.ClaimKey(t.Context(), c); err != nil || a != nil {
		t.Fatalf("claimed: %+v, %v", a, err)
	}
}

func TestCompletedKeyReplaysItsAnswerToTheSameBodyOnly(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		first := claim("k", "body", 0)
		mustClaim(t, s, first)
		saved, err := saveUnder(t, s, first)
		if err != nil {
			t.Fatal(err)
		}
		again, err := s.ClaimKey(t.Context(), claim("k", "body", 23*time.Hour))
		if err != nil || !again.Replayed || !again.Created || again.PortfolioID != saved.PortfolioID || string(again.Body) != string(saved.Body) {
			t.Errorf("the same request: %+v, %v", again, err)
		}
		if _, err := s.ClaimKey(t.Context(), claim("k", "another", time.Hour)); !errors.Is(err, portfolio.ErrKeyReused) {
			t.Errorf("another body: %v", err)
		}
		other := claim("k", "another", time.Hour)
		other.Subject = "demo:ravi"
		mustClaim(t, s, other)
		elsewhere := claim("k", "another", time.Hour)
		elsewhere.Route = "POST /v1/statements"
		mustClaim(t, s, elsewhere)
		mustClaim(t, s, claim("k", "another", 24*time.Hour)) // the answer has expired
	})
}

func TestClaimedKeyIsInFlightUntilItsLeaseEnds(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		lost := claim("k", "body", 0)
		mustClaim(t, s, lost)
		_, err := s.ClaimKey(t.Context(), claim("k", "body", 57_500*time.Millisecond))
		var f *fault.Fault
		if !errors.Is(err, portfolio.ErrKeyInFlight) || !errors.As(err, &f) || f.RetryAfter != 2500*time.Millisecond {
			t.Errorf("within the lease: %+v", err)
		}
		if _, err := s.ClaimKey(t.Context(), claim("k", "another", time.Second)); !errors.Is(err, portfolio.ErrKeyReused) {
			t.Errorf("another body within the lease: %v", err)
		}
		next := claim("k", "body", time.Minute)
		var ended *portfolio.EndedLease
		if _, err := s.ClaimKey(t.Context(), next); !errors.As(err, &ended) || ended.Holder != lost.Holder || !ended.Until.Equal(lost.Until) {
			t.Fatalf("after the lease: got %v, want its holder and end", err)
		}
		if held, err := s.ExtendKey(t.Context(), lost, lost.Until.Add(-time.Second)); err != nil || !held {
			t.Fatalf("got %v, %v, want the lease extended", held, err)
		}
		next.Replaces = ended
		if _, err := s.ClaimKey(t.Context(), next); !errors.As(err, &next.Replaces) {
			t.Fatalf("a lease that was extended: got %v", err)
		}
		mustClaim(t, s, next)
		if held, err := s.ExtendKey(t.Context(), lost, lost.Until.Add(time.Hour)); err != nil || held {
			t.Errorf("got %v, %v, want the lease lost", held, err)
		}
		if _, err := saveUnder(t, s, lost); !errors.Is(err, portfolio.ErrKeyInFlight) {
			t.Errorf("a save after losing the lease: %v", err)
		}
		if list, err := s.Portfolios(t.Context(), "demo:asha", portfolio.Query{Limit: all}); err != nil || len(list) != 0 {
			t.Errorf("listed %v, %v", list, err)
		}
		if a, err := saveUnder(t, s, next); err != nil || !a.Created {
			t.Errorf("the save of the lease's holder: %+v, %v", a, err)
		}
	})
}

func TestReleasedKeyCanBeClaimedAndCompletedKeyStays(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		failed := claim("k", "body", 0)
		mustClaim(t, s, failed)
		if err := s.ReleaseKey(t.Context(), failed); err != nil {
			t.Fatal(err)
		}
		next := claim("k", "another", time.Second)
		mustClaim(t, s, next)
		if err := s.ReleaseKey(t.Context(), failed); err != nil { // late: another request holds it now
			t.Fatal(err)
		}
		if _, err := saveUnder(t, s, next); err != nil {
			t.Fatal(err)
		}
		if err := s.ReleaseKey(t.Context(), next); err != nil {
			t.Fatal(err)
		}
		if a, err := s.ClaimKey(t.Context(), claim("k", "another", 2*time.Second)); err != nil || a == nil {
			t.Errorf("after: %+v, %v", a, err)
		}
	})
}

func TestConcurrentClaimsGiveAKeyToOneCaller(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		var got, refused atomic.Int32
		var wait sync.WaitGroup
		for range 20 {
			wait.Go(func() {
				switch a, err := s.ClaimKey(t.Context(), claim("k", "body", 0)); {
				case err == nil && a == nil:
					got.Add(1)
				case errors.Is(err, portfolio.ErrKeyInFlight):
					refused.Add(1)
				default:
					t.Errorf("got %+v, %v", a, err)
				}
			})
		}
		wait.Wait()
		if got.Load() != 1 || refused.Load() != 19 {
			t.Errorf("%d got it, %d were refused", got.Load(), refused.Load())
		}
	})
}

func TestDeletingAPortfolioDeletesItsStoredAnswers(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		c := claim("k", "body", 0)
		mustClaim(t, s, c)
		a, err := saveUnder(t, s, c)
		if err != nil {
			t.Fatal(err)
		}
		record := audit.New(t.Context(), savedAt, "demo:asha", audit.PortfolioDelete, "demo:asha", a.PortfolioID)
		if err := s.DeletePortfolio(t.Context(), "demo:asha", a.PortfolioID, record); err != nil {
			t.Fatal(err)
		}
		if again, err := s.ClaimKey(t.Context(), claim("k", "body", time.Second)); !errors.Is(err, portfolio.ErrKeyOfDeleted) {
			t.Errorf("got %+v, %v", again, err)
		}
	})
}

func TestSaveRacingADeleteLeavesNoStoredAnswer(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		a := save(t, s, "demo:asha", named("Fund", "2026-03-31"))
		c := claim("k", "body", 0)
		mustClaim(t, s, c)
		deleted := make(chan error, 1)
		again := saving(t, "demo:asha", named("Fund", "2026-03-31"))
		again.Claim = &c
		again.Render = func(p portfolio.Portfolio, _ bool) ([]byte, error) { // the save has seen the portfolio
			record := audit.New(t.Context(), savedAt, "demo:asha", audit.PortfolioDelete, "demo:asha", p.ID)
			go func() { deleted <- s.DeletePortfolio(t.Context(), "demo:asha", p.ID, record) }()
			for range 100 { // gives a delete that does not wait the time to finish
				if _, _, err := s.Latest(t.Context(), "demo:asha"); errors.Is(err, portfolio.ErrNotFound) {
					break
				}
			}
			return []byte(p.Investor.Name), nil
		}
		if kept, err := s.SavePortfolio(t.Context(), again); err != nil || kept.PortfolioID != a.PortfolioID {
			t.Fatalf("saved as %+v, %v", kept, err)
		}
		if err := <-deleted; err != nil {
			t.Fatal(err)
		}
		if got, err := s.ClaimKey(t.Context(), claim("k", "body", time.Second)); !errors.Is(err, portfolio.ErrKeyOfDeleted) {
			t.Errorf("the answer of what was deleted: %+v, %v", got, err)
		}
	})
}

func TestPurgeDeletesOnlyExpiredKeys(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		mustClaim(t, s, claim("old", "body", 0))
		mustClaim(t, s, claim("new", "body", time.Hour))
		if n, err := s.PurgeKeys(t.Context(), savedAt.Add(24*time.Hour)); err != nil || n != 1 {
			t.Errorf("purged %d, %v", n, err)
		}
		if _, err := s.ClaimKey(t.Context(), claim("new", "body", time.Hour)); !errors.Is(err, portfolio.ErrKeyInFlight) {
			t.Errorf("the newer key: %v", err)
		}
	})
}
