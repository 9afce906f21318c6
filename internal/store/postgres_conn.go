package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

const (
	readOnlyCode = "25006" // of a change on a server that takes none
	fullCode     = "53300" // of a connection beyond those that the server, the database or the user may have
)

// stalePlanCode is the error of a prepared statement whose result has another type since a
// migration ("cached plan must not change result type").
const stalePlanCode = "0A000"

// postgresConn is a connection of a postgresPool. Package sql uses it from one goroutine at
// a time.
type postgresConn struct {
	*stdlib.Conn

	pool    *postgresPool
	address string // of the server
	opened  time.Time
	shared  bool // a pooler may give each transaction another session of the server
	used    bool // it has worked since it was set up
	inTx    bool

	forget  func() bool // ends the wait for a server that hangs
	givenUp atomic.Bool // the server hangs

	committed bool // the transaction was committed by commitWith
}

// giveUp ends what waits for a server that hangs.
func (c *postgresConn) giveUp() {
	c.givenUp.Store(true)
	c.pool.hosts.countOpen(c.address, -1)
	_ = c.Conn.Conn().PgConn().Conn().SetDeadline(time.Unix(1, 0))
}

// setUp finds out whether the connection is a session of the server, and sets the limits of
// one that is. A server tells each connection the process of its session; a pooler
// tells another number, since it has many sessions.
func (c *postgresConn) setUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	if c.pool.pooler == PoolerTransaction {
		c.shared = true
		return nil
	}
	isSession := "TRUE"
	if c.pool.pooler == PoolerAuto {
		isSession = fmt.Sprintf("pg_backend_pid() = %d", c.Conn.Conn().PgConn().PID())
	}
	query := "SELECT CASE WHEN " + isSession + " THEN " + slices.Concat(c.pool.currentLimits(), linkLimits()).forSession() + " END IS NULL"
	return c.Conn.Conn().QueryRow(ctx, query, pgx.QueryExecModeSimpleProtocol).Scan(&c.shared)
}

// BeginTx begins a transaction. It returns driver.ErrBadConn if the connection was lost
// before, so that package sql begins on another: nothing has been done.
func (c *postgresConn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	begin := "BEGIN"
	switch sql.IsolationLevel(o.Isolation) {
	case sql.LevelDefault:
	case sql.LevelReadCommitted:
		begin += " ISOLATION LEVEL READ COMMITTED"
	default:
		return nil, fmt.Errorf("unsupported isolation level %s", sql.IsolationLevel(o.Isolation))
	}
	if o.ReadOnly {
		begin += " READ ONLY"
	}
	if c.shared {
		begin += c.pool.currentLimits().forTransaction()
	}
	_, ended, err := c.pool.hang.begin()
	if err != nil {
		return nil, err
	}
	defer ended()
	tx, err := c.Conn.Conn().BeginTx(ctx, pgx.TxOptions{BeginQuery: begin})
	if err != nil {
		return nil, c.explain(ctx, err)
	}
	c.used, c.inTx, c.committed = true, true, false
	return &postgresTx{ctx: ctx, tx: tx, conn: c}, nil
}

// QueryContext runs a query, which outside of a transaction only reads: if the connection was
// lost, it returns driver.ErrBadConn, so that package sql reads from another.
func (c *postgresConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	_, ended, err := c.pool.hang.begin()
	if err != nil {
		return nil, err
	}
	defer ended()
	ctx, span := startStatement(ctx, query, systemPostgres)
	defer func() { endStatement(span, err) }()
	rows, err := c.Conn.QueryContext(ctx, query, c.mode(args))
	if c.noteStale(err) && !c.inTx {
		rows, err = c.Conn.QueryContext(ctx, query, c.mode(args))
	}
	if err != nil {
		return nil, c.explain(ctx, err)
	}
	c.used = true
	return rows, nil
}

// ExecContext runs a statement, or the last ones of a transaction.
func (c *postgresConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	_, ended, err := c.pool.hang.begin()
	if err != nil {
		return nil, err
	}
	defer ended()
	if len(args) == 1 {
		if last, ok := args[0].Value.(lastStatements); ok { // a span of each would say no more than that of the transaction
			return driver.ResultNoRows, c.commitWith(ctx, last)
		}
	}
	if len(args) > 0 { // without, it is sent as it is, and may be several
		args = c.mode(args)
	}
	ctx, span := startStatement(ctx, query, systemPostgres)
	result, err := c.Conn.ExecContext(ctx, query, args)
	endStatement(span, err)
	c.noteStale(err)
	c.noteReadOnly(err)
	return result, err
}

// mode returns args after what tells the driver how to run their statement: on a session
// without a name, which may be taken in the next one.
func (c *postgresConn) mode(args []driver.NamedValue) []driver.NamedValue {
	if !c.shared {
		return args
	}
	return slices.Insert(slices.Clone(args), 0, driver.NamedValue{Value: pgx.QueryExecModeCacheDescribe})
}

// explain returns driver.ErrBadConn if err means that the connection was lost, has worked
// before, and nothing depends on it.
func (c *postgresConn) explain(ctx context.Context, err error) error {
	c.noteReadOnly(err)
	if c.used && !c.inTx && ctx.Err() == nil && c.Conn.Conn().IsClosed() {
		return driver.ErrBadConn
	}
	return err
}

// noteStale reports whether err means that a statement was prepared before a migration has changed
// the type of its result. Transactions that begin later use new connections.
func (c *postgresConn) noteStale(err error) bool {
	if err == nil || postgresCode(err) != stalePlanCode {
		return false
	}
	c.pool.droppedAt.Store(time.Now().UnixNano())
	return true
}

func (c *postgresConn) noteReadOnly(err error) {
	if err != nil && postgresCode(err) == readOnlyCode {
		c.pool.drop()
	}
}

// ResetSession is called before each use but the first.
func (c *postgresConn) ResetSession(ctx context.Context) error {
	_, ended, err := c.pool.hang.begin()
	if err != nil || !c.IsValid() {
		return driver.ErrBadConn
	}
	defer ended()
	return c.Conn.ResetSession(ctx)
}

// Close closes the connection. Package sql calls it once.
func (c *postgresConn) Close() error {
	if c.forget() { // and giveUp does not run any more
		c.pool.hosts.countOpen(c.address, -1)
	}
	c.pool.size.closed()
	if c.givenUp.Load() { // a server that hangs does not read the message that ends a session
		return c.Conn.Conn().PgConn().Conn().Close()
	}
	return c.Conn.Close()
}

// IsValid reports whether the connection may be used again.
func (c *postgresConn) IsValid() bool { return !c.givenUp.Load() && !c.pool.isDropped(c.opened) }

// postgresTx is a transaction of a postgresConn.
type postgresTx struct {
	ctx  context.Context //nolint:containedctx // Commit and Rollback of package sql have none
	tx   pgx.Tx
	conn *postgresConn
}

// Commit commits the transaction.
func (t *postgresTx) Commit() error {
	t.conn.inTx = false
	if t.conn.committed {
		return nil
	}
	_, ended, err := t.conn.pool.hang.begin()
	if err != nil {
		return err
	}
	defer ended()
	return t.tx.Commit(t.ctx)
}

// Rollback rolls the transaction back.
func (t *postgresTx) Rollback() error {
	t.conn.inTx = false
	return t.tx.Rollback(t.ctx)
}
