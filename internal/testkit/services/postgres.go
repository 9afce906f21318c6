package services

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"casbroker/internal/id"
)

// fileCopy makes CREATE DATABASE copy files, as it did before fileCopyVersion, instead of
// logging each page, which takes four times the processor time.
const (
	fileCopy        = " STRATEGY FILE_COPY"
	fileCopyVersion = 150000
)

var postgres service

// admin is the connection with which databases are created and dropped.
var admin struct {
	once    sync.Once
	db      *sql.DB
	version int // of the server, as in server_version_num
	err     error
}

// template is a database that CopyOfPostgres copies.
var template struct {
	once sync.Once
	name string
	err  error
}

// Postgres returns the URL of a new, empty database that is dropped at the end of the test.
func Postgres(t testing.TB) string {
	t.Helper()
	return create(t, postgresServer(t), "")
}

// CopyOfPostgres is Postgres with a database that fill has filled, which must be the same
// function in all calls of a test binary: it is called once, and each test gets a copy. On
// the server of TEST_POSTGRES_URL, where no database may be left behind, it fills each.
func CopyOfPostgres(t testing.TB, fill func(url string) error) string {
	t.Helper()
	server := postgresServer(t)
	if os.Getenv("TEST_POSTGRES_URL") != "" {
		url := create(t, server, "")
		if err := fill(url); err != nil {
			t.Fatal(err)
		}
		return url
	}
	template.once.Do(func() {
		template.name = databaseName()
		if template.err = run(server, "CREATE DATABASE "+template.name); template.err == nil {
			template.err = fill(withName(t, server, template.name))
		}
	})
	if template.err != nil {
		t.Fatal(template.err)
	}
	return create(t, server, " TEMPLATE "+template.name)
}

// postgresServer returns the URL of a server, which it starts if none was given.
func postgresServer(t testing.TB) string {
	t.Helper()
	if server := os.Getenv("TEST_POSTGRES_URL"); server != "" {
		return server
	}
	path := need(t, "postgresql")
	return postgres.get(t, func() (string, error) { return startPostgres(filepath.Dir(path)) })
}

