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

// Handler serves the routes for users' statements. Service, Jobs, Asker and Key are required.
type Handler struct {
	Service *Service
	Jobs    *Jobs
	Asker   Asker
	// Limit counts uploads, LimitRead questions after jobs; nil for no limit.
	Limit, LimitRead echo.MiddlewareFunc
	// Key returns the Idempotency-Key of a request, "" without one.
	Key func(h http.Header) (string, error)
}

// Mount adds the routes to g, which authenticates callers.
func (h *Handler) Mount(g *echo.Group) {
	upload := auth.PrivateUser(auth.ScopeStatementsWrite, h.Limit)
	g.POST("/statements", h.create, upload...)
	g.POST("/statements/request", h.requestByMail, upload...)
	g.POST("/statements/fetch", h.fetch, upload...)
	g.POST("/statements/fetch/:id/verify", h.verify, upload...)
	g.GET("/jobs/:id", h.job, auth.PrivateUser(auth.ScopeStatementsWrite, h.LimitRead)...)
}

// create has a statement parsed and saved.
func (h *Handler) create(c echo.Context) error {
	r := c.Request()
	key, err := h.Key(r.Header)
	if err != nil {
		return err
	}
	want, err := preferencesOf(r.Header)
	if err != nil {
		return err
	}
	if want.async {
		return h.enqueue(c, key)
	}
	saved, err := h.Service.Import(c.Response(), r, auth.From(r.Context()), key, c.Response().Header().Get(httpapi.HeaderRequestID))
	if err != nil {
		return err
	}
	return h.answer(c, saved, want)
}

// enqueue stores a statement and answers with its job.
func (h *Handler) enqueue(c echo.Context, key string) error {
	r := c.Request()
	who := auth.From(r.Context())
	job, err := h.Jobs.Add(c.Response(), r, who, key)
	if err != nil {
		return err
	}
	header := c.Response().Header()
	header.Set("Location", auth.PathOf(who, "/jobs/"+job.ID))
	header.Set("Preference-Applied", "respond-async")
	return c.JSON(http.StatusAccepted, viewJob(job))
}

// job answers with a job.
func (h *Handler) job(c echo.Context) error {
	ctx := c.Request().Context()
	job, err := h.Jobs.Job(ctx, auth.From(ctx), c.Param("id"))
	if err != nil {
		return err
	}
	return httpapi.SendReadJSON(c, viewJob(job))
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
	async          bool // the answer does not wait for the vendor
}

var errPrefer = fault.New(fault.Invalid, "invalid_preference", "Prefer may ask for return=representation or return=minimal, once.")

// preferencesOf reads the header Prefer. Other preferences are ignored, as the RFC requires.
func preferencesOf(h http.Header) (p preferences, err error) {
	seen := false
	for item := range strings.SplitSeq(strings.Join(h.Values("Prefer"), ","), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(item), "=")
		if strings.EqualFold(strings.TrimSpace(name), "respond-async") {
			p.async = true
		}
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
