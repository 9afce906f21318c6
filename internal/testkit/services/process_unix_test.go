//go:build unix

package services_test

import (
	"database/sql"
	"testing"
	"time"

	"casbroker/internal/testkit/services"
)

// TestKilledPostgresHasWhatWasCommitted kills a PostgreSQL that has connections, and starts it again.
func TestKilledPostgresHasWhatWasCommitted(t *testing.T) {
	t.Parallel()
	p := services.OwnPostgres(t)
	db, err := sql.Open("pgx", p.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(t.Context(), "CREATE TABLE t AS SELECT generate_series(1, 100)"); err != nil {
		t.Fatal(err)
	}
	p.Kill()
	// The process of the connection ends once it has noticed. The test's own timeout ends the wait.
	for db.PingContext(t.Context()) == nil {
		<-time.After(time.Millisecond)
	}
	p.Start(t)
	var n int
	if err := db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM t").Scan(&n); err != nil || n != 100 {
		t.Errorf("got %d rows, %v, want 100", n, err)
	}
}
