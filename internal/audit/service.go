package audit

import (
	"context"

	"casbroker/internal/secret"
)

// Store stores and reads records. It is safe for concurrent use.
type Store interface {
	// Append stores records, all or none.
	Append(ctx context.Context, records ...Record) error
	// Records returns up to limit entries that match f, newest first, after the cursor.
	Records(ctx context.Context, f Filter, after Cursor, limit int) ([]Entry, error)
}

// ChainReader reads the chains of the records. It is safe for concurrent use.
type ChainReader interface {
	// Heads returns up to limit heads in the order of their numbers, after number.
	Heads(ctx context.Context, number int64, limit int) ([]SealedHead, error)
	// Chain returns up to limit entries of writer ordered by Seq and id, after the entry
	// with the Seq seq and the id after.
	Chain(ctx context.Context, writer string, seq int64, after string, limit int) ([]Entry, error)
	// NextWriter returns the writer of entries that follows after, and whether its chain
	// has a head. "" is before the first writer and after the last.
	NextWriter(ctx context.Context, after string) (writer string, headed bool, err error)
	// Unchained counts the entries without a chain.
	Unchained(ctx context.Context) (int64, error)
}

// Service reads, exports and verifies the audit trail. All fields are required. It is safe
// for concurrent use.
type Service struct {
	Store  Store
	Chains ChainReader
	Box    *secret.Box // for the keyed hashes
}
