package token

import (
	"context"
	"time"

	"github.com/labstack/echo/v4"

	"casbroker/internal/auth"
)

// IssueAlone mints a token for who that is not cached, so that no other caller gets it and it
// can be revoked by itself. It returns the faults of Issue.
func (s *Service) IssueAlone(ctx context.Context, who auth.Principal, req Request) (Issued, error) {
	t, err := s.issueAlone(ctx, who, req)
	if s.Observe != nil {
		s.Observe(outcome(t, err))
	}
	return t, err
}

func (s *Service) issueAlone(ctx context.Context, who auth.Principal, req Request) (Issued, error) {
	version, err := s.Access.Admit(who.Subject)
	if err != nil {
		return Issued{}, err
	}
	return s.mint(ctx, mintRequest{Request: req, key: req.cacheKey(who.Subject), version: version, by: who.By(), alone: true})
}

// RespondAlone answers with a gateway token for the caller of c that no other caller gets. It
// has all features, and lives for longest or less, in whole minutes, but for one at least.
// granted is called with the id of its grant before the answer, whose error it may return.
func (h *Handler) RespondAlone(c echo.Context, longest time.Duration, granted func(grantID string) error) error {
	who := auth.Caller(c)
	if _, err := h.Admit(c, "", 0, false); err != nil {
		return err
	}
	if h.Refuse != nil {
		return h.Refuse
	}
	req := Request{TTL: max(min(h.TTL, longest.Truncate(time.Minute)), time.Minute), Mode: ModeGateway, Features: h.Features}
	t, err := h.Tokens.IssueAlone(c.Request().Context(), who, req)
	if err != nil {
		return err
	}
	if err := granted(t.GrantID); err != nil {
		return err
	}
	return h.respond(c, t, false)
}
