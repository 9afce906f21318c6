package store_test

import (
	"slices"
	"testing"
	"time"

	"casbroker/internal/access"
	"casbroker/internal/admin"
	"casbroker/internal/id"
	"casbroker/internal/store"
	"casbroker/internal/testkit/storetest"
	"casbroker/internal/token"
)

// endings returns the changes that end the token of a grant of app:asha.
func endings(grantID string) map[access.Kind]access.Change {
	return map[access.Kind]access.Change{
		access.RevokeGrant: {Kind: access.RevokeGrant, GrantID: grantID},
		access.RevokeUser:  {Kind: access.RevokeUser, Subject: "app:asha"},
		access.Block:       {Kind: access.Block, Subject: "app:asha"},
		access.RevokeAll:   {Kind: access.RevokeAll},
	}
}

// TestTokenIsRevokedThoughTheRevokersClockIsAhead revokes a token
// two minutes before it expires, on a replica whose clock is five minutes ahead.
func TestTokenIsRevokedThoughTheRevokersClockIsAhead(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		begin := accessBegin
		for kind := range endings("") {
			grantID := id.New("gr")
			known, err := s.AccessVersion(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			mustGive(t, s, grantID, "app:asha", begin, known)
			now := begin.Add(58 * time.Minute)
			if got := states(t, s, grantID, now); got != "active" {
				t.Errorf("%s: the state before is %s", kind, got)
			}
			ahead := now.Add(5 * time.Minute)
			o := mustAlter(t, s, endings(grantID)[kind], ahead)
			if o.Already != (kind != access.Block) || o.Newest != known+1 || !o.UpstreamUntil.IsZero() {
				t.Errorf("%s: got %+v", kind, o)
			}
			if got := states(t, s, grantID, now); got != "revoked" {
				t.Errorf("%s: the state is %s", kind, got)
			}
			if got := states(t, s, grantID, ahead); got != "expired" {
				t.Errorf("%s: the state after the expiry is %s", kind, got)
			}
			mustAlter(t, s, access.Change{Kind: access.Unblock, Subject: "app:asha"}, ahead)
			begin = begin.Add(24 * time.Hour)
		}
	})
}

// states returns the state of a grant at now, and fails the test unless all queries agree
// on it.
func states(t *testing.T, s *store.DB, grantID string, now time.Time) string {
	t.Helper()
	k, err := s.FindGrant(t.Context(), grantID, now)
	if err != nil {
		t.Fatal(err)
	}
	for _, state := range []token.State{token.StateActive, token.StateExpired, token.StateRevoked} {
		page, err := register(s, now).List(t.Context(), token.Filter{State: state, From: k.IssuedAt}, "", 10)
		if err != nil || (len(page.Grants) == 1) != (state == k.State) {
			t.Errorf("FindGrant says %s, but the list of %s has %+v, %v", k.State, state, page.Grants, err)
		}
	}
	alive := 0
	if k.State == token.StateActive {
		alive = 1
	}
	if n, err := s.LiveGrants(t.Context(), now); n != alive || err != nil {
		t.Errorf("the grant is %s, but %d tokens are active, %v", k.State, n, err)
	}
	users, err := s.FindUsers(t.Context(), admin.UserFilter{Prefix: k.Subject}, "", 1, now)
	if err != nil || len(users) != 1 || users[0].LiveTokens != alive {
		t.Errorf("the grant is %s, its user has %+v, %v", k.State, users, err)
	}
	return string(k.State)
}

func TestGrantIsRevokedOnceAndNotAfterItExpiredByEveryClock(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		late, over, revoked := id.New("gr"), id.New("gr"), id.New("gr")
		for _, grantID := range []string{late, over, revoked} {
			mustGive(t, s, grantID, "app:asha", accessBegin, 0)
		}
		mustAlter(t, s, access.Change{Kind: access.RevokeGrant, GrantID: revoked}, accessBegin)
		for _, step := range []struct {
			name    string
			grantID string
			after   time.Duration // since the token expired
		}{
			{"a grant that was revoked before it expired", revoked, time.Minute},
			{"a grant that has just expired", late, 15*time.Minute - time.Millisecond},
			{"the same grant again", late, time.Minute},
			{"a grant that has expired by every clock", over, 15 * time.Minute},
		} {
			o := mustAlter(t, s, access.Change{Kind: access.RevokeGrant, GrantID: step.grantID}, accessBegin.Add(time.Hour+step.after))
			if !o.Already || o.Subject != "app:asha" {
				t.Errorf("%s: got %+v", step.name, o)
			}
		}
		var marked []string
		list, err := s.AccessChanges(t.Context(), 0, 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range list {
			marked = append(marked, c.GrantID)
		}
		if !slices.Equal(marked, []string{revoked, late}) {
			t.Errorf("revoked %q, want %q", marked, []string{revoked, late})
		}
	})
}
