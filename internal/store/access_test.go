package store_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"casbroker/internal/access"
	"casbroker/internal/audit"
	"casbroker/internal/store"
	"casbroker/internal/testkit/storetest"
	"casbroker/internal/token"
)

var accessBegin = time.Date(2026, 4, 1, 10, 0, 0, 0, time.UTC)

// give records a grant of subject that is issued at at and expires an hour later.
func give(ctx context.Context, s *store.DB, id, subject string, at time.Time, version int64) error {
	g := token.Grant{
		ID: id, Subject: subject, Mode: token.ModeDirect, IssuedAt: at, ExpiresAt: at.Add(time.Hour), AccessVersion: version,
	}
	return s.RecordGrant(ctx, g, audit.New(ctx, at, subject, audit.TokenMint, subject, id))
}

// alter makes change c at the instant at.
func alter(ctx context.Context, s *store.DB, c access.Change, at time.Time) (access.Outcome, error) {
	c.At, c.Actor = at, "admin:meera"
	return s.ChangeAccess(ctx, c, audit.New(ctx, at, c.Actor, audit.UserBlock, c.Subject, c.GrantID))
}

// mustAlter is alter for changes that must succeed.
func mustAlter(t *testing.T, s *store.DB, c access.Change, at time.Time) access.Outcome {
	t.Helper()
	o, err := alter(t.Context(), s, c, at)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func mustGive(t *testing.T, s *store.DB, id, subject string, at time.Time, version int64) {
	t.Helper()
	if err := give(t.Context(), s, id, subject, at, version); err != nil {
		t.Fatal(err)
	}
}

func TestGrantOlderThanAChangeOfAccessIsNotRecorded(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		mustAlter(t, s, access.Change{Kind: access.Block, Subject: "app:blocked", Until: accessBegin.Add(time.Hour)}, accessBegin)
		mustAlter(t, s, access.Change{Kind: access.RevokeUser, Subject: "app:asha"}, accessBegin)
		for i, c := range []struct {
			name    string
			subject string
			at      time.Time
			version int64
			want    error
		}{
			{"a blocked user", "app:blocked", accessBegin, 2, access.ErrBlocked},
			{"a block that has ended, and a mint from before it", "app:blocked", accessBegin.Add(time.Hour), 0, token.ErrRevoked},
			{"a block that has ended", "app:blocked", accessBegin.Add(time.Hour), 2, nil},
			{"a mint from before the revocation", "app:asha", accessBegin, 1, token.ErrRevoked},
			{"a mint from after the revocation", "app:asha", accessBegin, 2, nil},
			{"another user", "app:rohan", accessBegin, 0, nil},
			{"a version that an older copy of the database does not have", "app:rohan", accessBegin, 3, token.ErrRevoked},
		} {
			if err := give(t.Context(), s, fmt.Sprint("gr_", i), c.subject, c.at, c.version); !errors.Is(err, c.want) {
				t.Errorf("%s: got %v, want %v", c.name, err, c.want)
			}
		}
		mustAlter(t, s, access.Change{Kind: access.RevokeAll}, accessBegin)
		if err := give(t.Context(), s, "gr_all", "app:rohan", accessBegin, 2); !errors.Is(err, token.ErrRevoked) {
			t.Errorf("after all were revoked: got %v", err)
		}
	})
}

func TestNoGrantIsRecordedAfterABlockReturned(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		var blocked atomic.Bool
		var all sync.WaitGroup
		for worker := range 8 {
			all.Go(func() {
				for i := 0; ; i++ {
					before := blocked.Load()
					err := give(t.Context(), s, fmt.Sprintf("gr_%d_%d", worker, i), "app:asha", accessBegin, 0)
					switch {
					case errors.Is(err, access.ErrBlocked):
						return
					case err != nil, before:
						t.Errorf("blocked before: %v, and got %v", before, err)
						return
					}
				}
			})
		}
		mustAlter(t, s, access.Change{Kind: access.Block, Subject: "app:asha"}, accessBegin)
		blocked.Store(true)
		all.Wait()
	})
}

func TestVersionsNumberChangesInCommitOrder(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		const changes = 60
		var all sync.WaitGroup
		for i := range changes {
			all.Go(func() {
				if _, err := alter(t.Context(), s, access.Change{Kind: access.RevokeUser, Subject: fmt.Sprint("app:", i)}, accessBegin); err != nil {
					t.Error(err)
				}
			})
		}
		for known := int64(0); known < changes; { // a reader must not miss a version that is committed later
			list, err := s.AccessChanges(t.Context(), known, 7)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range list {
				if known++; c.Version != known {
					t.Fatalf("read version %d, want %d", c.Version, known)
				}
			}
		}
		all.Wait()
		if version, err := s.AccessVersion(t.Context()); version != changes || err != nil {
			t.Errorf("version %d, %v", version, err)
		}
	})
}

