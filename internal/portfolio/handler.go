package portfolio

import (
	"cmp"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"casbroker/internal/auth"
	"casbroker/internal/httpapi"
	"casbroker/internal/spool"
	"casbroker/internal/statement"
)

// DefaultMaxBody is the default for Handler.MaxBody, in bytes.
const DefaultMaxBody = 10 << 20

// DefaultMaxWait is the default for Handler.MaxWait.
const DefaultMaxWait = 5 * time.Second

// Handler serves the routes of a user's portfolios. Portfolios is required.
type Handler struct {
	Portfolios *Service
	MaxBody    int64               // bytes of a payload, compressed and uncompressed; 0 for DefaultMaxBody
	LimitSave  echo.MiddlewareFunc // nil for no limit
	LimitRead  echo.MiddlewareFunc // nil for no limit
	MaxWait    time.Duration       // of a large save for other large ones; 0 for DefaultMaxWait
	Spool      *spool.Dir          // holds large answers to saves while they are sent; nil for memory

	bodies  *bodyLimiter
	answers answerCache
}

// Mount adds the routes to g, which must authenticate callers. It may be called for several
// groups.
func (h *Handler) Mount(g *echo.Group) {
	if h.bodies == nil {
		h.bodies = newBodyLimiter(cmp.Or(h.MaxBody, DefaultMaxBody), cmp.Or(h.MaxWait, DefaultMaxWait))
	}
	save, read := auth.PrivateUser(auth.ScopePortfoliosWrite, h.LimitSave), auth.PrivateUser(auth.ScopePortfoliosRead, h.LimitRead)
	g.POST("/portfolios", h.save, save...)
	g.DELETE("/portfolios/:id", h.delete, save...)
	httpapi.TakesQuery(g.GET("/portfolios", h.list, read...), listParams...)
	g.GET("/portfolios/latest", h.latest, read...)
	g.GET("/portfolios/:id", h.get, read...)
	httpapi.TakesQuery(g.GET("/portfolios/:id/holdings", h.holdings, read...), "format", "limit", "cursor")
	httpapi.TakesQuery(g.GET("/portfolios/:id/transactions", h.transactions, read...), "holding", "format", "limit", "cursor")
	g.GET("/portfolios/:id/raw", h.raw, read...)
	h.mountOwned(g, read)
}

func (h *Handler) list(c echo.Context) error {
	q, err := httpapi.QueryParams(c.Request().URL)
	if err != nil {
		return err
	}
	query := Query{Limit: q.Limit(defaultLimit, maxLimit), After: readListCursor(q), ActiveOnly: readActive(q), Only: readOnly(q)}
	if err := q.Err(); err != nil {
		return err
	}
	ctx := c.Request().Context()
	list, next, err := h.Portfolios.List(ctx, auth.From(ctx), query)
	if err != nil {
		return err
	}
	page := portfolioPage{Portfolios: make([]summaryView, len(list))}
	for i, p := range list {
		page.Portfolios[i] = viewSummary(p)
	}
	if next != nil {
		page.NextCursor = new(httpapi.EncodeTimeCursor(next.SavedAt, next.ID))
	}
	return respond(c, page)
}

func (h *Handler) latest(c echo.Context) error {
	ctx := c.Request().Context()
	who := auth.From(ctx)
	return h.respondCached(c, answerKey{route: readLatest}, answered{
		version: func() (string, error) { return h.Portfolios.LatestVersion(ctx, who) },
		render:  renderPortfolio(func() (Portfolio, []statement.Holding, error) { return h.Portfolios.Latest(ctx, who) }),
	})
}

func (h *Handler) get(c echo.Context) error {
	ctx, portfolioID := c.Request().Context(), c.Param("id")
	who := auth.From(ctx)
	return h.respondCached(c, answerKey{route: readPortfolio, portfolio: portfolioID}, answered{
		version: func() (string, error) { return h.Portfolios.Version(ctx, who, portfolioID) },
		render:  renderPortfolio(func() (Portfolio, []statement.Holding, error) { return h.Portfolios.Get(ctx, who, portfolioID) }),
	})
}

