package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"strings"

	"modernc.org/sqlite"
)

// maxStatements bounds the statements that a connection keeps. Queries with conditions or
// lists of different lengths count once for each.
const maxStatements = 128

// openCached opens a SQLite database whose connections keep prepared statements. The
// driver prepares each statement every time it is run, which takes as long as running it. A
// connection is opened only if check returns nil.
func openCached(dsn string, check func() error) (*sql.DB, error) {
	c, err := sqlite.NewConnector(dsn)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(cachingConnector{c, check}), nil
}

// cachingConnector opens connections that keep prepared statements.
type cachingConnector struct {
	driver.Connector

	check func() error
}

// Connect opens a connection.
func (c cachingConnector) Connect(ctx context.Context) (driver.Conn, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	inner, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	conn, ok := inner.(sqliteConn)
	if !ok {
		return nil, errors.Join(errDriver, inner.Close())
	}
	return &cachingConn{sqliteConn: conn, statements: map[string]*cachedStatement{}}, nil
}

var errDriver = errors.New("sqlite: the driver does not implement the interfaces that are needed")

// sqliteConn is what a connection of the driver implements.
type sqliteConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

// preparedStatement is what a statement of the driver implements.
type preparedStatement interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// cachingConn keeps the statements that it has prepared. Package sql uses a connection, and
// the rows of its queries, from one goroutine at a time. A statement between two runs holds
// no lock and no parameters; SQLite prepares it again by itself after a change of the tables.
type cachingConn struct {
	sqliteConn

	statements map[string]*cachedStatement // by query
	runs       uint64
}

type cachedStatement struct {
	preparedStatement

	query   string
	lastRun uint64
	inUse   bool // by rows that are not closed
}

// isPragma reports whether query is one of SQLite's settings, many of which take effect
// when they are prepared, and not when they are run.
func isPragma(query string) bool {
	const word = "PRAGMA"
	query = strings.TrimSpace(query)
	return len(query) >= len(word) && strings.EqualFold(query[:len(word)], word)
}

// ExecContext runs a statement.
func (c *cachingConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	s, err := c.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	traced, span := startStatement(ctx, query, systemSQLite)
	result, err := s.ExecContext(traced, args)
	endStatement(span, err)
	c.release(s, err)
	return result, err
}

// QueryContext runs a query.
func (c *cachingConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	s, err := c.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	traced, span := startStatement(ctx, query, systemSQLite)
	rows, err := s.QueryContext(traced, args)
	endStatement(span, err)
	if err != nil {
		c.release(s, err)
		return nil, err
	}
	return &cachedRows{Rows: rows, conn: c, statement: s}, nil
}

// statement returns a prepared statement of query, for release. It keeps one of each query:
// another one, while that is in use, is not kept.
func (c *cachingConn) statement(ctx context.Context, query string) (*cachedStatement, error) {
	c.runs++
	kept := c.statements[query]
	if kept != nil && !kept.inUse {
		kept.inUse, kept.lastRun = true, c.runs
		return kept, nil
	}
	prepared, err := c.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	p, ok := prepared.(preparedStatement)
	if !ok {
		return nil, errors.Join(errDriver, prepared.Close())
	}
	s := &cachedStatement{preparedStatement: p, query: query, lastRun: c.runs, inUse: true}
	if kept == nil && !isPragma(query) {
		c.makeRoom()
		c.statements[query] = s
	}
	return s, nil
}

// makeRoom closes the statement that was not run for longest if there are too many.
func (c *cachingConn) makeRoom() {
	if len(c.statements) < maxStatements {
		return
	}
	var oldest *cachedStatement
	for _, s := range c.statements {
		if !s.inUse && (oldest == nil || s.lastRun < oldest.lastRun) {
			oldest = s
		}
	}
	if oldest != nil {
		c.drop(oldest)
	}
}

// release ends the use of s, whose run ended with err. One that has failed is not run again.
func (c *cachingConn) release(s *cachedStatement, err error) {
	s.inUse = false
	if err != nil || c.statements[s.query] != s {
		c.drop(s)
	}
}

// drop closes s.
func (c *cachingConn) drop(s *cachedStatement) {
	if c.statements[s.query] == s {
		delete(c.statements, s.query)
	}
	_ = s.Close() // it returns the failure of the last run, which is known
}

// Close closes the statements and the connection.
func (c *cachingConn) Close() error {
	for _, s := range c.statements {
		c.drop(s)
	}
	return c.sqliteConn.Close()
}

// cachedRows are the rows of a cachedStatement.
type cachedRows struct {
	driver.Rows

	conn      *cachingConn
	statement *cachedStatement
	failed    error
	closed    bool
}

// Next reads the next row.
func (r *cachedRows) Next(dest []driver.Value) error {
	err := r.Rows.Next(dest)
	if err != nil && !errors.Is(err, io.EOF) {
		r.failed = err
	}
	return err
}

// Close ends the use of the statement.
func (r *cachedRows) Close() error {
	if r.closed {
		return nil
	}
	r.closed = true
	err := r.Rows.Close()
	r.conn.release(r.statement, errors.Join(r.failed, err))
	return err
}
