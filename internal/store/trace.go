package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"strings"

	"casbroker/internal/tracing"
)

// The systems of the conventions of OpenTelemetry.
const (
	systemSQLite   = "sqlite"
	systemPostgres = "postgresql"
)

// startTransaction starts the span of a change, which is called action. On SQLite, whose
// statements several changes share a transaction for, it has no spans of statements.
func startTransaction(ctx context.Context, action string) (context.Context, *tracing.Span) {
	ctx, span := tracing.Start(ctx, "SQL transaction", tracing.Internal)
	span.Text("casbroker.action", action)
	return ctx, span
}

// traceparentKey is the key of what withTraceparent adds to a context.
type traceparentKey struct{}

// traceparentOf returns the span that has made the change of ctx, in the form of tracing.Traceparent; NULL
// without one.
func traceparentOf(ctx context.Context) sql.NullString {
	text, known := ctx.Value(traceparentKey{}).(string)
	return sql.NullString{String: text, Valid: known}
}

// withTraceparent returns do with the span in ctx for traceparentOf. On SQLite the context of do is not that
// of the caller.
func withTraceparent(ctx context.Context, do work) work {
	text := tracing.Traceparent(ctx)
	if text == "" {
		return do
	}
	return func(ctx context.Context, tx *sql.Tx) error {
		return do(context.WithValue(ctx, traceparentKey{}, text), tx)
	}
}

// startStatement starts the span of a statement, of which it has the first word alone.
func startStatement(ctx context.Context, query, system string) (context.Context, *tracing.Span) {
	ctx, span := tracing.Start(ctx, "SQL", tracing.Client)
	if span != nil {
		kind := statementKind(query)
		span.Rename("SQL " + kind)
		span.Text("db.system.name", system)
		span.Text("db.operation.name", kind)
	}
	return ctx, span
}

// endStatement ends the span of a statement.
func endStatement(span *tracing.Span, err error) {
	if !errors.Is(err, driver.ErrBadConn) { // package sql tries again
		span.FailIf(err)
	}
	span.End()
}

// statementKind returns the first word of a query, in capitals, if it is one of the usual ones.
func statementKind(query string) string {
	word, _, _ := strings.Cut(strings.TrimSpace(query), " ")
	switch word = strings.ToUpper(strings.TrimSpace(word)); word {
	case "SELECT", "INSERT", "UPDATE", "DELETE", "WITH", "SAVEPOINT", "RELEASE", "ROLLBACK", "PRAGMA", "SET":
		return word
	default:
		return "OTHER"
	}
}
