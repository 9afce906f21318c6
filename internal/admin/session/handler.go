package session

import (
	"errors"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"casbroker/internal/auth"
	"casbroker/internal/httpapi"
	"casbroker/internal/secret"
)

// path is the path of the route once it is mounted.
const path = "/admin/v1/session"

// errNoKey has the same text as the fault of a malformed body.
var errNoKey = httpapi.ErrJSON.Withf(`The body must be a JSON object such as {"key": "cbk_…"}.`)

// bodyRules limits the body of a sign-in; 4 KiB is more than any valid one needs.
var bodyRules = httpapi.BodyRules{MaxBytes: 4 << 10, Required: true, Example: `{"key": "cbk_…"}`, Secret: true}

// Handler serves POST, GET and DELETE /admin/v1/session, with which operators sign in,
// read their session, and sign out. Sessions is required.
type Handler struct {
	Sessions *Service
	Limit    echo.MiddlewareFunc // of signing out and of GET; nil for no limit
	// ReserveSignIn counts an attempt to sign in that is not known to be right, or refuses
	// it; nil for no limit.
	ReserveSignIn func(c echo.Context) error
}

// Mount adds the routes to g, which must be /admin/v1 behind Service.Middleware. The
// middleware lets requests to sign in or out pass without a session.
func (h *Handler) Mount(g *echo.Group) {
	g.POST("/session", h.signIn)
	g.DELETE("/session", h.signOut, limited(h.Limit)...)
	g.GET("/session", h.show, auth.Private(auth.RoleAdmin, h.Limit)...)
}

// isPublic reports whether the route of c needs no session.
func isPublic(c echo.Context) bool {
	method := c.Request().Method
	return c.Path() == path && (method == http.MethodPost || method == http.MethodDelete)
}

func limited(limit echo.MiddlewareFunc) []echo.MiddlewareFunc {
	if limit == nil {
		return nil
	}
	return []echo.MiddlewareFunc{limit}
}

// sessionView is the answer about a session. A caller with a JWT has no session, so
// there are no times.
type sessionView struct {
	Admin     string    `json:"admin"`
	StartedAt time.Time `json:"started_at,omitzero"`
	EndsAt    time.Time `json:"ends_at,omitzero"` // unless it is used again
}

func answer(c echo.Context, status int, s *Session) error {
	c.Response().Header().Set("Cache-Control", "no-store")
	if s == nil {
		return c.JSON(status, sessionView{Admin: auth.Caller(c).Subject})
	}
	return c.JSON(status, sessionView{Admin: s.Admin, StartedAt: s.StartedAt, EndsAt: s.EndsAt()})
}

func (h *Handler) signIn(c echo.Context) error {
	if err := CheckSecure(c.Request()); err != nil {
		return err
	}
	key, err := readKey(c)
	if err != nil {
		return err
	}
	token, session, err := h.Sessions.SignIn(c.Request().Context(), key, Reservation(c, h.ReserveSignIn))
	if errors.Is(err, ErrWrongKey) {
		return challenge(c, err)
	}
	if err != nil {
		return err
	}
	SetCookie(c, token)
	return answer(c, http.StatusCreated, &session)
}

// Reservation returns the argument of SignIn for the attempt in c; limit may be nil.
func Reservation(c echo.Context, limit func(c echo.Context) error) func() error {
	if limit == nil {
		return nil
	}
	return func() error { return limit(c) }
}

func (h *Handler) show(c echo.Context) error { return answer(c, http.StatusOK, Current(c)) }

// signOut succeeds without a session too.
func (h *Handler) signOut(c echo.Context) error {
	if err := h.Sessions.SignOutCaller(c); err != nil {
		return err
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.NoContent(http.StatusNoContent)
}

// readKey returns the key in the body.
func readKey(c echo.Context) (secret.Text, error) {
	req, err := httpapi.ReadBody[struct {
		Key secret.Text `json:"key"`
	}](c.Response(), c.Request(), bodyRules)
	switch {
	case err != nil:
		return "", err
	case req.Key == "":
		return "", errNoKey
	}
	return req.Key, nil
}
