package audit

import (
	"context"
	"time"

	"casbroker/internal/httpapi"
	"casbroker/internal/id"
)

// MaxLimit is how many entries a page has at most.
const MaxLimit = 1000

// Filter says which entries are wanted; what is zero lets all through.
type Filter struct {
	Subject, Actor string // exactly
	Action         Action
	Without        Action // any but this
	Outcome        Outcome
	Since          time.Time // this moment or later
	Until          time.Time // before this moment
}

// Position is the place of an entry among all, by time.
type Position struct {
	At time.Time
	ID string
}

// isRecord reports whether recordID can be that of a Record.
func isRecord(recordID string) bool { return id.Is("au", recordID) }

// Page is a part of what a query finds, newest first.
type Page struct {
	Entries []Entry
	Next    string // the cursor of the next page, "" when there is none
}

// Find returns up to limit entries that f lets through, newest first, past the page
// whose Next is from; "" is the first. What is recorded meanwhile does not move
// the pages. It returns httpapi.ErrCursor or
// httpapi.ErrLimit for values that no page has.
func (s *Service) Find(ctx context.Context, f Filter, from string, limit int) (Page, error) {
	at, recordID, ok := httpapi.DecodeTimeCursor(from, isRecord)
	if !ok {
		return Page{}, httpapi.ErrCursor
	}
	if limit < 1 || limit > MaxLimit {
		return Page{}, httpapi.BadLimit(MaxLimit)
	}
	entries, err := s.Book.Records(ctx, f, Position{At: at, ID: recordID}, limit+1)
	if err != nil || len(entries) <= limit {
		return Page{Entries: entries}, err
	}
	last := entries[limit-1]
	return Page{Entries: entries[:limit], Next: httpapi.EncodeTimeCursor(last.At, last.ID)}, nil
}
