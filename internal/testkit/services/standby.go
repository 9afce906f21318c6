package services

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"testing"
)

// Replicated is a PostgreSQL with a streaming standby, for one test. Both have the
// database that Primary and Standby name.
type Replicated struct {
	Primary string // URL
	Standby string // URL; it takes no changes until Failover
}

// NewReplicated starts both servers.
func NewReplicated(t testing.TB) *Replicated {
	t.Helper()
	bin := filepath.Dir(need(t, "postgresql"))
	primary, err := startReplica(bin, "")
	if err != nil {
		t.Fatal(err)
	}
	standby, err := startReplica(bin, primary)
	if err != nil {
		t.Fatal(err)
	}
	return &Replicated{Primary: primary, Standby: standby}
}

// Failover makes the standby the primary, with all changes, and the old primary read-only,
// which keeps its connections.
func (r *Replicated) Failover(t testing.TB) {
	t.Helper()
	old, next := openServer(t, r.Primary), openServer(t, r.Standby)
	for _, statement := range []string{"ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()"} {
		if _, err := old.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	waitForWriters(t, openServer(t, r.Primary))
	err := waitFor("the standby", func(ctx context.Context) error {
		var end string
		if err := old.QueryRowContext(ctx, "SELECT pg_current_wal_lsn()").Scan(&end); err != nil {
			return err
		}
		complete := false
		err := next.QueryRowContext(ctx, "SELECT COALESCE(pg_last_wal_replay_lsn() >= $1::pg_lsn, FALSE)", end).Scan(&complete)
		if err == nil && !complete {
			err = fmt.Errorf("it has not read up to %s", end)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := next.ExecContext(t.Context(), "SELECT pg_promote(true, 30)"); err != nil {
		t.Fatal(err)
	}
}

// waitForWriters returns once the transactions have ended that began before the server of fresh was
// read-only. A connection that fresh opens and that is read-only shows that those before it are
// told, too.
func waitForWriters(t testing.TB, fresh *sql.DB) {
	t.Helper()
	fresh.SetMaxIdleConns(-1) // each query opens a connection
	var since string
	err := waitFor("a read-only primary", func(ctx context.Context) error {
		isOn := ""
		err := fresh.QueryRowContext(ctx, "SELECT current_setting('default_transaction_read_only'), clock_timestamp()::text").Scan(&isOn, &since)
		if err == nil && isOn != "on" {
			err = fmt.Errorf("default_transaction_read_only is %s", isOn)
		}
		return err
	})
	if err == nil {
		err = waitFor("the end of all changes", func(ctx context.Context) error {
			open := 0
			err := fresh.QueryRowContext(ctx, `SELECT COUNT(*) FROM pg_stat_activity
				WHERE backend_type = 'client backend' AND xact_start < $1::timestamptz AND pid <> pg_backend_pid()`, since).Scan(&open)
			if err == nil && open > 0 {
				err = fmt.Errorf("%d transactions are open", open)
			}
			return err
		})
	}
	if err != nil {
		t.Fatal(err)
	}
}

func openServer(t testing.TB, server string) *sql.DB {
	t.Helper()
	db, err := sql.Open("pgx", server)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// startReplica starts a server with a copy of the cluster that is made once: a primary, or a
// standby of primary.
func startReplica(bin, primary string) (string, error) {
	folder, data, asOwner, err := newCluster(bin, "casbroker-replica-")
	if err != nil {
		return "", err
	}
	options := []string{"wal_level=replica", "max_wal_senders=10", "hot_standby=on"}
	if primary != "" {
		u, err := url.Parse(primary)
		if err != nil {
			return "", err
		}
		if err := os.WriteFile(filepath.Join(data, "standby.signal"), nil, 0o600); err != nil {
			return "", err
		}
		options = append(options, fmt.Sprintf("primary_conninfo=host=%s port=%s user=%s", u.Hostname(), u.Port(), u.User.Username()))
	}
	return spawnPostgres(bin, folder, data, asOwner, options...)
}
