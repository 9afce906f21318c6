package store_test

import (
	"crypto/sha256"
	"errors"
	"testing"
	"time"

	"casbroker/internal/id"
	"casbroker/internal/portfolio"
	"casbroker/internal/store"
	"casbroker/internal/testkit/storetest"
)

// streamed returns a claim of key whose body is not received yet.
func streamed(key string, after time.Duration) portfolio.Claim {
	c := claim(key, "", after)
	c.Streamed = true
	return c
}

// captureUnder claims key at savedAt, and stores the answer to the request.
func captureUnder(t *testing.T, s *store.DB, key string) (c portfolio.Claim, captureID string, payload []byte) {
	t.Helper()
	c, captureID, payload = streamed(key, 0), id.New("ca"), named("Fund of "+key, "2026-03-31")
	mustClaim(t, s, c)
	if err := s.KeepCapture(t.Context(), portfolio.Capture{ID: captureID, Subject: c.Subject, At: savedAt, Payload: payload, Key: &c}); err != nil {
		t.Fatal(err)
	}
	return c, captureID, payload
}

// wantPending fails the test if the key can be claimed although its capture is not saved.
func wantPending(t *testing.T, s *store.DB, first portfolio.Claim) {
	t.Helper()
	for _, after := range []time.Duration{time.Second, 2 * time.Minute} { // within the lease, and after it
		for name, next := range map[string]portfolio.Claim{"with a body": claim(first.Key, "body", after), "streamed": streamed(first.Key, after)} {
			if _, err := s.ClaimKey(t.Context(), next); !errors.Is(err, portfolio.ErrSavePending) {
				t.Errorf("%s, after %s: got %v, want ErrSavePending", name, after, err)
			}
		}
	}
	next := streamed(first.Key, 2*time.Minute)
	next.Replaces = &portfolio.EndedLease{Holder: first.Holder, Until: first.Until}
	if _, err := s.ClaimKey(t.Context(), next); !errors.Is(err, portfolio.ErrSavePending) {
		t.Errorf("in place of the ended lease: got %v, want ErrSavePending", err)
	}
}

func TestKeyOfACaptureIsClaimedUntilThatIsSaved(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		c, captureID, payload := captureUnder(t, s, "k")
		wantPending(t, s, c)
		saved, err := s.SavePortfolio(t.Context(), verified(t, c.Subject, captureID, payload))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.ClaimKey(t.Context(), streamed("k", time.Hour)); !errors.Is(err, portfolio.ErrKeyAnswered) {
			t.Errorf("a body that is not received yet: got %v, want ErrKeyAnswered", err)
		}
		c.Body, c.Streamed = sha256.Sum256([]byte("body")), false
		if held, err := s.ExtendKey(t.Context(), c, c.Until); err != nil || !held {
			t.Fatalf("set the body: got %v, %v", held, err)
		}
		again, err := s.ClaimKey(t.Context(), claim("k", "body", time.Hour))
		if err != nil || again.PortfolioID != saved.PortfolioID || !again.Created || !again.Replayed || string(again.Body) != string(saved.Body) {
			t.Errorf("the same body: got %+v, %v, want %+v", again, err, saved)
		}
		if _, err := s.ClaimKey(t.Context(), claim("k", "another", time.Hour)); !errors.Is(err, portfolio.ErrKeyReused) {
			t.Errorf("another body: got %v, want ErrKeyReused", err)
		}
	})
}

func TestKeyOfADroppedCaptureIsFree(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		c, captureID, _ := captureUnder(t, s, "k")
		if err := s.DropCapture(t.Context(), captureID); err != nil {
			t.Fatal(err)
		}
		next := streamed("k", 2*time.Minute)
		next.Replaces = &portfolio.EndedLease{Holder: c.Holder, Until: c.Until}
		mustClaim(t, s, next)
	})
}

// TestCaptureLeavesTheKeyOfAnotherRequest saves a capture whose request was replaced before it was stored.
func TestCaptureLeavesTheKeyOfAnotherRequest(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		c := streamed("k", 0)
		mustClaim(t, s, c)
		next := streamed("k", 2*time.Minute)
		next.Replaces = &portfolio.EndedLease{Holder: c.Holder, Until: c.Until}
		mustClaim(t, s, next)
		inFlight := func(when string) {
			for name, other := range map[string]portfolio.Claim{"streamed": streamed("k", 2*time.Minute), "with a body": claim("k", "body", 2*time.Minute)} {
				if _, err := s.ClaimKey(t.Context(), other); !errors.Is(err, portfolio.ErrKeyInFlight) {
					t.Errorf("%s the capture is saved, %s: got %v, want the key with the other request", when, name, err)
				}
			}
		}
		captureID, payload := id.New("ca"), named("Fund", "2026-03-31")
		if err := s.KeepCapture(t.Context(), portfolio.Capture{ID: captureID, Subject: c.Subject, At: savedAt, Payload: payload, Key: &c}); err != nil {
			t.Fatal(err)
		}
		inFlight("before")
		third := streamed("k", time.Hour)
		third.Replaces = &portfolio.EndedLease{Holder: next.Holder, Until: next.Until}
		mustClaim(t, s, third) // the other request has died
		if _, err := s.SavePortfolio(t.Context(), verified(t, c.Subject, captureID, payload)); err != nil {
			t.Fatal(err)
		}
		inFlight("once")
	})
}
