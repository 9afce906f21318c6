package store

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"casbroker/internal/secret"
)

// The limits of the pool: enough connections for a replica under load, and none so old
// that it hides a failover or a changed password for long.
const (
	maxConns    = 20
	connMaxLife = 30 * time.Minute
	connMaxIdle = 5 * time.Minute
)

func postgresDialect() dialect {
	return dialect{
		name:       "postgres",
		goose:      "postgres",
		lock:       "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))",
		sharedLock: "SELECT pg_advisory_xact_lock_shared(hashtextextended($1, 0))",
		skipLocked: " FOR UPDATE SKIP LOCKED",
		together:   true,
		down:       postgresDown,
	}
}

func postgresCode(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// postgresDown reports whether err means that there is no connection, that it was lost
// or ended by the server (error classes 08, 53, 57), that the server is read-only
// (25006), or that it did not answer.
func postgresDown(err error) bool {
	var connect *pgconn.ConnectError
	if errors.As(err, &connect) {
		return true
	}
	if code := postgresCode(err); code != "" {
		return code == "25006" || strings.Contains("08 53 57", code[:2])
	}
	var network net.Error
	return errors.As(err, &network) || errors.Is(err, driver.ErrBadConn) ||
		pgconn.SafeToRetry(err) || strings.Contains(err.Error(), "conn closed") || strings.Contains(err.Error(), "unexpected EOF")
}

func openPostgres(url secret.URL) (*sql.DB, error) {
	config, err := pgx.ParseConfig(url.Reveal())
	if err != nil {
		// The library's error contains the URL with the password.
		return nil, errors.New("postgres: the URL cannot be read; want postgres://<user>:<password>@<host>/<database>?sslmode=verify-full")
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = 5 * time.Second
	}
	config.RuntimeParams["application_name"] = "casbroker"
	if _, ok := config.RuntimeParams["statement_timeout"]; !ok {
		config.RuntimeParams["statement_timeout"] = fmt.Sprint((30 * time.Second).Milliseconds())
	}
	db := stdlib.OpenDB(*config)
	db.SetMaxOpenConns(maxConns)
	db.SetMaxIdleConns(maxConns)
	db.SetConnMaxLifetime(connMaxLife)
	db.SetConnMaxIdleTime(connMaxIdle)
	return db, nil
}
