package token

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"casbroker/internal/auth"
	"casbroker/internal/credit"
)

// maxCalls is how many calls a Session has at most.
const maxCalls = 200

// Session is what happened under the token of a grant, as far as the broker saw it: calls
// with a token of the vendor do not pass the broker.
type Session struct {
	GrantInfo
	End   End    // how the grant ended; zero while it is active
	Calls []Call // recorded calls of the gateway, the oldest first
	More  bool   // there are more calls
}

// Call is a call of the vendor's API with a gateway token.
type Call struct {
	ID          string
	RequestID   string
	KeyName     string // of the API key that it was made with
	Feature     string // as the vendor's usage names it, such as smart_parser
	StartedAt   time.Time
	EndedAt     time.Time // zero while it is open
	Sent        bool      // the vendor got it as a whole
	Outcome     string    // as package gateway names them; "" while it is open
	Reason      string    // the code of the failure; "" without one
	Credits     credit.Amount
	PortfolioID string // that was saved from the answer; "" for none
}

// callOK is the Outcome of calls that succeeded.
const callOK = "ok"

// parses reports whether the call parses an account statement.
func (c Call) parses() bool {
	return strings.HasSuffix(c.Feature, "_parser") && c.Feature != "contract_note_parser"
}

// EndedBy says who ended a grant.
type EndedBy string

// Who ended a grant.
const (
	EndedByExpiry   EndedBy = "expiry"   // nobody
	EndedByUser     EndedBy = "user"     // the user signed out
	EndedByOperator EndedBy = "operator" // it was revoked, or its user blocked
)

// End is how a grant ended.
type End struct {
	At time.Time
	By EndedBy
}

// Revocation is the change of access that revoked a grant.
type Revocation struct {
	At    time.Time
	Actor string // who made it
}

// SessionReader reads what belongs to grants.
type SessionReader interface {
	// GrantCalls returns up to limit calls with the token of a grant, the oldest first.
	GrantCalls(ctx context.Context, grantID string, limit int) ([]Call, error)
	// GrantRevocation returns the first change of access that revoked g, zero without any.
	GrantRevocation(ctx context.Context, g Grant) (Revocation, error)
}

// Session returns what happened under the token of a grant, or ErrNoGrant.
func (d *Directory) Session(ctx context.Context, grantID string) (Session, error) {
	g, err := d.Grant(ctx, grantID)
	if err != nil {
		return Session{}, err
	}
	return d.session(ctx, g)
}

// OwnSession is Session for a grant of who. It returns ErrNoGrant for one of another user.
func (d *Directory) OwnSession(ctx context.Context, who auth.Principal, grantID string) (Session, error) {
	g, err := d.Grant(ctx, grantID)
	switch {
	case err != nil:
		return Session{}, err
	case g.Subject != who.Subject:
		return Session{}, ErrNoGrant
	}
	return d.session(ctx, g)
}

func (d *Directory) session(ctx context.Context, g GrantInfo) (Session, error) {
	s := Session{GrantInfo: g}
	var err error
	if s.Calls, err = d.Grants.GrantCalls(ctx, g.ID, maxCalls+1); err != nil {
		return s, err
	}
	if s.More = len(s.Calls) > maxCalls; s.More {
		s.Calls = s.Calls[:maxCalls]
	}
	switch g.State {
	case StateExpired:
		s.End = End{At: g.ExpiresAt, By: EndedByExpiry}
	case StateRevoked:
		r, err := d.Grants.GrantRevocation(ctx, g.Grant)
		if err != nil {
			return s, err
		}
		if s.End = (End{At: g.RevokedAt, By: EndedByOperator}); r.Actor == g.Subject {
			s.End.By = EndedByUser
		}
	}
	return s, nil
}

// Stage is how far the import of a statement came.
type Stage string

// The stages, each after the one before it.
const (
	StageIssued   Stage = "issued"   // the token was handed out
	StageOpened   Stage = "opened"   // a call was made with it
	StageUploaded Stage = "uploaded" // the vendor got a statement
	StageParsed   Stage = "parsed"   // the vendor parsed it
	StageSaved    Stage = "saved"    // it is a portfolio
)

// Stages are all stages, in their order.
func Stages() []Stage {
	return []Stage{StageIssued, StageOpened, StageUploaded, StageParsed, StageSaved}
}

// stage returns the stage that a call reaches.
func (c Call) stage() Stage {
	switch {
	case !c.parses() || !c.Sent:
		return StageOpened
	case c.PortfolioID != "":
		return StageSaved
	case c.Outcome == callOK:
		return StageParsed
	default:
		return StageUploaded
	}
}

// Reached returns when each stage was reached first, in the order of Stages. It ends with
// the last one that was.
func (s Session) Reached() []time.Time {
	reached := []time.Time{s.IssuedAt}
	for _, c := range s.Calls {
		at := map[Stage]time.Time{StageOpened: c.StartedAt, StageUploaded: c.StartedAt, StageParsed: c.EndedAt, StageSaved: c.EndedAt}
		for i := len(reached); i <= slices.Index(Stages(), c.stage()); i++ {
			reached = append(reached, at[Stages()[i]])
		}
	}
	return reached
}

// Stage returns the last stage that was reached.
func (s Session) Stage() Stage { return Stages()[len(s.Reached())-1] }

// OpenedAt returns when the first call was made, zero without any.
func (s Session) OpenedAt() time.Time {
	if len(s.Calls) == 0 {
		return time.Time{}
	}
	return s.Calls[0].StartedAt
}

// Stopped returns the call that failed last at the last stage, which is why the next stage
// was not reached. It returns false if there is none.
func (s Session) Stopped() (Call, bool) {
	stage := s.Stage()
	for _, c := range slices.Backward(s.Calls) {
		if c.stage() == stage && cmp.Or(c.Outcome, callOK) != callOK {
			return c, true
		}
	}
	return Call{}, false
}

// Portfolios returns the ids of the portfolios that were saved, each once.
func (s Session) Portfolios() []string {
	list := []string{}
	for _, c := range s.Calls {
		if c.PortfolioID != "" && !slices.Contains(list, c.PortfolioID) {
			list = append(list, c.PortfolioID)
		}
	}
	return list
}
