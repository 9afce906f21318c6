package portfolio

import (
	"slices"

	"github.com/labstack/echo/v4"

	"casbroker/internal/auth"
	"casbroker/internal/httpapi"
)

// The query parameters that select statements and parts of a view.
var (
	selects = []string{"provenance", "cas_type"}
	filters = []string{"owner", "class", "account"}
)

// mountOwned adds the routes of what a user owns.
func (h *Handler) mountOwned(g *echo.Group, read []echo.MiddlewareFunc) {
	httpapi.TakesQuery(g.GET("/holdings", h.owned, read...),
		slices.Concat([]string{"as_of"}, selects, filters, []string{"format", "limit", "cursor"})...)
	httpapi.TakesQuery(g.GET("/accounts", h.accounts, read...), slices.Concat([]string{"as_of"}, selects, []string{"owner", "limit", "cursor"})...)
	g.GET("/accounts/:id", h.account, read...)
	httpapi.TakesQuery(g.GET("/worth", h.worth, read...), slices.Concat([]string{"from", "to", "interval"}, selects, filters)...)
	g.GET("/portfolios/:id/changes", h.changes, read...)
}

// owned answers with a page of what the caller owns as JSON, or with all of it as CSV.
func (h *Handler) owned(c echo.Context) error {
	c.Response().Header().Add("Vary", "Accept")
	q, err := httpapi.QueryParams(c.Request().URL)
	if err != nil {
		return err
	}
	asCSV, limit := wantsCSV(q, c.Request().Header), q.Limit(maxOwnedLimit, maxOwnedLimit)
	selection, filter := readSelection(q), readFilter(q)
	if asCSV && (q.Has("limit") || q.Has("cursor")) {
		q.Fail(errCSVPage)
	}
	if err := q.Err(); err != nil {
		return err
	}
	if asCSV {
		return h.ownedCSV(c, selection, filter)
	}
	ctx, cursor := c.Request().Context(), q.Text("cursor")
	who := auth.From(ctx)
	key := answerKey{route: readOwned, Selection: selection, Filter: filter, limit: limit, cursor: cursor}
	return h.respondCached(c, key, answered{
		version: func() (string, error) { return h.Portfolios.StatementsVersion(ctx, who) },
		render: func(b []byte) ([]byte, string, error) {
			o, err := h.Portfolios.Owned(ctx, who, selection, filter)
			if err != nil {
				return b, "", err
			}
			first, err := readTaggedCursor(cursor, rowsTag(&o), len(o.View.Rows))
			if err != nil {
				return b, "", err
			}
			b, err = appendOwned(b, &o, selection, first, min(first+limit, len(o.View.Rows)))
			return b, o.version, err
		},
	})
}

// ownedCSV answers with all of what the caller owns as CSV.
func (h *Handler) ownedCSV(c echo.Context, selection Selection, filter Filter) error {
	ctx := c.Request().Context()
	o, err := h.Portfolios.Owned(ctx, auth.From(ctx), selection, filter)
	if err != nil {
		return err
	}
	body, err := renderOwnedCSV(&o.View)
	if err != nil {
		return err
	}
	c.Response().Header().Set("Content-Disposition", `attachment; filename="holdings.csv"`)
	return httpapi.SendRead(c, typeCSV, body)
}

// accounts answers with a page of all accounts, also those that have ended.
func (h *Handler) accounts(c echo.Context) error {
	q, err := httpapi.QueryParams(c.Request().URL)
	if err != nil {
		return err
	}
	limit, selection, filter := q.Limit(maxOwnedLimit, maxOwnedLimit), readSelection(q), readFilter(q)
	if err := q.Err(); err != nil {
		return err
	}
	ctx := c.Request().Context()
	o, err := h.Portfolios.OwnedAccounts(ctx, auth.From(ctx), selection, filter)
	if err != nil {
		return err
	}
	first, err := readTaggedCursor(q.Text("cursor"), accountsTag(&o), len(o.Accounts))
	if err != nil {
		return err
	}
	return respond(c, viewAccounts(&o, first, min(first+limit, len(o.Accounts))))
}

// account answers with an account and the statements that list it.
func (h *Handler) account(c echo.Context) error {
	ctx := c.Request().Context()
	history, err := h.Portfolios.AccountHistory(ctx, auth.From(ctx), c.Param("id"))
	if err != nil {
		return err
	}
	view, err := viewHistory(&history)
	if err != nil {
		return err
	}
	return respondWith(c, view)
}

// worth answers with what the caller owned over time.
func (h *Handler) worth(c echo.Context) error {
	q, err := httpapi.QueryParams(c.Request().URL)
	if err != nil {
		return err
	}
	query := WorthQuery{From: readDay(q, "from"), To: readDay(q, "to"), Selection: readSelection(q), Filter: readFilter(q)}
	if query.Interval = oneOf(q, "interval", errInterval, Week, Month, Quarter, Year); query.Interval == "" {
		query.Interval = Month
	}
	if err := q.Err(); err != nil {
		return err
	}
	ctx := c.Request().Context()
	list, err := h.Portfolios.Worth(ctx, auth.From(ctx), query)
	if err != nil {
		return err
	}
	return respond(c, viewWorth(query.Interval, list))
}

// changes answers with what a statement says differently than those before it.
func (h *Handler) changes(c echo.Context) error {
	ctx := c.Request().Context()
	changes, err := h.Portfolios.Changes(ctx, auth.From(ctx), c.Param("id"))
	if err != nil {
		return err
	}
	return respond(c, viewChanges(&changes))
}
