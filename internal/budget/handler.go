package budget

import (
	"context"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/labstack/echo/v4"

	"casbroker/internal/auth"
	"casbroker/internal/credit"
	"casbroker/internal/httpapi"
)

// Handler serves what users see of their own calls. Service is required.
type Handler struct {
	Service *Service
	Limit   echo.MiddlewareFunc // nil for no limit
}

// Mount adds the routes to g, which must authenticate callers.
func (h *Handler) Mount(g *echo.Group) {
	httpapi.TakesQuery(g.GET("/usage", h.usage, auth.PrivateUser(auth.ScopePortfoliosRead, h.Limit)...), "from", "to")
}

func (h *Handler) usage(c echo.Context) error {
	q, err := httpapi.QueryParams(c.Request().URL)
	if err != nil {
		return err
	}
	from, to := q.Time("from"), q.Time("to")
	if err := q.Err(); err != nil {
		return err
	}
	ctx := c.Request().Context()
	u, err := h.Service.Own(ctx, auth.From(ctx).Subject, from, to)
	if err != nil {
		return err
	}
	return httpapi.SendReadJSON(c, u)
}

// exportPage is how many calls are held in memory at a time.
const exportPage = 500

// Exporter writes the calls of a user into the export of the user's data.
type Exporter struct {
	Store interface {
		Calls(ctx context.Context, subject string, after Call, limit int) ([]Call, error)
	}
}

// callView is a call as its user sees it.
type callView struct {
	ID          string         `json:"id"`
	Feature     string         `json:"feature"`
	StartedAt   time.Time      `json:"started_at"`
	EndedAt     time.Time      `json:"ended_at,omitzero"`
	GrantID     string         `json:"grant_id,omitempty"`
	RequestID   string         `json:"request_id,omitempty"`
	Outcome     string         `json:"outcome,omitempty"`
	Reason      string         `json:"reason,omitempty"`
	Credits     *credit.Amount `json:"credits,omitempty"`
	PortfolioID string         `json:"portfolio_id,omitempty"`
}

func (c Call) view() callView {
	v := callView{
		ID: c.ID, Feature: c.Feature, StartedAt: c.StartedAt, EndedAt: c.EndedAt, GrantID: c.GrantID, RequestID: c.RequestID,
		Outcome: c.Outcome, Reason: c.Reason, PortfolioID: c.PortfolioID,
	}
	if c.Delivery != Open {
		v.Credits = &c.Used
	}
	return v
}

// Export writes all calls of subject to e as a JSON array, oldest first.
func (x Exporter) Export(ctx context.Context, e *jsontext.Encoder, subject string) error {
	if err := e.WriteToken(jsontext.BeginArray); err != nil {
		return err
	}
	for last := (Call{}); ; {
		page, err := x.Store.Calls(ctx, subject, last, exportPage)
		if err != nil {
			return err
		}
		for _, c := range page {
			if err := json.MarshalEncode(e, c.view()); err != nil {
				return err
			}
		}
		if len(page) < exportPage {
			return e.WriteToken(jsontext.EndArray)
		}
		last = page[len(page)-1]
	}
}