// holdings answers with a page of holdings as JSON, or with all of them as CSV.
func (h *Handler) holdings(c echo.Context) error {
	c.Response().Header().Add("Vary", "Accept")
	q, err := httpapi.QueryParams(c.Request().URL)
	if err != nil {
		return err
	}
	if wantsCSV(q, c.Request().Header) {
		return h.holdingsCSV(c, q)
	}
	limit, first := q.Limit(defaultLimit, maxLimit), readRowCursor(q, statement.MaxRows)
	if err := q.Err(); err != nil {
		return err
	}
	ctx, portfolioID := c.Request().Context(), c.Param("id")
	who := auth.From(ctx)
	return h.respondCached(c, answerKey{route: readRows, portfolio: portfolioID, limit: limit, cursor: q.Text("cursor")}, answered{
		version: func() (string, error) { return h.Portfolios.Version(ctx, who, portfolioID) },
		render: func(b []byte) ([]byte, string, error) {
			p, rows, next, err := h.Portfolios.Holdings(ctx, who, portfolioID, first, limit)
			if err != nil {
				return b, "", err
			}
			return appendHoldingPage(b, &p, rows, next), keptVersion(&p), nil
		},
	})
}

// holdingsCSV answers with all holdings as CSV.
func (h *Handler) holdingsCSV(c echo.Context, q *httpapi.Params) error {
	if q.Has("limit") || q.Has("cursor") {
		return errCSVPage
	}
	ctx := c.Request().Context()
	p, rows, err := h.Portfolios.Get(ctx, auth.From(ctx), c.Param("id"))
	if err != nil {
		return err
	}
	body, err := renderCSV(viewHoldings(&p, rows))
	if err != nil {
		return err
	}
	c.Response().Header().Set("Content-Disposition", `attachment; filename="holdings-`+p.ID+`.csv"`)
	return httpapi.SendRead(c, typeCSV, body)
}

// transactions answers with a page of transactions as JSON, or with all of them as CSV.
func (h *Handler) transactions(c echo.Context) error {
	c.Response().Header().Add("Vary", "Accept")
	q, err := httpapi.QueryParams(c.Request().URL)
	if err != nil {
		return err
	}
	if wantsCSV(q, c.Request().Header) {
		return h.transactionsCSV(c, q)
	}
	limit, first, holding := q.Limit(defaultLimit, maxTransactionLimit), readRowCursor(q, maxTransactions), readHolding(q, c.Param("id"))
	if err := q.Err(); err != nil {
		return err
	}
	ctx := c.Request().Context()
	list, next, err := h.Portfolios.Transactions(ctx, auth.From(ctx), c.Param("id"), holding, first, limit)
	if err != nil {
		return err
	}
	page := transactionPage{Transactions: viewTransactions(c.Param("id"), list)}
	if next > 0 {
		page.NextCursor = rowCursor(next)
	}
	return respond(c, page)
}

// transactionsCSV answers with all transactions, or those of one holding, as CSV.
func (h *Handler) transactionsCSV(c echo.Context, q *httpapi.Params) error {
	holding := readHolding(q, c.Param("id"))
	if q.Has("limit") || q.Has("cursor") {
		q.Fail(errCSVPage)
	}
	if err := q.Err(); err != nil {
		return err
	}
	ctx := c.Request().Context()
	list, _, err := h.Portfolios.Transactions(ctx, auth.From(ctx), c.Param("id"), holding, 0, maxTransactions)
	if err != nil {
		return err
	}
	body, err := renderTransactionsCSV(viewTransactions(c.Param("id"), list))
	if err != nil {
		return err
	}
	c.Response().Header().Set("Content-Disposition", `attachment; filename="transactions-`+c.Param("id")+`.csv"`)
	return httpapi.SendRead(c, typeCSV, body)
}

func (h *Handler) raw(c echo.Context) error {
	ctx := c.Request().Context()
	payload, err := h.Portfolios.Payload(ctx, auth.From(ctx), c.Param("id"))
	if err != nil {
		return err
	}
	return respondWith(c, payload)
}

func (h *Handler) delete(c echo.Context) error {
	ctx := c.Request().Context()
	if err := h.Portfolios.Delete(ctx, auth.From(ctx), c.Param("id")); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// respond answers 200 with view as JSON.
func respond(c echo.Context, view any) error {
	body, err := render(view)
	if err != nil {
		return err
	}
	return respondWith(c, body)
}

// renderPortfolio returns a function for answered that appends the portfolio that read returns,
// with all its holdings.
func renderPortfolio(read func() (Portfolio, []statement.Holding, error)) func(b []byte) ([]byte, string, error) {
	return func(b []byte) ([]byte, string, error) {
		p, rows, err := read()
		if err != nil {
			return b, "", err
		}
		b, err = appendPortfolio(b, &p, rows)
		return b, keptVersion(&p), err
	}
}

// keptVersion returns the Version of p, "" if it is unreadable: it may be readable soon.
func keptVersion(p *Portfolio) string {
	if p.Unreadable {
		return ""
	}
	return p.Version
}

// respondWith answers 200 with body, which is JSON.
func respondWith(c echo.Context, body []byte) error {
	return httpapi.SendRead(c, echo.MIMEApplicationJSON, body)
}
