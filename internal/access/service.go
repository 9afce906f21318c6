package access

import (
	"context"
	"strings"
	"time"
	"unicode/utf8"

	"casbroker/internal/audit"
	"casbroker/internal/auth"
)

// UpstreamNote explains why a revoked token still works at the vendor in direct mode.
const UpstreamNote = "The vendor has no call to revoke a token. Whoever holds one that is revoked here can use it at the vendor " +
	"until upstream_valid_until; the broker no longer hands it out."

// Result is the answer to a call that changes access.
type Result struct {
	Already bool         `json:"already"`           // nothing was left to do
	Subject string       `json:"subject,omitempty"` // "" for all users
	GrantID string       `json:"grant_id,omitempty"`
	Block   *ActiveBlock `json:"block,omitempty"` // the one in force now
	// UpstreamValidUntil is when the last of the vendor's tokens concerned expires; zero,
	// and left out, if none is valid any more.
	UpstreamValidUntil time.Time `json:"upstream_valid_until,omitzero"`
	UpstreamNote       string    `json:"upstream_note,omitempty"` // explains UpstreamValidUntil
}

// Service blocks users and revokes tokens. All fields are required. When a call returns,
// the change is durable, in the view of this replica, and announced to the others.
// Repeating a call is no error. It is safe for concurrent use.
type Service struct {
	Store   Store
	Watcher *Watcher
	Now     func() time.Time
}

// Block refuses subject new tokens until the time until, or until Unblock if until is
// zero, and revokes the tokens it has. The reason is for operators. It returns faults for
// an invalid subject or reason, and ErrUntil for an until that is not in the future. The
// audit record has the end but not the reason: that may be personal, and records cannot
// be erased.
func (s *Service) Block(ctx context.Context, by auth.Principal, subject, reason string, until time.Time) (Result, error) {
	now := s.Now()
	switch {
	case !IsSubject(subject):
		return Result{}, errSubject
	case !textOK(reason) || len(reason) > maxReason:
		return Result{}, errReason
	case !until.IsZero() && (until.UnixMilli() <= now.UnixMilli() || until.UTC().Year() > maxYear):
		return Result{}, ErrUntil
	}
	c := Change{Kind: Block, Subject: subject, Reason: reason, Until: until, At: now, Actor: by.Subject}
	o, err := s.change(ctx, c, audit.UserBlock)
	if err != nil {
		return Result{}, err
	}
	r := result(o)
	r.Block = &ActiveBlock{
		Subject: o.Subject, Reason: o.Reason, Until: o.Until, At: o.At, Actor: o.Actor, Version: o.Version,
	}
	return r, nil
}

// Unblock lets subject get new tokens; the ones from before the block stay revoked.
func (s *Service) Unblock(ctx context.Context, by auth.Principal, subject string) (Result, error) {
	if !IsSubject(subject) {
		return Result{}, errSubject
	}
	o, err := s.change(ctx, Change{Kind: Unblock, Subject: subject, At: s.Now(), Actor: by.Subject}, audit.UserUnblock)
	return result(o), err
}

// RevokeGrant revokes the token of one grant. It returns ErrNoGrant.
func (s *Service) RevokeGrant(ctx context.Context, by auth.Principal, grantID string) (Result, error) {
	return s.revokeGrant(ctx, Change{GrantID: grantID, Actor: by.Subject})
}

// RevokeUser revokes all tokens of subject.
func (s *Service) RevokeUser(ctx context.Context, by auth.Principal, subject string) (Result, error) {
	if !IsSubject(subject) {
		return Result{}, errSubject
	}
	o, err := s.change(ctx, Change{Kind: RevokeUser, Subject: subject, At: s.Now(), Actor: by.By()}, audit.RevokeUser)
	return result(o), err
}

// RevokeAll revokes all tokens of all users.
func (s *Service) RevokeAll(ctx context.Context, by auth.Principal) (Result, error) {
	o, err := s.change(ctx, Change{Kind: RevokeAll, At: s.Now(), Actor: by.Subject}, audit.RevokeAll)
	return result(o), err
}

// SignOut revokes one grant of who, or all of them if grantID is "". It returns
// ErrNoGrant for a grant of another user.
func (s *Service) SignOut(ctx context.Context, who auth.Principal, grantID string) (Result, error) {
	if grantID == "" {
		return s.RevokeUser(ctx, who, who.Subject)
	}
	return s.revokeGrant(ctx, Change{Subject: who.Subject, GrantID: grantID, Actor: who.By()})
}

// ActiveBlock returns the block of subject that is in force, nil if there is none.
func (s *Service) ActiveBlock(ctx context.Context, subject string) (*ActiveBlock, error) {
	if !IsSubject(subject) {
		return nil, errSubject
	}
	return s.Store.ActiveBlock(ctx, subject, s.Now())
}

// History returns up to limit changes that concern subject, newest first: its blocks and
// the revocations that others made. Revocations for all users are included, with the
// Subject "". Subject's own sign-outs are left out, so that a user cannot push a block off
// the list. The reasons of an erased user are empty.
func (s *Service) History(ctx context.Context, subject string, limit int) ([]Change, error) {
	if !IsSubject(subject) {
		return nil, errSubject
	}
	return s.Store.AccessHistory(ctx, subject, limit)
}

func (s *Service) revokeGrant(ctx context.Context, c Change) (Result, error) {
	if c.GrantID == "" || !textOK(c.GrantID) {
		return Result{}, ErrNoGrant
	}
	c.Kind, c.At = RevokeGrant, s.Now()
	o, err := s.change(ctx, c, audit.TokenRevoke)
	return result(o), err
}

// change commits c, applies it to the view of this replica and announces it to the others.
func (s *Service) change(ctx context.Context, c Change, action audit.Action) (Outcome, error) {
	c.At, c.Until = instant(c.At), instant(c.Until)
	r := audit.New(ctx, c.At, c.Actor, action, c.Subject, c.GrantID)
	if c.Kind == Block {
		r = r.WithDetail(untilDetail(c.Until))
	}
	o, err := s.Store.ChangeAccess(ctx, c, r)
	if err != nil {
		return Outcome{}, err
	}
	s.Watcher.applyLocal(ctx, o)
	return o, nil
}

// untilDetail is the audit detail of a block: when it ends.
func untilDetail(until time.Time) string {
	if until.IsZero() {
		return "until=lifted"
	}
	return "until=" + until.Format(time.RFC3339Nano)
}

// instant returns t as it is stored, in UTC and milliseconds, so that the answer equals
// what is read later.
func instant(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }

func result(o Outcome) Result {
	r := Result{Already: o.Already, Subject: o.Subject, GrantID: o.GrantID, UpstreamValidUntil: o.UpstreamUntil}
	if !o.UpstreamUntil.IsZero() {
		r.UpstreamNote = UpstreamNote
	}
	return r
}

// IsSubject reports whether subject has the form verifier:id, with MaxSubject bytes at
// most. It rejects an id without its verifier, which would match no user, and a token that
// was passed by mistake.
func IsSubject(subject string) bool {
	name, sub, found := strings.Cut(subject, ":")
	return found && name != "" && len(name) <= maxVerifier && sub != "" && len(subject) <= MaxSubject && textOK(subject)
}

// textOK reports whether a database column can hold text.
func textOK(text string) bool { return utf8.ValidString(text) && !strings.ContainsRune(text, 0) }
