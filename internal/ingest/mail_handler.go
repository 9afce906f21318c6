package ingest

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"casbroker/internal/auth"
	"casbroker/internal/httpapi"
	"casbroker/internal/secret"
)

// consentRequest is the body of PUT /v1/mail-parsing.
type consentRequest struct {
	Password secret.Text `json:"password"`
	Consent  bool        `json:"consent"`
}

// consentRules limit its body.
var consentRules = httpapi.BodyRules{MaxBytes: 4 << 10, Required: true, Example: `{"password": "ABCDE1234F", "consent": true}`, Secret: true}

// MailHandler serves the routes for the consent to parse forwarded files. Consents is
// required.
type MailHandler struct {
	Consents *Consents
	// Limit counts changes, LimitRead the other requests; nil for no limit.
	Limit, LimitRead echo.MiddlewareFunc
}

// Mount adds the routes to g, which authenticates callers.
func (h *MailHandler) Mount(g *echo.Group) {
	g.GET("/mail-parsing", h.get, auth.PrivateUser(auth.ScopeStatementsWrite, h.LimitRead)...)
	g.PUT("/mail-parsing", h.put, auth.PrivateUser(auth.ScopeStatementsWrite, h.Limit)...)
	g.DELETE("/mail-parsing", h.withdraw, auth.PrivateUser(auth.ScopeStatementsWrite, h.Limit)...)
}

func (h *MailHandler) get(c echo.Context) error {
	ctx := c.Request().Context()
	consent, err := h.Consents.Store.Consent(ctx, auth.From(ctx).Subject)
	if err != nil {
		return err
	}
	return httpapi.SendReadJSON(c, viewConsent(consent))
}

func (h *MailHandler) put(c echo.Context) error {
	ctx := c.Request().Context()
	req, err := httpapi.ReadBody[consentRequest](c.Response(), c.Request(), consentRules)
	if err != nil {
		return err
	}
	consent, err := h.Consents.Give(ctx, auth.From(ctx), req.Password, req.Consent)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, viewConsent(consent))
}

func (h *MailHandler) withdraw(c echo.Context) error {
	ctx := c.Request().Context()
	if err := h.Consents.Withdraw(ctx, auth.From(ctx)); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}
