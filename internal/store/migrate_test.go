package store_test

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"casbroker/internal/store"
	"casbroker/internal/testkit/storetest"
)

func TestConcurrentMigrationsRunOnce(t *testing.T) {
	t.Parallel()
	storetest.EachEmptyURL(t, func(t *testing.T, url string) {
		box := storetest.NewBox(t)
		steps := make(chan int, 8)
		var all sync.WaitGroup
		for range cap(steps) {
			s := openUnmigrated(t, url, box)
			all.Go(func() {
				n, err := s.Migrate(t.Context())
				if err != nil {
					t.Error(err)
				}
				steps <- n
			})
		}
		all.Wait()
		close(steps)
		worked := 0
		for n := range steps {
			if n > 0 {
				worked++
			}
		}
		if worked != 1 {
			t.Errorf("%d of %d did work, want 1", worked, cap(steps))
		}
	})
}

func TestMissingMigrationBelowTheHighestIsRun(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		box := storetest.NewBox(t)
		save(t, storetest.Open(t, url, box), "demo:asha", named("Fund", "2026-03-31"))
		db := storetest.SQL(t, url)
		for _, undo := range []string{`DROP TABLE packed_holdings`, `DROP TABLE packed_transactions`, `DELETE FROM goose_db_version WHERE version_id = 12`} {
			if _, err := db.ExecContext(t.Context(), undo); err != nil {
				t.Fatal(err)
			}
		}
		s := openUnmigrated(t, url, box)
		if err := s.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "broker migrate") {
			t.Errorf("before: %v", err)
		}
		if n, err := s.Migrate(t.Context()); n != 1 || err != nil {
			t.Fatalf("got %d migrations, %v", n, err)
		}
		if _, rows, err := s.Latest(t.Context(), "demo:asha"); err != nil || len(rows) != 1 {
			t.Errorf("got %v, %v", rows, err)
		}
	})
}

func TestUnmigratedDatabaseIsNotReadyAndSaysWhatToDo(t *testing.T) {
	t.Parallel()
	storetest.EachEmptyURL(t, func(t *testing.T, url string) {
		s := openUnmigrated(t, url, storetest.NewBox(t))
		if err := s.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "broker migrate") {
			t.Fatalf("before: %v", err)
		}
		if _, err := s.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := s.Ready(t.Context()); err != nil {
			t.Fatalf("after: %v", err)
		}
	})
}

func TestUnreadyDatabaseReturnsErrUnavailable(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if err := s.Ready(t.Context()); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("closed: %v", err)
		}
	})
}

func TestNewerSchemaIsRefusedByItsNumber(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		box := storetest.NewBox(t)
		serving := storetest.Open(t, url, box)
		if err := serving.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := storetest.SQL(t, url).ExecContext(t.Context(), `INSERT INTO goose_db_version (version_id, is_applied) VALUES (9000, TRUE)`); err != nil {
			t.Fatal(err)
		}
		s := openUnmigrated(t, url, box)
		_, migrate := s.Migrate(t.Context())
		for name, err := range map[string]error{"Migrate": migrate, "Ready": s.Ready(t.Context())} {
			if !errors.Is(err, store.ErrNewerSchema) || !strings.Contains(err.Error(), "has the number 9000") {
				t.Errorf("%s: got %v, want ErrNewerSchema with the number", name, err)
			}
		}
		if err := blockUser(t.Context(), s, "app:asha"); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("a change: got %v, want ErrUnavailable", err)
		}
		if err := blockUser(t.Context(), serving, "app:asha"); err != nil || serving.Ready(t.Context()) != nil {
			t.Errorf("a replica that serves already: got %v, want that it goes on", err)
		}
	})
}
