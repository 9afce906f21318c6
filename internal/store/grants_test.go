package store_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"casbroker/internal/audit"
	"casbroker/internal/store"
	"casbroker/internal/testkit/storetest"
	"casbroker/internal/token"
)

func TestGrantAndItsAuditRecordAreAtomic(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		at := time.Date(2026, 4, 1, 10, 0, 0, 0, time.UTC)
		ctx := audit.WithSource(t.Context(), audit.Source{RequestID: "req_1", Address: "203.0.113.7", UserAgent: "bad \xff bytes"}, func(context.Context, *audit.Source) audit.Caller { return audit.Caller{} })
		grant := token.Grant{ID: "gr_1", Subject: "app:asha", Mode: token.ModeDirect, IssuedAt: at, ExpiresAt: at.Add(time.Hour)}
		record := audit.New(ctx, at, "app:asha", audit.TokenMint, "app:asha", grant.ID)
		if err := s.RecordGrant(ctx, grant, record); err != nil {
			t.Fatal(err)
		}
		if err := s.RecordGrant(ctx, grant, audit.New(ctx, at, "app:asha", audit.TokenMint, "app:asha", grant.ID)); err == nil {
			t.Error("the same grant was recorded twice")
		}
		second := grant
		second.ID = "gr_2"
		if err := s.RecordGrant(ctx, second, record); err == nil {
			t.Error("the same audit record was stored twice")
		}
		// If the failed attempt had left its grant behind, this one would fail.
		if err := s.RecordGrant(ctx, second, audit.New(ctx, at, "app:asha", audit.TokenMint, "app:asha", second.ID)); err != nil {
			t.Errorf("half of a failed change was stored: %v", err)
		}
	})
}

func TestCanceledCallerChangesNothing(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		grant := token.Grant{ID: "gr_1", Subject: "app:asha", Mode: token.ModeDirect}
		record := audit.New(ctx, time.Now(), "app:asha", audit.TokenMint, "app:asha", grant.ID)
		if err := s.RecordGrant(ctx, grant, record); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

func TestClosedDatabaseIsNotReady(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if err := s.Ready(t.Context()); err == nil {
			t.Error("a closed database is ready")
		}
	})
}
