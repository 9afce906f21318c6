package link

import (
	"context"
	"log/slog"
	"time"

	"casbroker/internal/audit"
	"casbroker/internal/auth"
	"casbroker/internal/id"
	"casbroker/internal/secret"
)

// Service makes, lists, revokes and opens links. All fields are required. It is safe for
// concurrent use.
type Service struct {
	Store    Store
	Sessions SessionStore
	Access   AccessPolicy
	// RevokeGrant ends an access token that was handed out under a link. It returns nil if
	// there is no such token any more.
	RevokeGrant func(ctx context.Context, grantID string) error
	Digest      func(purpose string, data []byte) []byte // returns a keyed hash
	ReturnURLs  ReturnURLs
	Features    []string // of the gateway
	Log         *slog.Logger
	Now         func() time.Time
}

// AccessPolicy says who may use links.
type AccessPolicy interface {
	// Admit returns the newest change of access that is known. It returns a fault if subject is
	// blocked, or if the latest changes are not known.
	Admit(subject string) (version int64, err error)
}

// Store stores links. The State of a link that it returns is the one at now.
type Store interface {
	// AddLink stores a new link with its audit record, both or neither. It returns ErrTooMany,
	// or a fault if access was changed since l.AccessVersion.
	AddLink(ctx context.Context, l Link, tokenHash []byte, r audit.Record) error
	// Links returns up to limit links of subject that were made before before, the newest first.
	Links(ctx context.Context, subject string, before Cursor, limit int, now time.Time) ([]Link, error)
	// Link returns a link of subject, or of any user if that is "", with its sessions, the
	// oldest first. It returns ErrNoLink.
	Link(ctx context.Context, subject, linkID string, now time.Time) (Link, []Session, error)
	// RevokeLink ends a link of subject, or of any user if that is "", with its audit record and its event, and reports
	// whether it had ended before. It returns ErrNoLink.
	RevokeLink(ctx context.Context, subject, linkID string, at time.Time, r audit.Record) (already bool, err error)
}

// Cursor is the position of a link in a list; the zero Cursor is before the first.
type Cursor struct {
	At time.Time
	ID string
}

// List is a part of the links of a user.
type List struct {
	Links []Link
	Next  *Cursor // nil at the end
}

// MaxPage is the most links that a List can have.
const MaxPage = 200

// Create makes a link for who, and returns it with its token, which is not stored. It returns a
// fault for invalid params, for a blocked user, and ErrTooMany.
func (s *Service) Create(ctx context.Context, who auth.Principal, p Params) (Link, secret.Text, error) {
	r, err := s.parse(p)
	if err != nil {
		return Link{}, "", err
	}
	version, err := s.Access.Admit(who.Subject)
	if err != nil {
		return Link{}, "", err
	}
	now := s.Now().UTC().Truncate(time.Millisecond)
	l := Link{
		ID: id.New("ln"), Subject: who.Subject, Use: r.use, Language: r.language, Private: r.private, CreatedBy: who.By(),
		CreatedAt: now, ExpiresAt: now.Add(r.ttl), State: New, AccessVersion: version,
	}
	token := newToken()
	record := audit.New(ctx, now, who.Subject, audit.LinkCreate, who.Subject, l.ID).WithDetail("until=" + l.ExpiresAt.Format(time.RFC3339))
	return l, token, s.Store.AddLink(ctx, l, s.tokenHash(token.Reveal()), record)
}

// List returns a part of the links of subject, the newest first. limit is 1 to MaxPage.
func (s *Service) List(ctx context.Context, subject string, before Cursor, limit int) (List, error) {
	list, err := s.Store.Links(ctx, subject, before, limit+1, s.Now())
	if err != nil {
		return List{}, err
	}
	p := List{Links: list}
	if len(list) > limit {
		p.Links = list[:limit]
		last := p.Links[limit-1]
		p.Next = &Cursor{last.CreatedAt, last.ID}
	}
	return p, nil
}

// Get returns a link of subject, or of any user if that is "", with its sessions, or ErrNoLink.
func (s *Service) Get(ctx context.Context, subject, linkID string) (Link, []Session, error) {
	if !id.Is("ln", linkID) {
		return Link{}, nil, ErrNoLink
	}
	return s.Store.Link(ctx, subject, linkID, s.Now())
}

// Revoke ends a link of subject, or of any user if that is "", and the access tokens that were handed out under it, and
// returns the link. To revoke one that has ended is not an error. It returns ErrNoLink.
func (s *Service) Revoke(ctx context.Context, by auth.Principal, subject, linkID string) (l Link, already bool, err error) {
	if !id.Is("ln", linkID) {
		return Link{}, false, ErrNoLink
	}
	now := s.Now()
	already, err = s.Store.RevokeLink(ctx, subject, linkID, now, audit.New(ctx, now, by.Subject, audit.LinkRevoke, subject, linkID))
	if err != nil {
		return Link{}, false, err
	}
	if err := s.endGrants(ctx, linkID); err != nil {
		return Link{}, false, err
	}
	l, _, err = s.Store.Link(ctx, subject, linkID, now)
	return l, already, err
}
