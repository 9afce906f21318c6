package link

import (
	"context"
	"errors"

	"casbroker/internal/fault"
)

// endBatch is how many links Run ends at a time.
const endBatch = 100

// Run ends the links that have expired or were revoked with the tokens of their users, and
// revokes the tokens that were handed out under links that have ended. It is meant to be
// called periodically.
func (s *Service) Run(ctx context.Context) error {
	for {
		list, err := s.Sessions.EndLinks(ctx, s.Now(), endBatch)
		if err != nil {
			return err
		}
		for _, linkID := range list {
			if err := s.endGrants(ctx, linkID); err != nil {
				return err
			}
		}
		if len(list) < endBatch {
			return nil
		}
	}
}

// endGrants revokes the tokens that were handed out under a link that has ended.
func (s *Service) endGrants(ctx context.Context, linkID string) error {
	grants, err := s.Sessions.LinkGrants(ctx, linkID)
	if err != nil {
		return err
	}
	for _, grantID := range grants {
		if err := s.RevokeGrant(ctx, grantID); err != nil {
			return err
		}
	}
	return s.Sessions.SettleLink(ctx, linkID)
}

// isBlocked reports whether err, of AccessPolicy, says that the user is blocked.
func isBlocked(err error) bool {
	f, ok := errors.AsType[*fault.Fault](err)
	return ok && f.Kind == fault.Forbidden
}
