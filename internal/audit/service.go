package audit

import (
	"context"

	"casbroker/internal/secret"
)

// Book is where records are kept. It is safe for concurrent use.
type Book interface {
	// Append keeps records, all or none.
	Append(ctx context.Context, records ...Record) error
	// Records returns up to limit entries that f lets through, newest first, past after.
	Records(ctx context.Context, f Filter, after Position, limit int) ([]Entry, error)
}

// Chains is how the records of a Book hang together. It is safe for concurrent use.
type Chains interface {
	// Heads returns up to limit heads in the order of their places, past place.
	Heads(ctx context.Context, place int64, limit int) ([]SealedHead, error)
	// Chain returns up to limit entries of writer in the order of their places, and
	// of their ids where those are the same, past the one at seq called after.
	Chain(ctx context.Context, writer string, seq int64, after string, limit int) ([]Entry, error)
	// NextWriter returns the writer of entries that comes after the one given, and
	// whether there is a head of its chain; "" is before the first and after the last.
	NextWriter(ctx context.Context, after string) (writer string, headed bool, err error)
	// Unchained counts the entries that belong to no chain.
	Unchained(ctx context.Context) (int64, error)
}

// Service reads the audit trail and proves that it is whole. All fields are
// required. It is safe for concurrent use.
type Service struct {
	Book   Book
	Chains Chains
	Box    *secret.Box // made the hashes
}
