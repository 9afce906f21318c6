package store

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

func TestOtherFailuresEndTheWaitForAFullServer(t *testing.T) {
	t.Parallel()
	p := &poolSize{log: slog.New(slog.DiscardHandler)}
	p.refused()
	p.empty = p.empty.Add(-2 * fullWait)
	if !p.starved() {
		t.Error("a server that has been full for long does not starve callers")
	}
	p.failed()
	if p.refused(); p.starved() {
		t.Error("the time before another failure counts")
	}
}

func TestCanceledStatementIsNoUnreachableServer(t *testing.T) {
	t.Parallel()
	s := &DB{pool: &postgresPool{}}
	for code, want := range map[string]bool{"57014": false, "57P03": true, "28P01": false} {
		err := ErrUnavailable.Because(fmt.Errorf("migrate: %w", &pgconn.PgError{Code: code}))
		if got := s.Unreachable(err); got != want {
			t.Errorf("%s: got %t, want %t", code, got, want)
		}
	}
}

func TestRemedyOfAMissingEntryOfHBANamesBothCauses(t *testing.T) {
	t.Parallel()
	got := Remedy(errors.New(`no pg_hba.conf entry for host "10.0.0.7", user "broker", database "broker", no encryption`))
	if !strings.Contains(got, "pg_hba.conf") || !strings.Contains(got, "sslmode=require") {
		t.Errorf("got %q", got)
	}
}
