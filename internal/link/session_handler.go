package link

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/labstack/echo/v4"

	"casbroker/internal/auth"
	"casbroker/internal/httpapi"
)

// Tokens hands out access tokens of the gateway.
type Tokens interface {
	// RespondAlone answers with a token for the caller of c that no other caller gets, and that
	// lives for longest or less. It calls granted with the id of its grant before, and answers
	// with the error of that.
	RespondAlone(c echo.Context, longest time.Duration, granted func(grantID string) error) error
}

// Portfolios saves statements.
type Portfolios interface {
	// SaveThen saves the body of c's request for its caller. It calls saved with the id of the
	// portfolio before it answers, and answers with the error of that.
	SaveThen(c echo.Context, saved func(portfolioID string) error) error
}

// SessionHandler serves the calls of the page. Its callers have the token of a link, or the
// secret of a session, in the Authorization header. All fields but the limits are required.
type SessionHandler struct {
	Links      *Service
	Tokens     Tokens
	Portfolios Portfolios
	LimitRead  echo.MiddlewareFunc // nil for no limit
	LimitSave  echo.MiddlewareFunc // nil for no limit
}

// SessionPath is the path of the calls of the page, below which more are.
const SessionPath = PagePath + "/session"

const sessionKey = "link session"

var (
	startRules = httpapi.BodyRules{MaxBytes: 1 << 10, Required: true, Secret: true, Example: `{"session": "cbls_…"}`}
	stepRules  = httpapi.BodyRules{MaxBytes: 4 << 10, Required: true, Example: `{"steps": [{"step": "widget_opened"}]}`}
)

// Mount adds the routes to g, which is at the root.
func (h *SessionHandler) Mount(g *echo.Group) {
	read, save := pass(h.LimitRead), pass(h.LimitSave)
	g.GET(SessionPath, h.open, private)
	g.POST(SessionPath, h.start, private)
	g.POST(SessionPath+"/token", h.token, private, h.enter)
	g.POST(SessionPath+"/portfolios", h.save, private, h.enter, save)
	g.POST(SessionPath+"/steps", h.report, private, read)
}

// private sets the headers of answers that nobody may keep.
func private(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		c.Response().Header().Set("Cache-Control", "no-store")
		if err := httpapi.CheckQuery(c.Request().URL, nil); err != nil {
			return err
		}
		err := next(c)
		if errors.Is(err, ErrUnknown) {
			c.Response().Header().Set(echo.HeaderWWWAuthenticate, auth.Challenge)
		}
		return err
	}
}

func pass(limit echo.MiddlewareFunc) echo.MiddlewareFunc {
	if limit == nil {
		return func(next echo.HandlerFunc) echo.HandlerFunc { return next }
	}
	return limit
}

// credential returns what a request has in its Authorization header, "" for nothing.
func credential(c echo.Context) string {
	scheme, text, _ := strings.Cut(c.Request().Header.Get(echo.HeaderAuthorization), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(text)
}

// as makes subject the caller of c, so that its request counts for that user.
func as(c echo.Context, subject string) {
	r := c.Request()
	c.SetRequest(r.WithContext(auth.With(r.Context(), &auth.Principal{Subject: subject, Roles: auth.RoleUser})))
}

// enter passes on the requests of sessions that can be used.
func (h *SessionHandler) enter(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		key := ""
		if strings.HasSuffix(c.Path(), "/portfolios") {
			key = c.Request().Header.Get("Idempotency-Key")
		}
		l, u, err := h.Links.Enter(c.Request().Context(), credential(c), key)
		if l.Subject != "" {
			as(c, l.Subject)
		}
		if err != nil {
			return err
		}
		c.Set(sessionKey, entered{l, u})
		return next(c)
	}
}

type entered struct {
	Link
	Session
}

// pageState is a link as the page shows it.
type pageState struct {
	ID        string    `json:"id"`
	State     string    `json:"state"` // ready, used, completed, expired, revoked or blocked
	Language  string    `json:"language"`
	ExpiresAt time.Time `json:"expires_at"`
	ReturnURL string    `json:"return_url,omitempty"`
}

// started is a link in a session, with what the widget gets.
type started struct {
	pageState
	Config jsontext.Value `json:"config"`
}

func (v View) page() pageState {
	p := pageState{ID: v.ID, State: string(v.State), Language: v.Language, ExpiresAt: v.ExpiresAt, ReturnURL: v.ReturnURL}
	switch {
	case v.Blocked:
		p.State = "blocked"
	case v.InUse:
		p.State = "used"
	case !v.State.Ended():
		p.State = "ready"
	}
	return p
}

func (h *SessionHandler) open(c echo.Context) error {
	v, err := h.Links.Open(c.Request().Context(), credential(c))
	if err != nil {
		return err
	}
	as(c, v.Subject)
	return pass(h.LimitRead)(func(c echo.Context) error { return c.JSON(http.StatusOK, v.page()) })(c)
}

func (h *SessionHandler) start(c echo.Context) error {
	req, err := httpapi.ReadBody[struct {
		Session string `json:"session"`
	}](c.Response(), c.Request(), startRules)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	v, err := h.Links.Open(ctx, credential(c))
	if err != nil {
		return err
	}
	as(c, v.Subject)
	return pass(h.LimitSave)(func(c echo.Context) error {
		l, _, err := h.Links.Start(c.Request().Context(), credential(c), req.Session)
		if err != nil {
			return err
		}
		return c.JSON(http.StatusOK, started{View{Link: l}.page(), l.Config})
	})(c)
}

func (h *SessionHandler) token(c echo.Context) error {
	e := c.Get(sessionKey).(entered) //nolint:errcheck // enter has set it
	return h.Tokens.RespondAlone(c, e.ExpiresAt.Sub(h.Links.Now()), func(grantID string) error {
		return h.Links.Granted(c.Request().Context(), e.Session, grantID)
	})
}

func (h *SessionHandler) save(c echo.Context) error {
	e := c.Get(sessionKey).(entered) //nolint:errcheck // enter has set it
	return h.Portfolios.SaveThen(c, func(portfolioID string) error {
		return h.Links.Saved(c.Request().Context(), e.Session, portfolioID, c.Request().Header.Get("Idempotency-Key"))
	})
}

func (h *SessionHandler) report(c echo.Context) error {
	req, err := httpapi.ReadBody[struct {
		Steps []struct {
			Name string `json:"step"`
			Code string `json:"code"`
		} `json:"steps"`
	}](c.Response(), c.Request(), stepRules)
	if err != nil {
		return err
	}
	steps := make([]Step, len(req.Steps))
	for i, one := range req.Steps {
		steps[i] = Step{Name: one.Name, Code: one.Code}
	}
	if err := h.Links.Report(c.Request().Context(), credential(c), steps); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}
