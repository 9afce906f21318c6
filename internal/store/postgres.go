package store

import (
	"cmp"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// The limits of the pool: no connection is so old that it hides a changed password or a moved
// address for long.
const (
	defaultConns = 20
	connMaxLife  = 30 * time.Minute
	connMaxIdle  = 5 * time.Minute
)

// connectTimeout bounds the opening of a connection, and then its set-up.
const connectTimeout = 5 * time.Second

// statementTimeout is how long a statement may run, in case that the broker cannot cancel it
// after its own deadline.
const statementTimeout = 30 * time.Second

// timeoutForm is how a URL gives another limit, such as ?statement_timeout=60s.
var timeoutForm = regexp.MustCompile(`^[0-9]+ ?(us|ms|s|min|h|d)?$`)

func postgresDialect() dialect {
	return dialect{
		name:       "postgres",
		goose:      "postgres",
		lock:       "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))",
		sharedLock: "SELECT pg_advisory_xact_lock_shared(hashtextextended($1, 0))",
		skipLocked: " FOR UPDATE SKIP LOCKED",
		together:   true,
		allocate:   allocatePostgres,
		readOnly:   "current_setting('transaction_read_only') = 'on'",
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
// (25006), that this process was frozen in a transaction (25P03), or that it did not answer.
func postgresDown(err error) bool {
	var connect *pgconn.ConnectError
	if errors.As(err, &connect) {
		return true
	}
	if code := postgresCode(err); code != "" {
		return code == readOnlyCode || code == frozenCode || strings.Contains("08 53 57", code[:2])
	}
	var network net.Error
	return errors.As(err, &network) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, errReadOnly) || errors.Is(err, errHangs) ||
		pgconn.SafeToRetry(err) || strings.Contains(err.Error(), "conn closed") || strings.Contains(err.Error(), "unexpected EOF")
}

// openPostgres returns a pool for o.URL, which connects when it is first used.
func openPostgres(o Options, log *slog.Logger) (*postgresPool, error) {
	config, err := pgx.ParseConfig(o.URL.Reveal())
	if err != nil {
		if file := new(fs.PathError); errors.As(err, &file) {
			return nil, fmt.Errorf("postgres: a file that the URL names cannot be read: %w", file)
		}
		// The library's error contains the URL with the password.
		return nil, errors.New("postgres: the URL cannot be read; want postgres://<user>:<password>@<host>/<database>?sslmode=verify-full")
	}
	hosts := newPostgresHosts(config)
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTimeout
		if hosts.count > 1 {
			config.ConnectTimeout = hostTimeout
		}
	}
	config.DialFunc = newDialer().DialContext
	config.RuntimeParams["application_name"] = "casbroker"
	limits := sessionLimits{
		{"statement_timeout", fmt.Sprint(statementTimeout.Milliseconds())},
		{"idle_in_transaction_session_timeout", fmt.Sprint(idleTimeout.Milliseconds())},
	}
	migration := slices.Clone(limits)
	migration[0][1] = "0" // an index of a large table takes its time
	for i, limit := range limits {
		if own := config.RuntimeParams[limit[0]]; timeoutForm.MatchString(own) {
			limits[i][1], migration[i][1] = own, own
		}
		delete(config.RuntimeParams, limit[0]) // poolers refuse such parameters of the start
	}
	hang := newHangDetector(hosts.reaching(config), log)
	hang.hosts = hosts.count
	return &postgresPool{
		Connector: stdlib.GetConnector(*config, stdlib.OptionBeforeConnect(hosts.lastFirst)), hosts: hosts, hang: hang,
		pooler: cmp.Or(o.Pooler, PoolerAuto), log: log, limits: limits, migrationLimits: migration,
	}, nil
}
