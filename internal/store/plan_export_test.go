package store

import (
	"context"
	"database/sql"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// OnNotice has onNotice called with what PostgreSQL at url, that of s, tells a connection. It must be
// called before s is used, and onNotice must be safe for concurrent use.
func (s *DB) OnNotice(url string, onNotice func(*pgconn.Notice)) error {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return err
	}
	config.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) { onNotice(n) }
	s.pool.Connector = stdlib.GetConnector(*config)
	return nil
}

// BeginMigration gives connections the limits of migrations until end is called.
func (s *DB) BeginMigration() (end func()) { return s.pool.beginMigration() }

// StatementTimeout returns how long a statement of a transaction may run.
func (s *DB) StatementTimeout(ctx context.Context) (limit string, err error) {
	tx, err := s.writer.BeginTx(ctx, nil)
	if err != nil {
		return "", err
	}
	defer func() { _ = tx.Rollback() }()
	return limit, tx.QueryRowContext(ctx, "SHOW statement_timeout").Scan(&limit)
}

// ReadWithOneConnection makes all reads from SQLite use the same connection.
func (s *DB) ReadWithOneConnection() { s.reader.SetMaxOpenConns(1) }

// Statements calls found with each statement that the connections to SQLite have kept.
func (s *DB) Statements(ctx context.Context, found func(query string)) error {
	for _, pool := range []*sql.DB{s.reader, s.writer} {
		conn, err := pool.Conn(ctx)
		if err != nil {
			return err
		}
		err = conn.Raw(func(c any) error {
			for query := range c.(*cachingConn).statements { //nolint:forcetypeassert // the only type there is
				found(query)
			}
			return nil
		})
		if err != nil {
			return err
		}
		if err := conn.Close(); err != nil {
			return err
		}
	}
	return nil
}
