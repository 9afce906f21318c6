// Package oauth speaks of access tokens in the words of two standards, for programs
// that know those: RFC 7009 revokes a token, RFC 7662 tells about one. Whoever asks has
// the token itself at hand, and not its grant. The rooms access and token do the work.
package oauth

import (
	"context"
	"errors"
	"slices"
	"time"

	"casbroker/internal/access"
	"casbroker/internal/audit"
	"casbroker/internal/auth"
	"casbroker/internal/secret"
	"casbroker/internal/token"
)

// Recorder keeps audit records, all or none.
type Recorder interface {
	Append(ctx context.Context, records ...audit.Record) error
}

// Service revokes tokens and tells about them. All fields are required. It is safe for
// concurrent use.
type Service struct {
	Grants *token.Directory
	Access *access.Service
	Record Recorder
	Now    func() time.Time
}

// Revoke ends the token value on behalf of by, in all its grants. It is no error when
// there is no such token, or it has ended before (RFC 7009, section 2.2). After another
// error some of its grants may have ended, and sending the same again is safe.
func (s *Service) Revoke(ctx context.Context, by auth.Principal, value secret.Text) error {
	list, err := s.Grants.ByToken(ctx, value)
	if err != nil {
		return err
	}
	for _, g := range list {
		_, err := s.Access.RevokeGrant(ctx, by, g.ID)
		if err != nil && !errors.Is(err, access.ErrNoGrant) { // it was erased meanwhile
			return err
		}
	}
	return nil
}

// State is what is told of a token (RFC 7662, section 2.2). Of one that does not count,
// for whatever reason, it is the zero State.
type State struct {
	Active    bool       `json:"active"`
	TokenType string     `json:"token_type,omitempty"`
	Subject   string     `json:"sub,omitempty"`
	IssuedAt  int64      `json:"iat,omitempty"` // unix seconds, as ExpiresAt
	ExpiresAt int64      `json:"exp,omitempty"`
	GrantID   string     `json:"jti,omitempty"`
	Mode      token.Mode `json:"mode,omitempty"` // ours, not the standard's
}

// Introspect tells about the token value: of its newest grant that counts, if any does.
// That an admin asks is put on record first; a service may ask with every call that it
// gets.
func (s *Service) Introspect(ctx context.Context, by auth.Principal, value secret.Text) (State, error) {
	list, err := s.Grants.ByToken(ctx, value)
	if err != nil {
		return State{}, err
	}
	at := slices.IndexFunc(list, func(g token.GrantInfo) bool { return g.State == token.StateActive })
	if at < 0 {
		return State{}, nil
	}
	g := list[at]
	if err := s.record(ctx, by, g); err != nil {
		return State{}, err
	}
	return State{
		Active: true, TokenType: "api_key", Subject: g.Subject, IssuedAt: g.IssuedAt.Unix(), ExpiresAt: g.ExpiresAt.Unix(),
		GrantID: g.ID, Mode: g.Mode,
	}, nil
}

func (s *Service) record(ctx context.Context, by auth.Principal, g token.GrantInfo) error {
	if !by.Has(auth.RoleAdmin) {
		return nil
	}
	return s.Record.Append(ctx, audit.New(ctx, s.Now(), by.Subject, audit.AdminRead, g.Subject, g.ID))
}
