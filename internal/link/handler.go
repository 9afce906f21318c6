package link

import (
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"casbroker/internal/auth"
	"casbroker/internal/httpapi"
	"casbroker/internal/id"
)

const (
	// defaultPage is how many links a list has if the caller does not say.
	defaultPage = 50
	maxBody     = 16 << 10
)

var bodyRules = httpapi.BodyRules{MaxBytes: maxBody, Secret: true, Example: `{"expires_in": 86400, "return_url": "https://app.example/done"}`}

// Handler serves the links of a user to services. URL is required.
type Handler struct {
	Links *Service                 // nil if there are no links
	URL   func(host string) string // the broker's URL for a request to host
	Limit echo.MiddlewareFunc      // nil for no limit
}

// Mount adds the routes to g, below which a service makes calls for a user.
func (h *Handler) Mount(g *echo.Group) {
	write := append(auth.PrivateUser(auth.ScopeTokenWrite, h.Limit), h.refuse)
	g.POST("/links", h.create, write...)
	httpapi.TakesQuery(g.GET("/links", h.list, write...), "limit", "cursor")
	g.GET("/links/:id", h.get, write...)
	g.DELETE("/links/:id", h.revoke, write...)
}

// refuse refuses all requests if there are no links.
func (h *Handler) refuse(next echo.HandlerFunc) echo.HandlerFunc {
	if h.Links != nil {
		return next
	}
	return func(echo.Context) error { return ErrUnavailable }
}

// Metadata is a link as operators see it: without what the app has given for its page.
type Metadata struct {
	ID          string    `json:"id"`
	State       State     `json:"state"`
	Use         Use       `json:"use"`
	Language    string    `json:"language"`
	CreatedBy   string    `json:"created_by"`
	CreatedAt   time.Time `json:"created_at"`
	ExpiresAt   time.Time `json:"expires_at"`
	OpenedAt    time.Time `json:"opened_at,omitzero"`
	EndedAt     time.Time `json:"ended_at,omitzero"`
	PortfolioID string    `json:"portfolio_id,omitempty"`
}

// Metadata returns l as operators see it.
func (l Link) Metadata() Metadata {
	return Metadata{
		ID: l.ID, State: l.State, Use: l.Use, Language: l.Language, CreatedBy: l.CreatedBy, CreatedAt: l.CreatedAt,
		ExpiresAt: l.ExpiresAt, OpenedAt: l.OpenedAt, EndedAt: l.EndedAt, PortfolioID: l.PortfolioID,
	}
}

// linkView is a link as services see it.
type linkView struct {
	Metadata
	ReturnURL string `json:"return_url,omitempty"`
}

func view(l Link) linkView { return linkView{l.Metadata(), l.ReturnURL} }

// created is a new link with its URL, which is shown this once.
type created struct {
	linkView
	URL string `json:"url"`
}

type sessionView struct {
	StartedAt time.Time `json:"started_at"`
	Steps     []Step    `json:"steps"`
}

type linkAndSessions struct {
	linkView
	Sessions []sessionView `json:"sessions"`
}

type linkList struct {
	Links      []linkView `json:"links"`
	NextCursor *string    `json:"next_cursor"`
}

type revoked struct {
	linkView
	Already bool `json:"already"`
}

func (h *Handler) create(c echo.Context) error {
	req, err := httpapi.ReadBody[Params](c.Response(), c.Request(), bodyRules)
	if err != nil {
		return err
	}
	l, token, err := h.Links.Create(c.Request().Context(), auth.Caller(c), req)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusCreated, created{view(l), h.URL(c.Request().Host) + PagePath + "/" + token.Reveal()})
}

func (h *Handler) list(c echo.Context) error {
	q, err := httpapi.QueryParams(c.Request().URL)
	if err != nil {
		return err
	}
	limit, before := q.Limit(defaultPage, MaxPage), readCursor(q)
	if err := q.Err(); err != nil {
		return err
	}
	page, err := h.Links.List(c.Request().Context(), auth.Caller(c).Subject, before, limit)
	if err != nil {
		return err
	}
	answer := linkList{Links: make([]linkView, len(page.Links))}
	for i, l := range page.Links {
		answer.Links[i] = view(l)
	}
	if page.Next != nil {
		answer.NextCursor = new(httpapi.EncodeTimeCursor(page.Next.At, page.Next.ID))
	}
	return c.JSON(http.StatusOK, answer)
}

func (h *Handler) get(c echo.Context) error {
	l, sessions, err := h.Links.Get(c.Request().Context(), auth.Caller(c).Subject, c.Param("id"))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, linkAndSessions{view(l), viewSessions(sessions)})
}

func viewSessions(list []Session) []sessionView {
	views := make([]sessionView, len(list))
	for i, u := range list {
		views[i] = sessionView{u.StartedAt, append([]Step{}, u.Steps...)}
	}
	return views
}

func (h *Handler) revoke(c echo.Context) error {
	who := auth.Caller(c)
	l, already, err := h.Links.Revoke(c.Request().Context(), who, who.Subject, c.Param("id"))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, revoked{view(l), already})
}

// readCursor reads the parameter cursor of a list of links.
func readCursor(q *httpapi.Params) Cursor {
	at, linkID, ok := httpapi.DecodeTimeCursor(q.Text("cursor"), func(text string) bool { return id.Is("ln", text) })
	if !ok {
		q.Fail(httpapi.ErrCursor)
	}
	return Cursor{at, linkID}
}
