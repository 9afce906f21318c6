package services

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// poolers are the PgBouncers of this test binary, by their server and settings.
var poolers struct {
	sync.Mutex

	started map[string]*service
}

// PgBouncer returns the URL of the PostgreSQL database at address by way of a PgBouncer, which
// tests with the same settings share. Settings are the text of its file, which ends in its section
// [pgbouncer]; addresses, users and paths are replaced. Every caller may connect.
func PgBouncer(t testing.TB, address, settings string) string {
	t.Helper()
	path := need(t, "pgbouncer")
	database, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	database.Host = poolerFor(database.Host+"\n"+settings).get(t, func() (string, error) { return startPgBouncer(path, database, settings) })
	return database.String()
}

func poolerFor(key string) *service {
	poolers.Lock()
	defer poolers.Unlock()
	if poolers.started == nil {
		poolers.started = map[string]*service{}
	}
	if poolers.started[key] == nil {
		poolers.started[key] = new(service)
	}
	return poolers.started[key]
}

// startPgBouncer returns the host and port of a new PgBouncer in front of the server of
// database, for all of its databases.
func startPgBouncer(path string, database *url.URL, settings string) (string, error) {
	folder, err := os.MkdirTemp("", "casbroker-pgbouncer-")
	if err != nil {
		return "", err
	}
	asOwner, err := unprivileged(folder)
	if err != nil {
		return "", err
	}
	port, err := freePort()
	if err != nil {
		return "", err
	}
	login := "user=" + database.User.Username()
	if password, ok := database.User.Password(); ok {
		login += " password=" + password
	}
	// The last value of a setting counts, but not in a section of its own.
	settings += fmt.Sprintf(`
listen_addr = 127.0.0.1
listen_port = %s
auth_type = any
auth_file =
unix_socket_dir =
[databases]
* = host=%s port=%s %s
`, port, database.Hostname(), database.Port(), login)
	file := filepath.Join(folder, "pgbouncer.ini")
	if err := os.WriteFile(file, []byte(settings), 0o644); err != nil { //nolint:gosec // read by another user
		return "", err
	}
	if err := spawn(asOwner, "INT", folder, path, "--quiet", file); err != nil {
		return "", err
	}
	front := *database
	front.Host = "127.0.0.1:" + port
	return front.Host, waitFor("pgbouncer on port "+port, func(ctx context.Context) error {
		db, err := sql.Open("pgx", front.String())
		if err != nil {
			return err
		}
		defer func() { _ = db.Close() }()
		return db.PingContext(ctx)
	})
}