func create(t testing.TB, server, option string) string {
	t.Helper()
	name := databaseName()
	execute(t, server, "CREATE DATABASE "+name+option)
	t.Cleanup(func() { execute(t, server, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)") })
	return withName(t, server, name)
}

func databaseName() string { return strings.ReplaceAll(id.New("test"), "-", "_") }

// withName returns the URL of the database name on server.
func withName(t testing.TB, server, name string) string {
	t.Helper()
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	return u.String()
}

// RefuseConnections makes the database at address refuse connections, and closes those it
// has, until AllowConnections.
func RefuseConnections(t testing.TB, address string) {
	t.Helper()
	server, name := splitName(t, address)
	execute(t, server, "ALTER DATABASE "+name+" WITH ALLOW_CONNECTIONS false")
	execute(t, server, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '"+name+"'")
}

// AllowConnections undoes RefuseConnections.
func AllowConnections(t testing.TB, address string) {
	t.Helper()
	server, name := splitName(t, address)
	execute(t, server, "ALTER DATABASE "+name+" WITH ALLOW_CONNECTIONS true")
}

// splitName returns the URL of the database "postgres" on the server of address, and the
// name of the database at address.
func splitName(t testing.TB, address string) (server, name string) {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	name = u.Path[1:]
	u.Path = "/postgres"
	return u.String(), name
}

func execute(t testing.TB, server, statement string) {
	t.Helper()
	if err := run(server, statement); err != nil {
		t.Fatal(err)
	}
}

// run executes statement on server, which is the same in all calls.
func run(server, statement string) error {
	admin.once.Do(func() {
		if admin.db, admin.err = sql.Open("pgx", server); admin.err == nil {
			admin.err = admin.db.QueryRowContext(context.Background(), "SELECT current_setting('server_version_num')::int").Scan(&admin.version)
		}
	})
	if admin.err != nil {
		return admin.err
	}
	if strings.HasPrefix(statement, "CREATE DATABASE ") && admin.version >= fileCopyVersion {
		statement += fileCopy
	}
	if _, err := admin.db.ExecContext(context.Background(), statement); err != nil {
		return fmt.Errorf("%s: %w", statement, err)
	}
	return nil
}

// startPostgres creates a cluster in a temporary folder and starts a server on it, without
// durability: the tests kill the broker, not the database.
func startPostgres(bin string) (string, error) {
	folder, data, asOwner, err := newCluster(bin, "casbroker-postgres-")
	if err != nil {
		return "", err
	}
	// With little WAL and no autovacuum, which would visit hundreds of databases, creating and
	// dropping one takes half the time.
	return spawnPostgres(bin, folder, data, asOwner, "wal_level=minimal", "max_wal_senders=0")
}

// newCluster creates a cluster in the folder data of a temporary folder, whose name begins with
// prefix. asOwner makes a command run as the owner of both.
func newCluster(bin, prefix string) (folder, data string, asOwner func(*exec.Cmd), err error) {
	folder, err = os.MkdirTemp(memoryRoot(), prefix)
	if err != nil {
		return "", "", nil, err
	}
	asOwner, err = unprivileged(folder)
	if err != nil {
		return "", "", nil, err
	}
	data = filepath.Join(folder, "data")
	return folder, data, asOwner, createCluster(filepath.Join(bin, "initdb"), data, asOwner)
}

// spawnPostgres starts a server on the cluster in data, which is in folder, and returns its URL.
func spawnPostgres(bin, folder, data string, asOwner func(*exec.Cmd), options ...string) (string, error) {
	port, err := freePort()
	if err != nil {
		return "", err
	}
	if err := spawn(asOwner, "INT", folder, postgresCommand(bin, data, port, options...)...); err != nil {
		return "", err
	}
	url := postgresURL(port)
	return url, waitFor("postgres on port "+port, func(ctx context.Context) error { return pingPostgres(ctx, url) })
}

// postgresCommand returns the command that serves the cluster in data on port.
func postgresCommand(bin, data, port string, options ...string) []string {
	command := []string{filepath.Join(bin, "postgres"), "-D", data}
	for _, o := range append([]string{
		"listen_addresses=127.0.0.1", "port=" + port, "unix_socket_directories=", "fsync=off",
		"full_page_writes=off", "autovacuum=off", "max_connections=200", "logging_collector=off", "log_min_messages=fatal",
	}, options...) {
		command = append(command, "-c", o)
	}
	return command
}

// postgresURL returns the URL of the database "postgres" of the server on port.
func postgresURL(port string) string {
	return "postgres://casbroker@127.0.0.1:" + port + "/postgres?sslmode=disable"
}

func pingPostgres(ctx context.Context, url string) error {
	db, err := sql.Open("pgx", url)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	return db.PingContext(ctx)
}

// createCluster copies a cluster that initdb has created once for its version, which takes a
// second of processor time.
func createCluster(initdb, data string, asOwner func(*exec.Cmd)) error {
	version, err := exec.CommandContext(context.Background(), initdb, "--version").Output()
	if err != nil {
		return fmt.Errorf("initdb: %w", err)
	}
	folder, err := Cached("postgres", []string{initdb, string(version)}, func(folder string) error {
		made := data + "-new" // where its owner may write
		if err := runInitdb(initdb, made, asOwner); err != nil {
			return err
		}
		return copyTree(made, filepath.Join(folder, "data"))
	})
	if err != nil {
		return err
	}
	return copyTree(filepath.Join(folder, "data"), data)
}

// copyTree copies a folder with the owners and modes of its files.
func copyTree(from, to string) error {
	if out, err := exec.CommandContext(context.Background(), "cp", "-Rp", from, to).CombinedOutput(); err != nil { //nolint:gosec // folders of ours
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// runInitdb creates a cluster with the collation of a language, which production clusters
// often have, so that a query that relies on the order of bytes fails without COLLATE "C".
// PostgreSQL before 15 or without ICU gets C.UTF-8.
func runInitdb(initdb, data string, asOwner func(*exec.Cmd)) error {
	run := func(locale ...string) (output string, err error) {
		cmd := exec.CommandContext(context.Background(), initdb, append(locale, //nolint:gosec // found by us
			"--pgdata", data, "--username", "casbroker", "--auth", "trust", "--no-sync", "--encoding", "UTF8")...)
		asOwner(cmd)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	output, err := run("--locale-provider=icu", "--icu-locale=en-US", "--locale=C")
	if err != nil && (strings.Contains(output, "unrecognized option") || strings.Contains(output, "ICU is not supported")) {
		output, err = run("--locale", "C.UTF-8")
	}
	if err != nil {
		return fmt.Errorf("initdb: %w: %s", err, output)
	}
	return nil
}
