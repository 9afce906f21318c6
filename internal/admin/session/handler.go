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

// path is where the route lies once it is mounted.
const path = "/admin/v1/session"

// errNoKey has the same text as the fault of a malformed body.
var errNoKey = httpapi.ErrJSON.Withf(`The body must be a JSON object such as {"key": "cbk_…"}.`)

// bodies are those of requests to sign in. No such request needs as many bytes.
var bodies = httpapi.BodyRules{MaxBytes: 4 << 10, Required: true, Example: `{"key": "cbk_…"}`, Secret: true}

// Handler serves POST, GET and DELETE /admin/v1/session, by which operators sign in,
// see that they are, and sign out. Sessions is required.
type Handler struct {
	Sessions    *Service
	Limit       echo.MiddlewareFunc // nil for no limit
	LimitSignIn echo.MiddlewareFunc // of POST; nil for no limit
}

// Mount adds the routes to g, which has to be /admin/v1 behind Service.Middleware: that
// lets through who signs in or out.
func (h *Handler) Mount(g *echo.Group) {
	g.POST("/session", h.signIn, limited(h.LimitSignIn)...)
	g.DELETE("/session", h.signOut, limited(h.Limit)...)
	g.GET("/session", h.show, auth.Private(auth.RoleAdmin, h.Limit)...)
}

// isOpen reports whether c is for somebody who may not be signed in.
func isOpen(c echo.Context) bool {
	method := c.Request().Method
	return c.Path() == path && (method == http.MethodPost || method == http.MethodDelete)
}

func limited(limit echo.MiddlewareFunc) []echo.MiddlewareFunc {
	if limit == nil {
		return nil
	}
	return []echo.MiddlewareFunc{limit}
}

// signedIn is who is signed in; with a JWT there is no session, and no times.
type signedIn struct {
	Admin     string    `json:"admin"`
	StartedAt time.Time `json:"started_at,omitzero"`
	EndsAt    time.Time `json:"ends_at,omitzero"` // unless it is used
}

func answer(c echo.Context, status int, k *Session) error {
	c.Response().Header().Set("Cache-Control", "no-store")
	if k == nil {
		return c.JSON(status, signedIn{Admin: auth.Caller(c).Subject})
	}
	return c.JSON(status, signedIn{Admin: k.Admin, StartedAt: k.StartedAt, EndsAt: k.EndsAt()})
}

func (h *Handler) signIn(c echo.Context) error {
	if err := CheckSecure(c.Request()); err != nil {
		return err
	}
	key, err := readKey(c)
	if err != nil {
		return err
	}
	token, k, err := h.Sessions.SignIn(c.Request().Context(), key)
	if errors.Is(err, ErrWrongKey) {
		return challenge(c, err)
	}
	if err != nil {
		return err
	}
	SetCookie(c, token)
	return answer(c, http.StatusCreated, &k)
}

func (h *Handler) show(c echo.Context) error { return answer(c, http.StatusOK, Current(c)) }

// signOut is done also when nobody is signed in.
func (h *Handler) signOut(c echo.Context) error {
	token, err := cookieOf(c.Request())
	if err != nil {
		return err
	}
	if err := h.Sessions.SignOut(c.Request().Context(), token); err != nil {
		return err
	}
	ClearCookie(c)
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.NoContent(http.StatusNoContent)
}

// readKey returns the key in the body.
func readKey(c echo.Context) (secret.Text, error) {
	req, err := httpapi.ReadBody[struct {
		Key secret.Text `json:"key"`
	}](c.Response(), c.Request(), bodies)
	switch {
	case err != nil:
		return "", err
	case req.Key == "":
		return "", errNoKey
	}
	return req.Key, nil
}
