package admin

import (
	"cmp"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"

	"casbroker/internal/access"
	"casbroker/internal/audit"
	"casbroker/internal/auth"
	"casbroker/internal/budget"
	"casbroker/internal/httpapi"
	"casbroker/internal/token"
	"casbroker/internal/usage"
)

// Handler serves /admin/v1 except for its sessions. Service and Log are required.
type Handler struct {
	Service *Service
	Log     *slog.Logger
	Limit   echo.MiddlewareFunc // nil for no limit
}

// Mount adds the routes to g, which must be /admin/v1 behind authentication.
func (h *Handler) Mount(g *echo.Group) {
	private := auth.Private(auth.RoleAdmin, h.Limit)
	get := func(path string, do action, params ...string) { g.GET(path, withQuery(do, params), private...) }
	post := func(path string, do action) { g.POST(path, withQuery(do, nil), private...) }

	get("/grants", h.grants, "subject", "state", "from", "to", "limit", "cursor")
	get("/grants/:id", h.grant)
	post("/grants/:id/revoke", h.revokeGrant)

	get("/users", h.users, "prefix", "blocked", "limit", "cursor")
	get("/users/:subject", h.user)
	post("/users/:subject/block", h.block)
	post("/users/:subject/unblock", h.unblock)
	post("/users/:subject/revoke", h.revokeUser)
	post("/revoke-all", h.revokeAll)
	post("/links/:id/revoke", h.revokeLink)

	get("/audit", h.records, "subject", "actor", "action", "without", "outcome", "request_id", "from", "to", "limit", "cursor")
	get("/audit/export", h.export, "subject", "actor", "action", "without", "outcome", "request_id", "from", "to", "format")

	get("/requests/:id", h.why)
	get("/stats", h.stats, "step", "from", "to")
	get("/usage", h.costs, "from", "to", "limit")
	get("/usage/comparisons", h.comparisons, "limit")
	post("/usage/compare", h.compare)
	get("/budgets", h.budgets)
	post("/budgets/:name/raise", h.raiseBudget)

	h.mountWebhooks(get, post)
	g.DELETE("/webhooks/:name", withQuery(h.deleteWebhook, nil), private...)
	get("/overview", h.overview)
	get("/credits", h.credits)
	get("/settings", h.settings)
	get("/log-level", h.logLevel)
	g.PUT("/log-level", withQuery(h.setLogLevel, nil), private...)
	g.DELETE("/log-level", withQuery(h.resetLogLevel, nil), private...)
}

// action answers a request with the parameters of its query string.
type action func(c echo.Context, q *httpapi.Params) error

// withQuery reads the query string, which must have no other than these parameters, and
// calls do.
func withQuery(do action, params []string) echo.HandlerFunc {
	return func(c echo.Context) error {
		q, err := httpapi.QueryParams(c.Request().URL)
		if err != nil {
			return err
		}
		if err := q.Only(params...); err != nil {
			return err
		}
		return do(c, q)
	}
}

// param returns a segment of the path, which may be any text. Echo leaves it escaped if
// it routed by the raw path; net/url has already checked that it can be unescaped.
func param(c echo.Context, name string) string {
	text := c.Param(name)
	if c.Request().URL.RawPath != "" {
		text, _ = url.PathUnescape(text)
	}
	return text
}

func (h *Handler) grants(c echo.Context, q *httpapi.Params) error {
	f := token.Filter{Subject: q.Text("subject"), State: token.State(q.Text("state")), From: q.Time("from"), To: q.Time("to")}
	limit := q.Limit(defaultLimit, token.MaxPage)
	if err := q.Err(); err != nil {
		return err
	}
	page, err := h.Service.FindGrants(c.Request().Context(), f, q.Text("cursor"), limit)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, grantList{viewGrants(page.Grants, h.Service.Now()), orNull(page.Next)})
}

func (h *Handler) grant(c echo.Context, _ *httpapi.Params) error {
	s, err := h.Service.Session(c.Request().Context(), param(c, "id"))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, sessionView{viewGrant(s.GrantInfo, h.Service.Now()), s.View()})
}

func (h *Handler) users(c echo.Context, q *httpapi.Params) error {
	f, limit := UserFilter{Prefix: q.Text("prefix"), Blocked: blockedOnly(q)}, q.Limit(defaultLimit, MaxUsers)
	if err := q.Err(); err != nil {
		return err
	}
	page, err := h.Service.FindUsers(c.Request().Context(), f, q.Text("cursor"), limit)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, userList{orEmpty(page.Users), orNull(page.Next)})
}

func (h *Handler) user(c echo.Context, _ *httpapi.Params) error {
	u, err := h.Service.User(c.Request().Context(), param(c, "subject"))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, viewUser(u, h.Service.Now()))
}

func (h *Handler) block(c echo.Context, _ *httpapi.Params) error {
	req, err := readBlock(c.Response(), c.Request())
	if err != nil {
		return err
	}
	result, err := h.Service.Block(c.Request().Context(), param(c, "subject"), req.Reason, req.Until)
	return answer(c, result, err)
}

