package admin

import (
	"context"
	"net/http"

	"github.com/labstack/echo/v4"

	"casbroker/internal/auth"
	"casbroker/internal/httpapi"
	"casbroker/internal/link"
)

// links returns the newest hosted links of subject.
func (s *Service) links(ctx context.Context, subject string) (list []link.Metadata, err error) {
	if s.Links == nil {
		return nil, nil
	}
	page, err := s.Links.List(ctx, subject, link.Cursor{}, maxUserItems)
	for _, l := range page.Links {
		list = append(list, l.Metadata())
	}
	return list, err
}

// Link returns one hosted link, or link.ErrNoLink.
func (s *Service) Link(ctx context.Context, linkID string) (link.Link, error) {
	if s.Links == nil {
		return link.Link{}, link.ErrNoLink
	}
	l, _, err := s.Links.Get(ctx, "", linkID)
	if err != nil {
		return link.Link{}, err
	}
	return l, s.auditRead(ctx, l.Subject, l.ID)
}

// RevokeLink ends one hosted link, and reports whether it had ended before. It returns
// link.ErrNoLink.
func (s *Service) RevokeLink(ctx context.Context, linkID string) (l link.Link, already bool, err error) {
	if s.Links == nil {
		return link.Link{}, false, link.ErrNoLink
	}
	return s.Links.Revoke(ctx, auth.From(ctx), "", linkID)
}

// revokedLink is a hosted link that an operator has ended.
type revokedLink struct {
	link.Metadata
	Subject string `json:"subject"`
	Already bool   `json:"already"`
}

func (h *Handler) revokeLink(c echo.Context, _ *httpapi.Params) error {
	if err := readEmpty(c.Response(), c.Request()); err != nil {
		return err
	}
	l, already, err := h.Service.RevokeLink(c.Request().Context(), param(c, "id"))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, revokedLink{l.Metadata(), l.Subject, already})
}
