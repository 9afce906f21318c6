package store_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"casbroker/internal/id"
	"casbroker/internal/secret"
	"casbroker/internal/store"
	"casbroker/internal/testkit/logtest"
	"casbroker/internal/testkit/services"
	"casbroker/internal/testkit/storetest"
)

// connectionLimit is how many connections the user of the tests may have.
const connectionLimit = 6

// limitedUser returns address with a new user who may have connectionLimit connections, and may do what the
// owner of the database may.
func limitedUser(t *testing.T, address string) string {
	t.Helper()
	name := "limited_" + strings.TrimPrefix(id.New("u"), "u_")
	direct := storetest.SQL(t, address)
	for _, statement := range []string{
		fmt.Sprintf("CREATE ROLE %s LOGIN CONNECTION LIMIT %d", name, connectionLimit),
		"GRANT ALL ON ALL TABLES IN SCHEMA public TO " + name,
		"GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO " + name,
	} {
		if _, err := direct.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		_, _ = direct.ExecContext(context.Background(), fmt.Sprintf("DROP OWNED BY %s; DROP ROLE %s", name, name))
	})
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.User(name)
	return u.String()
}

func TestRequestsWaitWhileTheServerRefusesMoreConnections(t *testing.T) {
	t.Parallel()
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		testRefusedConnections(t, limitedUser(t, storetest.Postgres(t)))
	})
	t.Run("PgBouncer", func(t *testing.T) {
		t.Parallel()
		settings := strings.Replace(pgBouncerRecipe(t), "max_client_conn = 200", fmt.Sprint("max_client_conn = ", connectionLimit), 1)
		testRefusedConnections(t, services.PgBouncer(t, storetest.Postgres(t), settings))
	})
}

// testRefusedConnections uses the database at address with two replicas, which together may have
// connectionLimit connections.
func testRefusedConnections(t *testing.T, address string) {
	t.Helper()
	box, log := storetest.NewBox(t), &logtest.Log{}
	var replicas []*store.DB
	for range 2 {
		db, err := store.Open(store.Options{URL: secret.URL(address), Box: box, Log: slog.New(slog.NewTextHandler(log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		replicas = append(replicas, db)
	}
	var all errgroup.Group
	for i := range 24 {
		all.Go(func() error {
			db, subject := replicas[i%2], fmt.Sprintf("app:%d", i)
			for range 5 {
				if err := blockUser(t.Context(), db, subject); err != nil {
					return err
				}
				if _, err := db.ActiveBlock(t.Context(), subject, time.Now()); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := all.Wait(); err != nil {
		t.Errorf("with %d connections for two replicas that may have 20 each: got %v, want no error", connectionLimit, err)
	}
	if got := log.String(); !strings.Contains(got, "store.max_conns") {
		t.Errorf("got the log %q, want the setting named", got)
	}
}

func TestPoolHasNoMoreConnectionsThanItsSetting(t *testing.T) {
	t.Parallel()
	address := storetest.Postgres(t)
	db, err := store.Open(store.Options{URL: secret.URL(address), Box: storetest.NewBox(t), MaxConns: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := useConcurrently(t.Context(), db, 1); err != nil {
		t.Error(err)
	}
	var sessions int
	err = storetest.SQL(t, address).QueryRowContext(t.Context(), `SELECT COUNT(*) FROM pg_stat_activity
		WHERE datname = current_database() AND application_name = 'casbroker'`).Scan(&sessions)
	if sessions == 0 || sessions > 2 || err != nil {
		t.Errorf("got %d connections, %v; want 1 or 2", sessions, err)
	}
}
