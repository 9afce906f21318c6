package token

import (
	"context"
	"time"

	"casbroker/internal/fault"
	"casbroker/internal/httpapi"
	"casbroker/internal/id"
	"casbroker/internal/secret"
)

// Errors of finding grants.
var (
	// ErrNoGrant is returned for a grant that does not exist.
	ErrNoGrant = fault.New(fault.NotFound, "grant_not_found", "There is no such grant.")

	errState = fault.New(fault.Invalid, "invalid_state", "state must be active, expired or revoked; leave it out for all.")
)

// MaxPage is how many grants a page has at most.
const MaxPage = 200

// Filter selects grants. Its zero value selects all.
type Filter struct {
	Subject string    // "" for all users
	State   State     // "" for any
	From    time.Time // issued then or later; zero for no bound
	To      time.Time // issued before then; zero for no bound
}

// Cursor is a position in the list of grants. The zero Cursor is before the newest.
type Cursor struct {
	IssuedAt time.Time
	ID       string
}

// GrantReader reads grants, with their state at now.
type GrantReader interface {
	// FindGrants returns up to limit grants that match f, newest first, after the cursor.
	FindGrants(ctx context.Context, f Filter, after Cursor, limit int, now time.Time) ([]GrantInfo, error)
	// FindGrant returns ErrNoGrant if there is no such grant.
	FindGrant(ctx context.Context, grantID string, now time.Time) (GrantInfo, error)
	// FindByTokenHash returns all grants with that hash, newest first: the vendor may hand
	// out one token twice. It leaves out those that have expired by every replica's clock.
	FindByTokenHash(ctx context.Context, hash []byte, now time.Time) ([]GrantInfo, error)
	SessionReader
}

// Directory finds the grants of tokens for operators, and for users their own. All fields are required. It is safe
// for concurrent use.
type Directory struct {
	Grants GrantReader
	Box    *secret.Box // hashed the tokens
	Now    func() time.Time
}

// Page is one page of a list of grants.
type Page struct {
	Grants []GrantInfo
	Next   string // the cursor of the next page; "" on the last
}

// List returns up to limit grants, 1 to MaxPage, newest first. from is the Next of the
// previous page, "" for the first. It returns faults for an invalid from, limit or state.
func (d *Directory) List(ctx context.Context, f Filter, from string, limit int) (Page, error) {
	switch f.State {
	case "", StateActive, StateExpired, StateRevoked:
	default:
		return Page{}, errState
	}
	if limit < 1 || limit > MaxPage {
		return Page{}, httpapi.BadLimit(MaxPage)
	}
	at, grantID, ok := httpapi.DecodeTimeCursor(from, isGrant)
	if !ok {
		return Page{}, httpapi.ErrCursor
	}
	// One more than requested shows whether there is a next page.
	list, err := d.Grants.FindGrants(ctx, f, Cursor{IssuedAt: at, ID: grantID}, limit+1, d.Now())
	if err != nil || len(list) <= limit {
		return Page{Grants: list}, err
	}
	last := list[limit-1]
	return Page{Grants: list[:limit], Next: httpapi.EncodeTimeCursor(last.IssuedAt, last.ID)}, nil
}

// Grant returns one grant with its current state, or ErrNoGrant.
func (d *Directory) Grant(ctx context.Context, grantID string) (GrantInfo, error) {
	if !isGrant(grantID) {
		return GrantInfo{}, ErrNoGrant
	}
	return d.Grants.FindGrant(ctx, grantID, d.Now())
}

// ByToken returns the grants of the token value with their current state, newest first.
// Those that expired a while ago may be left out, and grants from before tokens were
// hashed are not found.
func (d *Directory) ByToken(ctx context.Context, value secret.Text) ([]GrantInfo, error) {
	if !WellFormed(value.Reveal()) {
		return nil, nil
	}
	return d.Grants.FindByTokenHash(ctx, hash(d.Box, value), d.Now())
}

// isGrant reports whether grantID has the form of a grant id.
func isGrant(grantID string) bool { return id.Is("gr", grantID) }
