package ingest

import (
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"casbroker/internal/auth"
	"casbroker/internal/fault"
	"casbroker/internal/httpapi"
)

// Handler serves the routes for users' statements. Service and Key are required.
type Handler struct {
	Service *Service
	Limit   echo.MiddlewareFunc // counts uploads; nil for no limit
	// Key returns the Idempotency-Key of a request, "" without one.
	Key func(h http.Header) (string, error)
}

// Mount adds the routes to g, which authenticates callers.
func (h *Handler) Mount(g *echo.Group) {
	g.POST("/statements", h.create, auth.PrivateUser(auth.ScopeStatementsWrite, h.Limit)...)
}

// create has a statement parsed and saved.
func (h *Handler) create(c echo.Context) error {
	r := c.Request()
	if q, err := httpapi.QueryParams(r.URL); err != nil {
		return err
	} else if err := q.Only(); err != nil {
		return err
	}
	key, err := h.Key(r.Header)
	if err != nil {
		return err
	}
	want, err := preferencesOf(r.Header)
	if err != nil {
		return err
	}
	saved, err := h.Service.Import(c.Response(), r, auth.From(r.Context()), key, c.Response().Header().Get(httpapi.HeaderRequestID))
	if err != nil {
		return err
	}
	return h.answer(c, saved, want)
}

// answer answers with a portfolio.
func (h *Handler) answer(c echo.Context, saved Saved, want preferences) error {
	header, status := c.Response().Header(), http.StatusOK
	header.Set("Location", auth.PathOf(auth.From(c.Request().Context()), "/portfolios/"+saved.PortfolioID))
	header.Add("Vary", "Prefer")
	if saved.Replayed {
		header.Set("Idempotency-Replayed", "true")
	}
	if saved.Created {
		status = http.StatusCreated
	}
	body := saved.Body
	if want.representation {
		header.Set("Preference-Applied", "return=representation")
		body = slices.Concat(body[:len(body)-1], []byte(`,"data":`), saved.Data, []byte("}"))
	}
	return c.JSONBlob(status, body)
}

// preferences are those of RFC 7240 that are understood.
type preferences struct {
	representation bool // the answer has the vendor's answer, too
}

var errPrefer = fault.New(fault.Invalid, "invalid_preference", "Prefer may ask for return=representation or return=minimal, once.")

// preferencesOf reads the header Prefer. Other preferences are ignored, as the RFC requires.
func preferencesOf(h http.Header) (p preferences, err error) {
	seen := false
	for item := range strings.SplitSeq(strings.Join(h.Values("Prefer"), ","), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(item), "=")
		if !strings.EqualFold(strings.TrimSpace(name), "return") {
			continue
		}
		value = strings.Trim(strings.TrimSpace(value), `"`)
		if seen || value != "representation" && value != "minimal" {
			return p, errPrefer
		}
		seen, p.representation = true, value == "representation"
	}
	return p, nil
}
