package audit

import (
	"context"
	"time"

	"casbroker/internal/httpapi"
	"casbroker/internal/id"
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
	// Unchained counts the entries without a chain, and returns how many there should be.
	Unchained(ctx context.Context) (found int64, sealed Unchained, err error)
}

// Service reads, exports and verifies the audit trail. All fields are required. It is safe
// for concurrent use.
type Service struct {
	Store  Store
	Chains ChainReader
	Box    *secret.Box // for the keyed hashes
}

// MaxLimit is the largest number of entries in a page.
const MaxLimit = 1000

// Filter selects entries; a zero field matches all.
type Filter struct {
	Subject, Actor string // exact matches
	Action         Action
	Without        []Action // any action but these
	Outcome        Outcome
	RequestID      string
	Since          time.Time // this time or later
	Until          time.Time // before this time
}

// Cursor is the position of an entry in the list of all, by time.
type Cursor struct {
	At time.Time
	ID string
}

// isRecord reports whether recordID has the form of a record id.
func isRecord(recordID string) bool { return id.Is("au", recordID) }

// Page is one page of a list of entries, newest first.
type Page struct {
	Entries []Entry
	Next    string // the cursor of the next page, "" on the last
}

// Find returns up to limit entries that match f, newest first. from is the Next of the
// previous page, "" for the first. New records do not shift the pages. It returns httpapi.ErrCursor or
// httpapi.ErrLimit for values that no page has.
func (s *Service) Find(ctx context.Context, f Filter, from string, limit int) (Page, error) {
	at, recordID, ok := httpapi.DecodeTimeCursor(from, isRecord)
	if !ok {
		return Page{}, httpapi.ErrCursor
	}
	if limit < 1 || limit > MaxLimit {
		return Page{}, httpapi.BadLimit(MaxLimit)
	}
	entries, err := s.Store.Records(ctx, f, Cursor{At: at, ID: recordID}, limit+1)
	if err != nil || len(entries) <= limit {
		return Page{Entries: entries}, err
	}
	last := entries[limit-1]
	return Page{Entries: entries[:limit], Next: httpapi.EncodeTimeCursor(last.At, last.ID)}, nil
}
