package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/stdlib"
)

// The values of Options.Pooler: what is between the broker and PostgreSQL.
const (
	PoolerAuto        = "auto"        // recognised at each connection
	PoolerNone        = "none"        // nothing, or a pooler in session mode: each connection is one session of the server
	PoolerTransaction = "transaction" // a pooler that gives each transaction another session
)

// dropEvery is how often at most the connections to a read-only server are dropped, so that
// a server that stays read-only is not busy with new ones.
const dropEvery = time.Second

var errPostgresDriver = errors.New("postgres: the driver has connections of another type")

// postgresPool opens and sets up the connections of a sql.DB to PostgreSQL.
//
// A connection that is a session of the server keeps prepared statements and has sessionLimits
// from the start. Behind a pooler that is not known to keep sessions (PoolerAuto
// takes every pooler for such a one), nothing that outlives a transaction is left on the
// server: statements are not named, and each BEGIN brings the limits.
type postgresPool struct {
	driver.Connector

	pooler          string
	limits          sessionLimits // while migrations run, migrationLimits instead
	migrationLimits sessionLimits
	migrations      atomic.Int32 // that run
	log             *slog.Logger
	size            poolSize
	hang            *hangDetector
	hosts           *postgresHosts
	droppedAt       atomic.Int64 // connections opened earlier are not used again; unix ns, 0 for never
	readOnlyAt      atomic.Int64 // when drop last dropped connections; unix ns, 0 for never
}

// open returns a sql.DB of p with up to size connections. It may be called once.
func (p *postgresPool) open(size int) *sql.DB {
	db := sql.OpenDB(p)
	db.SetConnMaxLifetime(connMaxLife)
	db.SetConnMaxIdleTime(connMaxIdle)
	p.size.log, p.size.max, p.size.db = p.log, size, db
	p.size.set(size)
	return db
}

// Close is called when the sql.DB is closed.
func (p *postgresPool) Close() error {
	p.size.close()
	p.hang.close()
	return nil
}

// Connect opens a connection and sets it up. If the server has no more to give, it returns
// driver.ErrBadConn, after which package sql waits for one that is open; if there is none, Connect
// tries again until ctx ends or fullWait is over.
func (p *postgresPool) Connect(ctx context.Context) (driver.Conn, error) {
	for {
		conn, err := p.connect(ctx)
		switch {
		case err == nil:
			p.size.opened()
			return conn, nil
		case !isFull(err):
			p.size.failed()
			return nil, err
		case p.size.refused():
			return nil, driver.ErrBadConn
		case p.size.starved():
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(fullRetry):
		}
	}
}

// isFull reports whether err means that the server, or PgBouncer (max_client_conn), has as many
// connections as it may have.
func isFull(err error) bool {
	return postgresCode(err) == fullCode || strings.Contains(err.Error(), "no more connections allowed")
}

func (p *postgresPool) connect(ctx context.Context) (driver.Conn, error) {
	answers, ended, err := p.hang.begin()
	if err != nil {
		return nil, err
	}
	defer ended()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(answers, cancel)()
	opened := time.Now()
	inner, err := p.Connector.Connect(ctx)
	if err != nil {
		if answers.Err() != nil {
			return nil, errHangs
		}
		return nil, err
	}
	conn, ok := inner.(*stdlib.Conn)
	if !ok {
		return nil, errors.Join(errPostgresDriver, inner.Close())
	}
	c := &postgresConn{Conn: conn, pool: p, opened: opened}
	if err := c.setUp(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("set up a connection: %w", err), conn.Close())
	}
	c.address = addressOf(conn.Conn())
	p.hosts.use(c.address)
	p.hosts.countOpen(c.address, 1)
	c.forget = context.AfterFunc(answers, c.giveUp)
	return c, nil
}

// drop ends the use of all connections that are open now, since the server that they lead to
// is read-only: after a failover by address, new ones lead to the new primary.
func (p *postgresPool) drop() {
	now, last := time.Now().UnixNano(), p.readOnlyAt.Load()
	if now-last < dropEvery.Nanoseconds() || !p.readOnlyAt.CompareAndSwap(last, now) {
		return
	}
	p.droppedAt.Store(now)
	p.log.Warn("the database server is read-only, as a former primary is after a failover; its connections are dropped")
}

// beginMigration gives connections, and transactions behind a pooler, the limits of migrations until
// end is called.
func (p *postgresPool) beginMigration() (end func()) {
	p.migrations.Add(1)
	p.droppedAt.Store(time.Now().UnixNano())
	return func() {
		p.migrations.Add(-1)
		p.droppedAt.Store(time.Now().UnixNano())
	}
}

// currentLimits returns the limits of a session, or a transaction, that begins now.
func (p *postgresPool) currentLimits() sessionLimits {
	if p.migrations.Load() > 0 {
		return p.migrationLimits
	}
	return p.limits
}

// isDropped reports whether a connection that was opened at opened must not be used again.
func (p *postgresPool) isDropped(opened time.Time) bool {
	return opened.UnixNano() < p.droppedAt.Load()
}

// sessionLimits are parameters of a session that bound what it may do to others, and their
// values in SQL.
type sessionLimits [][2]string

// forSession returns an SQL expression that sets the limits until the session ends.
func (l sessionLimits) forSession() string {
	calls := make([]string, len(l))
	for i, limit := range l {
		calls[i] = fmt.Sprintf("set_config('%s', '%s', false)", limit[0], limit[1])
	}
	return strings.Join(calls, " || ")
}

// forTransaction returns statements that set the limits until the transaction ends.
func (l sessionLimits) forTransaction() string {
	var statements strings.Builder
	for _, limit := range l {
		fmt.Fprintf(&statements, "; SET LOCAL %s = '%s'", limit[0], limit[1])
	}
	return statements.String()
}
