// Package oauth serves token exchange (RFC 8693), token revocation (RFC 7009), token
// introspection (RFC 7662) and their description (RFC 8414) for programs that implement
// those standards. Who revokes or introspects sends the token itself, not the id of its
// grant. The packages access and token do the work.
package oauth

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"casbroker/internal/access"
	"casbroker/internal/audit"
	"casbroker/internal/auth"
	"casbroker/internal/secret"
	"casbroker/internal/token"
)

// Recorder stores audit records, all or none.
type Recorder interface {
	Append(ctx context.Context, records ...audit.Record) error
}

// Service revokes and describes tokens. All fields are required. It is safe for
// concurrent use.
type Service struct {
	Grants *token.Directory
	// ActsFor returns the names of the verifiers for whose users a service may act. The
	// tokens of other users are unknown to it; an admin may use all.
	ActsFor  func(service auth.Principal) []string
	Access   *access.Service
	Recorder Recorder
	Now      func() time.Time
}

// errOtherToken is returned to a service for a token of a user for whom it may not act.
var errOtherToken = auth.ErrForbidden.Withf("This service may not act for the user of the token.").
	WithNotef("acts_for of auth.verifiers[] or auth.service_keys[] names the verifiers for whose users a service may act")

// Revoke ends the grants of the token value on behalf of by. An unknown or ended token is
// not an error (RFC 7009, section 2.2); one of other users is (section 2.1). After an error
// some of the grants may have ended, and a retry is safe.
func (s *Service) Revoke(ctx context.Context, by auth.Principal, value secret.Text) error {
	all, err := s.Grants.ByToken(ctx, value)
	if err != nil {
		return err
	}
	list := s.ofUsers(by, all)
	if len(list) == 0 && len(all) > 0 {
		return errOtherToken
	}
	for _, g := range list {
		_, err := s.Access.RevokeGrant(ctx, by, g.ID)
		if err != nil && !errors.Is(err, access.ErrNoGrant) { // it was erased in the meantime
			return err
		}
	}
	return nil
}

// ofUsers returns the grants of list whose users by may act for.
func (s *Service) ofUsers(by auth.Principal, list []token.GrantInfo) []token.GrantInfo {
	if by.Has(auth.RoleAdmin) {
		return list
	}
	names := s.ActsFor(by)
	var own []token.GrantInfo
	for _, g := range list {
		if verifier, _, _ := strings.Cut(g.Subject, ":"); slices.Contains(names, verifier) {
			own = append(own, g)
		}
	}
	return own
}

// State describes a token (RFC 7662, section 2.2). It is the zero State for a token that
// is unknown, expired or revoked.
type State struct {
	Active    bool       `json:"active"`
	TokenType string     `json:"token_type,omitempty"`
	Subject   string     `json:"sub,omitempty"`
	IssuedAt  int64      `json:"iat,omitempty"` // Unix seconds, as ExpiresAt
	ExpiresAt int64      `json:"exp,omitempty"`
	GrantID   string     `json:"jti,omitempty"`
	Mode      token.Mode `json:"mode,omitempty"` // not part of the RFC
}

// Introspect describes the newest active grant of the token value, if there is one, of users
// for whom by may act. The
// request of an admin is audited first; those of a service are not, because it may send
// one with every call that it serves.
func (s *Service) Introspect(ctx context.Context, by auth.Principal, value secret.Text) (State, error) {
	list, err := s.Grants.ByToken(ctx, value)
	if err != nil {
		return State{}, err
	}
	list = s.ofUsers(by, list)
	i := slices.IndexFunc(list, func(g token.GrantInfo) bool { return g.State == token.StateActive })
	if i < 0 {
		return State{}, nil
	}
	g := list[i]
	if err := s.auditRead(ctx, by, g); err != nil {
		return State{}, err
	}
	return State{
		Active: true, TokenType: "api_key", Subject: g.Subject, IssuedAt: g.IssuedAt.Unix(), ExpiresAt: g.ExpiresAt.Unix(),
		GrantID: g.ID, Mode: g.Mode,
	}, nil
}

func (s *Service) auditRead(ctx context.Context, by auth.Principal, g token.GrantInfo) error {
	if !by.Has(auth.RoleAdmin) {
		return nil
	}
	return s.Recorder.Append(ctx, audit.New(ctx, s.Now(), by.Subject, audit.AdminRead, g.Subject, g.ID))
}
