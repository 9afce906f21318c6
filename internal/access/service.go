package access

import (
	"context"
	"strings"
	"time"
	"unicode/utf8"

	"casbroker/internal/audit"
	"casbroker/internal/auth"
)

// UpstreamNote says why a revoked token is not wholly dead in direct mode.
const UpstreamNote = "The vendor has no call to revoke a token. Whoever holds one that is revoked here can use it at the vendor " +
	"until upstream_valid_until; the broker hands it out no more."

// Result is what a call changed.
type Result struct {
	// Already is true when there was nothing left to do.
	Already bool     `json:"already"`
	Subject string   `json:"subject,omitempty"` // "" for everybody
	GrantID string   `json:"grant_id,omitempty"`
	Block   *Barrier `json:"block,omitempty"` // the one in force now
	// UpstreamValidUntil is when the last of the vendor's own tokens concerned expires;
	// zero, and left out, when none is alive.
	UpstreamValidUntil time.Time `json:"upstream_valid_until,omitzero"`
	UpstreamNote       string    `json:"upstream_note,omitempty"` // why
}

// Service blocks users and revokes tokens. All fields are required. Every change is
// durable and known to this replica when a call returns, and the others are told.
// Doing again what was done is no error. It is safe for concurrent use.
type Service struct {
	Keeper  Keeper
	Watcher *Watcher
	Now     func() time.Time
}

// Block lets subject have no token until then, or until Unblock when until is zero,
// and revokes those it has. The reason is for operators. It returns faults for a
// subject or reason that cannot be, and ErrUntil for an until that is past. The audit
// trail tells until when, but not the reason: that may be personal, and records cannot
// be erased.
func (s *Service) Block(ctx context.Context, by auth.Principal, subject, reason string, until time.Time) (Result, error) {
	now := s.Now()
	switch {
	case !IsSubject(subject):
		return Result{}, errSubject
	case !textOK(reason) || len(reason) > maxReason:
		return Result{}, errReason
	case !until.IsZero() && (until.UnixMilli() <= now.UnixMilli() || until.UTC().Year() > lastYear):
		return Result{}, ErrUntil
	}
	c := Change{Kind: Block, Subject: subject, Reason: reason, Until: until, At: now, Actor: by.Subject}
	o, err := s.change(ctx, c, audit.UserBlock)
	if err != nil {
		return Result{}, err
	}
	r := result(o)
	r.Block = &Barrier{
		Subject: o.Subject, Reason: o.Reason, Until: o.Until, At: o.At, Actor: o.Actor, Version: o.Version,
	}
	return r, nil
}

// Unblock lets subject have tokens again: new ones, for those from before stay revoked.
func (s *Service) Unblock(ctx context.Context, by auth.Principal, subject string) (Result, error) {
	if !IsSubject(subject) {
		return Result{}, errSubject
	}
	o, err := s.change(ctx, Change{Kind: Unblock, Subject: subject, At: s.Now(), Actor: by.Subject}, audit.UserUnblock)
	return result(o), err
}

// RevokeGrant ends the token of one grant. It returns ErrNoGrant.
func (s *Service) RevokeGrant(ctx context.Context, by auth.Principal, grantID string) (Result, error) {
	return s.revokeGrant(ctx, Change{GrantID: grantID, Actor: by.Subject})
}

// RevokeUser ends all tokens of subject.
func (s *Service) RevokeUser(ctx context.Context, by auth.Principal, subject string) (Result, error) {
	if !IsSubject(subject) {
		return Result{}, errSubject
	}
	o, err := s.change(ctx, Change{Kind: RevokeUser, Subject: subject, At: s.Now(), Actor: by.Subject}, audit.RevokeUser)
	return result(o), err
}

// RevokeAll ends all tokens of everybody.
func (s *Service) RevokeAll(ctx context.Context, by auth.Principal) (Result, error) {
	o, err := s.change(ctx, Change{Kind: RevokeAll, At: s.Now(), Actor: by.Subject}, audit.RevokeAll)
	return result(o), err
}

// SignOut ends the token of one grant of who, or all of who's when grantID is "". It
// returns ErrNoGrant for a grant that is not who's.
func (s *Service) SignOut(ctx context.Context, who auth.Principal, grantID string) (Result, error) {
	if grantID == "" {
		return s.RevokeUser(ctx, who, who.Subject)
	}
	return s.revokeGrant(ctx, Change{Subject: who.Subject, GrantID: grantID, Actor: who.Subject})
}

// State returns the block of subject that is in force, nil when there is none.
func (s *Service) State(ctx context.Context, subject string) (*Barrier, error) {
	if !IsSubject(subject) {
		return nil, errSubject
	}
	return s.Keeper.Barrier(ctx, subject, s.Now())
}

// History returns up to limit changes about subject, newest first: its blocks, and what
// others revoked. What was revoked of everybody is among them and has the Subject "".
// Tokens that subject ended itself by signing out are left out, so that nobody can push
// a block out of sight. Of a user who was erased no reasons are left.
func (s *Service) History(ctx context.Context, subject string, limit int) ([]Change, error) {
	if !IsSubject(subject) {
		return nil, errSubject
	}
	return s.Keeper.AccessHistory(ctx, subject, limit)
}

func (s *Service) revokeGrant(ctx context.Context, c Change) (Result, error) {
	if c.GrantID == "" || !textOK(c.GrantID) {
		return Result{}, ErrNoGrant
	}
	c.Kind, c.At = RevokeGrant, s.Now()
	o, err := s.change(ctx, c, audit.TokenRevoke)
	return result(o), err
}

// change makes c durable, then known here, then known to the others.
func (s *Service) change(ctx context.Context, c Change, action audit.Action) (Outcome, error) {
	c.At, c.Until = instant(c.At), instant(c.Until)
	r := audit.New(ctx, c.At, c.Actor, action, c.Subject, c.GrantID)
	if c.Kind == Block {
		r = r.Saying(ending(c.Until))
	}
	o, err := s.Keeper.ChangeAccess(ctx, c, r)
	if err != nil {
		return Outcome{}, err
	}
	// It is done, so the caller's going away must not keep it from being known.
	told, cancel := context.WithTimeout(context.WithoutCancel(ctx), spreadTime)
	defer cancel()
	s.Watcher.made(told, o)
	return o, nil
}

// ending is what the audit trail says of a block: when it ends.
func ending(until time.Time) string {
	if until.IsZero() {
		return "until=lifted"
	}
	return "until=" + until.Format(time.RFC3339Nano)
}

// instant is t as it is kept, so that the answer says the same as what is read later.
func instant(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }

// spreadTime bounds how long the caller waits for a change that is made to be known.
const spreadTime = 5 * time.Second

func result(o Outcome) Result {
	r := Result{Already: o.Already, Subject: o.Subject, GrantID: o.GrantID, UpstreamValidUntil: o.UpstreamUntil}
	if !o.UpstreamUntil.IsZero() {
		r.UpstreamNote = UpstreamNote
	}
	return r
}

// IsSubject reports whether subject has the form of one: the name of a verifier, a
// colon, and the id of a user, MaxSubject bytes at most. So an id without its verifier,
// which would be nobody's, or a token in the wrong place is not taken for a user.
func IsSubject(subject string) bool {
	name, sub, found := strings.Cut(subject, ":")
	return found && name != "" && len(name) <= maxVerifier && sub != "" && len(subject) <= MaxSubject && textOK(subject)
}

// textOK reports whether text can stand in SQL.
func textOK(text string) bool { return utf8.ValidString(text) && !strings.ContainsRune(text, 0) }
