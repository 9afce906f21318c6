package store_test

import (
	"testing"
	"time"

	"casbroker/internal/access"
	"casbroker/internal/audit"
	"casbroker/internal/budget"
	"casbroker/internal/credit"
	"casbroker/internal/store"
	"casbroker/internal/testkit/storetest"
	"casbroker/internal/token"
)

// callUnder records an open call of subject with the token of a grant.
func callUnder(t *testing.T, s *store.DB, subject, grantID, callID string, at time.Time) {
	t.Helper()
	c := budget.Call{ID: callID, Subject: subject, GrantID: grantID, RequestID: "req_1", Feature: "smart_parser", StartedAt: at, Reserved: credit.One}
	if _, err := s.BeginCall(t.Context(), c, nil, nil); err != nil {
		t.Fatal(err)
	}
}

func TestGrantHasItsCallsWithTheirPortfolios(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		payload := named("Fund", "2026-03-31")
		callUnder(t, s, "demo:asha", "gr_1", "gc_2", savedAt.Add(time.Second))
		callUnder(t, s, "demo:asha", "gr_1", "gc_1", savedAt)
		callUnder(t, s, "demo:asha", "gr_2", "gc_3", savedAt)
		callUnder(t, s, "demo:ravi", "gr_3", "gc_4", savedAt)
		a, err := s.SavePortfolio(t.Context(), verified(t, "demo:asha", captureOf(t, s, "demo:asha", "gc_1", payload), payload))
		if err != nil {
			t.Fatal(err)
		}
		r := budget.Result{Outcome: budget.OutcomeOK, Delivery: budget.Answered, Used: credit.One}
		if _, _, err := s.EndCall(t.Context(), "gc_1", r, savedAt.Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		if _, err := s.SavePortfolio(t.Context(), verified(t, "demo:asha", captureOf(t, s, "demo:asha", "gc_3", payload), payload)); err != nil {
			t.Fatal(err) // the same statement with another token
		}
		// A call of another user, which a capture cannot be of, gets nothing.
		if _, err := s.SavePortfolio(t.Context(), verified(t, "demo:asha", captureOf(t, s, "demo:asha", "gc_4", payload), payload)); err != nil {
			t.Fatal(err)
		}

		calls, err := s.GrantCalls(t.Context(), "gr_1", all)
		if err != nil || len(calls) != 2 || calls[0].ID != "gc_1" || calls[1].ID != "gc_2" {
			t.Fatalf("got %+v, %v, want both calls, the oldest first", calls, err)
		}
		if c := calls[0]; !c.Sent || c.Outcome != "ok" || c.Credits != credit.One || c.PortfolioID != a.PortfolioID || !c.EndedAt.Equal(savedAt.Add(time.Minute)) {
			t.Errorf("got %+v, want the portfolio %s", c, a.PortfolioID)
		}
		if c := calls[1]; c.Sent || !c.EndedAt.IsZero() || c.PortfolioID != "" {
			t.Errorf("got %+v, want an open call", c)
		}
		for grantID, want := range map[string]string{"gr_2": a.PortfolioID, "gr_3": ""} {
			if calls, err := s.GrantCalls(t.Context(), grantID, 1); err != nil || len(calls) != 1 || calls[0].PortfolioID != want {
				t.Errorf("%s: got %+v, %v, want the portfolio %q", grantID, calls, err, want)
			}
		}
		erase(t, s, "demo:asha")
		for _, grantID := range []string{"gr_1", ""} {
			if calls, err := s.GrantCalls(t.Context(), grantID, all); err != nil || len(calls) != 0 {
				t.Errorf("after the erasure: got %+v, %v", calls, err)
			}
		}
	})
}

func TestFirstRevocationOfAGrantIsFound(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		grant := func(id string) token.Grant {
			version, err := s.AccessVersion(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			g := token.Grant{ID: id, Subject: "demo:asha", IssuedAt: savedAt, ExpiresAt: savedAt.Add(time.Hour), AccessVersion: version}
			if err := s.RecordGrant(t.Context(), g, audit.New(t.Context(), savedAt, g.Subject, audit.TokenMint, g.Subject, id)); err != nil {
				t.Fatal(err)
			}
			return g
		}
		mustAlter(t, s, access.Change{Kind: access.RevokeUser, Subject: "demo:asha"}, savedAt)
		one, two := grant("gr_1"), grant("gr_2")
		mustAlter(t, s, access.Change{Kind: access.RevokeUser, Subject: "demo:ravi"}, savedAt)
		want := func(g token.Grant, at time.Time) {
			t.Helper()
			if r, err := s.GrantRevocation(t.Context(), g); err != nil || !r.At.Equal(at) || r.Actor == "" != at.IsZero() {
				t.Errorf("%s: got %+v, %v, want one at %s", g.ID, r, err, at)
			}
		}
		want(one, time.Time{})
		mustAlter(t, s, access.Change{Kind: access.RevokeGrant, GrantID: "gr_1", Subject: "demo:asha"}, savedAt.Add(time.Minute))
		mustAlter(t, s, access.Change{Kind: access.RevokeAll}, savedAt.Add(time.Hour))
		want(one, savedAt.Add(time.Minute))
		want(two, savedAt.Add(time.Hour))
	})
}
