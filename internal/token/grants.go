package token

import (
	"context"
	"time"

	"casbroker/internal/fault"
	"casbroker/internal/httpapi"
	"casbroker/internal/id"
	"casbroker/internal/secret"
)

// Failures of those who look for grants.
var (
	// ErrNoGrant: there is no such grant.
	ErrNoGrant = fault.New(fault.NotFound, "grant_not_found", "There is no such grant.")

	errState = fault.New(fault.Invalid, "invalid_state", "state must be active, expired or revoked; leave it out for all.")
)

// MaxPage is how many grants a page has at most.
const MaxPage = 200

// State is how it stands with a grant's token.
type State string

// The states. A token that was revoked while it lived stays StateRevoked.
const (
	StateActive  State = "active"
	StateExpired State = "expired"
	StateRevoked State = "revoked"
)

// Kept is a grant as it stands now.
type Kept struct {
	Grant
	State     State
	RevokedAt time.Time // of StateRevoked, else zero
}

// UpstreamUntil is until when the token of a revoked grant works at the vendor all the
// same, which has no call to revoke one; zero when it does not at now.
func (k Kept) UpstreamUntil(now time.Time) time.Time {
	if k.State == StateRevoked && k.Mode == ModeDirect && k.ExpiresAt.After(now) {
		return k.ExpiresAt
	}
	return time.Time{}
}

// Filter says which grants are looked for. Its zero value is all.
type Filter struct {
	Subject string    // "" for everybody's
	State   State     // "" for any
	From    time.Time // issued then or later; zero for no bound
	To      time.Time // issued before then; zero for no bound
}

// Position is a place in the list of grants. The zero Position is before the newest.
type Position struct {
	IssuedAt time.Time
	ID       string
}

// Finder finds grants as they stand at now. FindGrants returns up to limit that f
// wants, newest first, past after. FindGrant returns ErrNoGrant when there is none.
// FindByMark returns all that have the mark, newest first, for the vendor may give one
// token twice; it leaves out those that have expired by every replica's clock.
type Finder interface {
	FindGrants(ctx context.Context, f Filter, after Position, limit int, now time.Time) ([]Kept, error)
	FindGrant(ctx context.Context, grantID string, now time.Time) (Kept, error)
	FindByMark(ctx context.Context, mark []byte, now time.Time) ([]Kept, error)
}

// Register tells operators which tokens were handed out. All fields are required. It
// is safe for concurrent use.
type Register struct {
	Finder Finder
	Box    *secret.Box // marked the tokens
	Now    func() time.Time
}

// Page is a part of a list of grants.
type Page struct {
	Grants []Kept
	Next   string // the cursor of the next page; "" on the last
}

// List returns up to limit grants, 1 to MaxPage, newest first. from is the Next of the
// page before, "" for the first. It returns faults for a from, a limit and a state
// that cannot be.
func (r *Register) List(ctx context.Context, f Filter, from string, limit int) (Page, error) {
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
	// One more than is wanted tells whether there is a next page.
	list, err := r.Finder.FindGrants(ctx, f, Position{IssuedAt: at, ID: grantID}, limit+1, r.Now())
	if err != nil || len(list) <= limit {
		return Page{Grants: list}, err
	}
	last := list[limit-1]
	return Page{Grants: list[:limit], Next: httpapi.EncodeTimeCursor(last.IssuedAt, last.ID)}, nil
}

// Grant returns one grant as it stands now, or ErrNoGrant.
func (r *Register) Grant(ctx context.Context, grantID string) (Kept, error) {
	if !isGrant(grantID) {
		return Kept{}, ErrNoGrant
	}
	return r.Finder.FindGrant(ctx, grantID, r.Now())
}

// ByToken returns the grants of the token value as they stand now, newest first. Those
// that expired a while ago may be left out, and those from before tokens were marked are
// not found.
func (r *Register) ByToken(ctx context.Context, value secret.Text) ([]Kept, error) {
	if !isToken(value.Reveal()) {
		return nil, nil
	}
	return r.Finder.FindByMark(ctx, markOf(r.Box, value), r.Now())
}

// isGrant reports whether grantID can be that of a Grant.
func isGrant(grantID string) bool { return id.Is("gr", grantID) }