func TestRevokingAGrantReportsWhenTheVendorTokenExpires(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		mustGive(t, s, "gr_1", "app:asha", accessBegin, 0)
		mustGive(t, s, "gr_2", "app:asha", accessBegin.Add(time.Minute), 0)
		revoke := func(subject, id string, at time.Time) (access.Outcome, error) {
			return alter(t.Context(), s, access.Change{Kind: access.RevokeGrant, Subject: subject, GrantID: id}, at)
		}
		for _, c := range []struct{ subject, id string }{{"", "gr_3"}, {"app:rohan", "gr_1"}} {
			if _, err := revoke(c.subject, c.id, accessBegin); !errors.Is(err, access.ErrNoGrant) {
				t.Errorf("%+v: got %v", c, err)
			}
		}
		for i, already := range []bool{false, true} {
			o, err := revoke("", "gr_1", accessBegin.Add(time.Minute))
			if err != nil || o.Already != already || o.Subject != "app:asha" || !o.UpstreamUntil.Equal(accessBegin.Add(time.Hour)) {
				t.Errorf("time %d: %+v, %v", i+1, o, err)
			}
		}
		o := mustAlter(t, s, access.Change{Kind: access.RevokeUser, Subject: "app:asha"}, accessBegin.Add(2*time.Minute))
		if o.Already || !o.UpstreamUntil.Equal(accessBegin.Add(61*time.Minute)) {
			t.Errorf("the user: %+v", o)
		}
		if o, err := revoke("app:asha", "gr_2", accessBegin.Add(2*time.Minute)); err != nil || !o.Already {
			t.Errorf("a grant that went with its user's: %+v, %v", o, err)
		}
		mustGive(t, s, "gr_4", "app:asha", accessBegin, o.Newest)
		if o, err := revoke("", "gr_4", accessBegin.Add(time.Hour)); err != nil || !o.Already || !o.UpstreamUntil.IsZero() {
			t.Errorf("a grant that has expired: %+v, %v", o, err)
		}
	})
}

func TestChangeOfAccessAndItsAuditRecordAreAtomic(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		ctx := t.Context()
		mustGive(t, s, "gr_1", "app:asha", accessBegin, 0)
		c := access.Change{Kind: access.RevokeGrant, GrantID: "gr_1", At: accessBegin, Actor: "admin:meera"}
		r := audit.New(ctx, c.At, c.Actor, audit.TokenRevoke, "", c.GrantID)
		for range 2 {
			r.ID += "x"
			if _, err := s.ChangeAccess(ctx, c, r); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.ChangeAccess(ctx, access.Change{Kind: access.RevokeAll, At: accessBegin}, r); err == nil {
			t.Error("the same audit record was stored twice")
		}
		if version, err := s.AccessVersion(ctx); version != 1 || err != nil {
			t.Errorf("version %d, %v: a change without its record was stored", version, err)
		}
		trail, err := s.Trail(ctx, "app:asha", audit.Record{}, 10)
		if err != nil || len(trail) != 3 {
			t.Fatalf("got %+v, %v", trail, err)
		}
		for i, detail := range []string{"", "already"} {
			if got := trail[i+1]; got.Actor != "admin:meera" || got.Object != "gr_1" || got.Detail != detail {
				t.Errorf("record %d: %+v", i+1, got)
			}
		}
	})
}

// TestSameChangeAtTheSameTimeIsMadeOnce has several callers revoke a grant, block a user and
// unblock them: all but one are told that it is so already.
func TestSameChangeAtTheSameTimeIsMadeOnce(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		mustGive(t, s, "gr_other", "app:asha", accessBegin, 0) // active still
		for i := range 10 {
			id := fmt.Sprint("gr_", i)
			mustGive(t, s, id, "app:asha", accessBegin, 0)
			for _, c := range []access.Change{
				{Kind: access.RevokeGrant, GrantID: id}, {Kind: access.Block, Subject: "app:rohan"}, {Kind: access.Unblock, Subject: "app:rohan"},
			} {
				var callers sync.WaitGroup
				var made atomic.Int64
				for range 6 {
					callers.Go(func() {
						o, err := alter(t.Context(), s, c, accessBegin)
						if err != nil {
							t.Error(err)
						} else if !o.Already {
							made.Add(1)
						}
					})
				}
				callers.Wait()
				if made.Load() != 1 {
					t.Errorf("%s %s%s: was made %d times, want once", c.Kind, c.Subject, c.GrantID, made.Load())
				}
			}
		}
	})
}
