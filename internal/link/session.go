package link

import (
	"bytes"
	"context"
	"time"

	"casbroker/internal/audit"
	"casbroker/internal/id"
)

// SessionStore stores what happens with a link. The State of a link that it returns is the one
// at now.
type SessionStore interface {
	// LinkByToken returns the link whose token has this hash, or ErrUnknown. A link that is open
	// although the gateway has saved a statement under it is completed first.
	LinkByToken(ctx context.Context, tokenHash []byte, now time.Time) (Link, error)
	// LinkBySession returns the session whose secret has this hash with its link, or ErrUnknown.
	LinkBySession(ctx context.Context, sessionHash []byte, now time.Time) (Link, Session, error)
	// StartLink stores a session of a link and opens the link, with its audit record. If the
	// session is stored already, it changes nothing. It returns ErrUsed if the link is for use
	// once and has another session, ErrSessionTaken if another link has the session, and the
	// error of the link's state.
	StartLink(ctx context.Context, linkID string, session Session, sessionHash []byte, now time.Time, r audit.Record) error
	// AddLinkGrant records that a token was handed out in a session. It returns the error of
	// the link's state.
	AddLinkGrant(ctx context.Context, session Session, grantID string, now time.Time) error
	// AddSteps adds steps to a session, as long as it has fewer than most.
	AddSteps(ctx context.Context, sessionID string, steps []Step, most int) error
	// CompleteLink ends a link because a session has saved a portfolio, with its event. If
	// another session has completed it, it changes nothing.
	CompleteLink(ctx context.Context, session Session, portfolioID string, keyHash []byte, now time.Time) error

	// LinkGrants returns the grants of the tokens that were handed out under a link.
	LinkGrants(ctx context.Context, linkID string) ([]string, error)
	// EndLinks ends up to limit links that have expired at now or were revoked with the user's
	// tokens, each with its event, and returns the links that ended, however, and are not
	// Settled.
	EndLinks(ctx context.Context, now time.Time, limit int) (linkIDs []string, err error)
	// SettleLink records that the tokens of a link that has ended are revoked.
	SettleLink(ctx context.Context, linkID string) error
}

// View is a link as the page shows it before it is started.
type View struct {
	Link
	Blocked bool // the user is
	InUse   bool // for use once, and opened
}

// Open returns the link of a token. It changes nothing about a link that can be used. It
// returns ErrUnknown, and the fault of AccessPolicy if it is not known whether the user is
// blocked.
func (s *Service) Open(ctx context.Context, token string) (View, error) {
	if !isToken(token) {
		return View{}, ErrUnknown
	}
	l, err := s.Sessions.LinkByToken(ctx, s.tokenHash(token), s.Now())
	if err != nil {
		return View{}, err
	}
	_, err = s.Access.Admit(l.Subject)
	v := View{Link: l, Blocked: isBlocked(err), InUse: l.Use == Once && l.State == Opened}
	if v.Blocked {
		err = nil
	}
	return v, err
}

// Start opens the link of a token in the browser that has made the secret session. To start
// the same session again is not an error. It returns ErrUnknown, a fault for a blocked user,
// ErrUsed, or the error of the link's state.
func (s *Service) Start(ctx context.Context, token, session string) (Link, Session, error) {
	if !isToken(token) {
		return Link{}, Session{}, ErrUnknown
	}
	if !isSession(session) {
		return Link{}, Session{}, errSession
	}
	now := s.Now()
	l, err := s.Sessions.LinkByToken(ctx, s.tokenHash(token), now)
	if err != nil {
		return Link{}, Session{}, err
	}
	if _, err := s.Access.Admit(l.Subject); err != nil {
		return Link{}, Session{}, err
	}
	started := Session{ID: id.New("ls"), LinkID: l.ID, StartedAt: now.UTC().Truncate(time.Millisecond), Steps: []Step{{Name: "started", At: now.UTC().Truncate(time.Millisecond)}}}
	record := audit.New(ctx, now, l.Subject, audit.LinkUse, l.Subject, l.ID)
	if err := s.Sessions.StartLink(ctx, l.ID, started, s.sessionHash(session), now, record); err != nil {
		return Link{}, Session{}, err
	}
	return s.Sessions.LinkBySession(ctx, s.sessionHash(session), now)
}

// Enter returns the session with this secret, and its link, for a call that gets a token or
// saves. key is the Idempotency-Key of a save, "" for another call. A session that has saved
// may repeat that save. It returns ErrUnknown, a fault for a blocked user, or the error of the
// link's state.
func (s *Service) Enter(ctx context.Context, session, key string) (Link, Session, error) {
	l, u, err := s.session(ctx, session)
	if err != nil {
		return l, u, err
	}
	if _, err := s.Access.Admit(l.Subject); err != nil {
		return l, u, err
	}
	again := l.State == Completed && l.SavedBy == u.ID && key != "" && (l.SavedKey == nil || bytes.Equal(l.SavedKey, s.keyHash(key)))
	if again {
		return l, u, nil
	}
	return l, u, l.State.Err()
}

func (s *Service) session(ctx context.Context, session string) (Link, Session, error) {
	if !isSession(session) {
		return Link{}, Session{}, ErrUnknown
	}
	return s.Sessions.LinkBySession(ctx, s.sessionHash(session), s.Now())
}

// Granted records that the token of a grant is handed out in a session. If the link has ended
// meanwhile, the token is revoked and an error returned.
func (s *Service) Granted(ctx context.Context, u Session, grantID string) error {
	err := s.Sessions.AddLinkGrant(ctx, u, grantID, s.Now())
	if err != nil {
		if failed := s.RevokeGrant(context.WithoutCancel(ctx), grantID); failed != nil {
			s.Log.WarnContext(ctx, "the token of a link that has ended stays valid until it expires", "grant_id", grantID, "error", failed)
		}
	}
	return err
}

// Saved completes the link of a session, with the portfolio that it has saved with key.
func (s *Service) Saved(ctx context.Context, u Session, portfolioID, key string) error {
	if err := s.Sessions.CompleteLink(ctx, u, portfolioID, s.keyHash(key), s.Now()); err != nil {
		return err
	}
	if err := s.endGrants(context.WithoutCancel(ctx), u.LinkID); err != nil { // Run tries again
		s.Log.WarnContext(ctx, "tokens of a link are not revoked yet", "link_id", u.LinkID, "error", err)
	}
	return nil
}

// Report stores steps of the session with this secret. It also takes those of a link that has
// ended.
func (s *Service) Report(ctx context.Context, session string, steps []Step) error {
	if len(steps) == 0 || len(steps) > maxReported {
		return errSteps
	}
	_, u, err := s.session(ctx, session)
	if err != nil {
		return err
	}
	now := s.Now().UTC().Truncate(time.Millisecond)
	return s.Sessions.AddSteps(ctx, u.ID, stored(steps, now), maxSteps)
}