func (h *Handler) unblock(c echo.Context, _ *httpapi.Params) error {
	if err := readEmpty(c.Response(), c.Request()); err != nil {
		return err
	}
	result, err := h.Service.Unblock(c.Request().Context(), param(c, "subject"))
	return answer(c, result, err)
}

func (h *Handler) revokeUser(c echo.Context, _ *httpapi.Params) error {
	if err := readEmpty(c.Response(), c.Request()); err != nil {
		return err
	}
	result, err := h.Service.RevokeUser(c.Request().Context(), param(c, "subject"))
	return answer(c, result, err)
}

func (h *Handler) revokeGrant(c echo.Context, _ *httpapi.Params) error {
	if err := readEmpty(c.Response(), c.Request()); err != nil {
		return err
	}
	result, err := h.Service.RevokeGrant(c.Request().Context(), param(c, "id"))
	return answer(c, result, err)
}

func (h *Handler) revokeAll(c echo.Context, _ *httpapi.Params) error {
	confirm, err := readConfirm(c.Response(), c.Request())
	if err != nil {
		return err
	}
	result, err := h.Service.RevokeAll(c.Request().Context(), confirm)
	return answer(c, result, err)
}

// answer sends the result of a change.
func answer(c echo.Context, result access.Result, err error) error {
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, result)
}

func (h *Handler) records(c echo.Context, q *httpapi.Params) error {
	f, limit := auditFilter(q), q.Limit(defaultLimit, audit.MaxLimit)
	if err := q.Err(); err != nil {
		return err
	}
	page, err := h.Service.Records(c.Request().Context(), f, q.Text("cursor"), limit)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, recordList{viewRecords(page.Entries), orNull(page.Next)})
}

// export streams all records that match.
func (h *Handler) export(c echo.Context, q *httpapi.Params) error {
	f, format := auditFilter(q), cmp.Or(q.Text("format"), "ndjson")
	media, known := audit.ExportTypes[format]
	if !known {
		return audit.ErrFormat
	}
	if err := q.Err(); err != nil {
		return err
	}
	file := httpapi.Download{Name: "casbroker-audit." + format, Type: media, Log: h.Log}
	return file.Send(c.Request(), c.Response(), func(ctx context.Context, w io.Writer) error {
		return h.Service.Export(ctx, w, f, format)
	})
}

func (h *Handler) stats(c echo.Context, q *httpapi.Params) error {
	from, to := q.Time("from"), q.Time("to")
	if err := q.Err(); err != nil {
		return err
	}
	step := cmp.Or(usage.Step(q.Text("step")), usage.Hour)
	stats, err := h.Service.Stats(c.Request().Context(), step, from, to)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, stats)
}

func (h *Handler) overview(c echo.Context, _ *httpapi.Params) error {
	o := h.Service.Overview(c.Request().Context())
	return c.JSON(http.StatusOK, overviewView{o.LiveTokens, o.Blocked, orEmpty(o.Health)})
}

func (h *Handler) credits(c echo.Context, _ *httpapi.Params) error {
	credits, err := h.Service.Credits(c.Request().Context())
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, credits)
}

func (h *Handler) settings(c echo.Context, _ *httpapi.Params) error {
	return c.JSON(http.StatusOK, settingsView{h.Service.Version, orEmpty(h.Service.Settings)})
}

func (h *Handler) costs(c echo.Context, q *httpapi.Params) error {
	from, to, limit := q.Time("from"), q.Time("to"), q.Limit(defaultCostliest, maxCostliest)
	if err := q.Err(); err != nil {
		return err
	}
	r, err := h.Service.Costs(c.Request().Context(), from, to, limit)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, r)
}

func (h *Handler) budgets(c echo.Context, _ *httpapi.Params) error {
	list, err := h.Service.BudgetStates(c.Request().Context())
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, list)
}

func (h *Handler) raiseBudget(c echo.Context, _ *httpapi.Params) error {
	raise, err := readRaise(c.Response(), c.Request())
	if err != nil {
		return err
	}
	raise.Budget = param(c, "name")
	r, err := h.Service.RaiseBudget(c.Request().Context(), raise)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusCreated, r)
}

func (h *Handler) comparisons(c echo.Context, q *httpapi.Params) error {
	limit := q.Limit(defaultComparisons, maxComparisons)
	if err := q.Err(); err != nil {
		return err
	}
	list, err := h.Service.Comparisons(c.Request().Context(), limit)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, struct {
		Comparisons []budget.Comparison `json:"comparisons"`
	}{orEmpty(list)})
}

func (h *Handler) compare(c echo.Context, _ *httpapi.Params) error {
	day, err := readDay(c.Response(), c.Request())
	if err != nil {
		return err
	}
	result, err := h.Service.Compare(c.Request().Context(), day)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, result)
}
