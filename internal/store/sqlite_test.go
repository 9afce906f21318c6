package store

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"casbroker/internal/portfolio"
)

func TestFullDiskIsUnavailableAndStoresNothing(t *testing.T) {
	t.Parallel()
	s := openNew(t, "sqlite:"+filepath.Join(t.TempDir(), "broker.db"))
	sample := newSample(t)
	if _, err := s.writer.ExecContext(t.Context(), "VACUUM"); err != nil { // migrations leave free pages
		t.Fatal(err)
	}
	var pages int
	if err := s.writer.QueryRowContext(t.Context(), "PRAGMA page_count").Scan(&pages); err != nil {
		t.Fatal(err)
	}
	limit := func(pages int) {
		t.Helper()
		if _, err := s.writer.ExecContext(t.Context(), fmt.Sprint("PRAGMA max_page_count = ", pages)); err != nil {
			t.Fatal(err)
		}
	}
	limit(pages + 1)
	save := sample.saving(t.Context())
	if _, err := s.SavePortfolio(t.Context(), save); !errors.Is(err, ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	limit(1 << 30)
	if list, err := s.Portfolios(t.Context(), save.Portfolio.Subject, portfolio.Query{Limit: 1}); err != nil || len(list) != 0 {
		t.Errorf("listed %v, %v", list, err)
	}
	if a, err := s.SavePortfolio(t.Context(), save); err != nil || !a.Created {
		t.Errorf("saved as %+v, %v", a, err)
	}
}

func TestReadOnlyDatabaseIsNotReadyUntilItIsWritable(t *testing.T) {
	t.Parallel()
	s := openNew(t, "sqlite:"+filepath.Join(t.TempDir(), "broker.db"))
	save := newSample(t).saving(t.Context())
	set := func(readOnly int) {
		t.Helper()
		if _, err := s.writer.ExecContext(t.Context(), fmt.Sprint("PRAGMA query_only = ", readOnly)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	set(1)
	if _, err := s.SavePortfolio(t.Context(), save); !errors.Is(err, ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	for range 2 {
		if err := s.Ready(t.Context()); !errors.Is(err, ErrUnavailable) {
			t.Errorf("it is ready: %v", err)
		}
	}
	set(0)
	if err := s.Ready(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestMarkIsThereAfterCheckpoints has the database grow, which changes the page with the mark.
func TestMarkIsThereAfterCheckpoints(t *testing.T) {
	t.Parallel()
	s := openNew(t, "sqlite:"+filepath.Join(t.TempDir(), "broker.db"))
	sample := newSample(t)
	for range 3 {
		if _, err := s.SavePortfolio(t.Context(), sample.saving(t.Context())); err != nil {
			t.Fatal(err)
		}
		if version := versionIn(s.file.file); version != versionTorn {
			t.Errorf("got version %d after a change, want %d", version, versionTorn)
		}
		if _, err := s.writer.ExecContext(t.Context(), "PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
			t.Fatal(err)
		}
		if version := versionIn(s.file.file); version != versionTorn {
			t.Errorf("got version %d after a checkpoint, want %d", version, versionTorn)
		}
	}
}
