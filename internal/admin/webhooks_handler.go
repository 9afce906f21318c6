package admin

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"casbroker/internal/auth"
	"casbroker/internal/httpapi"
	"casbroker/internal/webhook"
)

func (h *Handler) mountWebhooks(get func(string, action, ...string), post func(string, action)) {
	get("/webhooks", h.webhooks)
	post("/webhooks", h.createWebhook)
	get("/webhooks/:name/deliveries", h.deliveries, "state", "limit", "cursor")
	post("/webhooks/:name/test", h.testWebhook)
	post("/webhooks/:name/enable", h.enableWebhook(true))
	post("/webhooks/:name/disable", h.enableWebhook(false))
	post("/webhooks/:name/replay", h.replay)
	post("/webhooks/:name/secrets", h.addSecret)
}

func (h *Handler) webhooks(c echo.Context, _ *httpapi.Params) error {
	list, err := h.Service.WebhookStates(c.Request().Context())
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, webhookList{list})
}

func (h *Handler) createWebhook(c echo.Context, _ *httpapi.Params) error {
	e, err := readWebhook(c.Response(), c.Request())
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	made, err := h.Service.Webhooks.Create(ctx, auth.From(ctx).Subject, e)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusCreated, newWebhook{Name: made.Name, Secret: made.Secrets[0].Reveal()})
}

func (h *Handler) addSecret(c echo.Context, _ *httpapi.Params) error {
	if err := readEmpty(c.Response(), c.Request()); err != nil {
		return err
	}
	ctx, name := c.Request().Context(), param(c, "name")
	added, err := h.Service.Webhooks.AddSecret(ctx, auth.From(ctx).Subject, name)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusCreated, newWebhook{Name: name, Secret: added.Reveal()})
}

func (h *Handler) deleteWebhook(c echo.Context, _ *httpapi.Params) error {
	ctx := c.Request().Context()
	if err := h.Service.Webhooks.Delete(ctx, auth.From(ctx).Subject, param(c, "name")); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

func (h *Handler) deliveries(c echo.Context, q *httpapi.Params) error {
	limit := q.Limit(defaultLimit, webhook.MaxPage)
	if err := q.Err(); err != nil {
		return err
	}
	list, next, err := h.Service.Deliveries(c.Request().Context(), param(c, "name"), webhook.State(q.Text("state")), q.Text("cursor"), limit)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, deliveryList{list, orNull(next)})
}

func (h *Handler) testWebhook(c echo.Context, _ *httpapi.Params) error {
	if err := readEmpty(c.Response(), c.Request()); err != nil {
		return err
	}
	r, err := h.Service.TestWebhook(c.Request().Context(), param(c, "name"))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, testView{OK: r.OK(), Status: r.Status, Error: r.Error, TookMS: r.Took.Milliseconds()})
}

func (h *Handler) enableWebhook(enable bool) action {
	return func(c echo.Context, _ *httpapi.Params) error {
		if err := readEmpty(c.Response(), c.Request()); err != nil {
			return err
		}
		name := param(c, "name")
		if err := h.Service.EnableWebhook(c.Request().Context(), name, enable); err != nil {
			return err
		}
		return c.JSON(http.StatusOK, enabledView{name, enable})
	}
}

func (h *Handler) replay(c echo.Context, _ *httpapi.Params) error {
	eventID, since, err := readReplay(c.Response(), c.Request())
	if err != nil {
		return err
	}
	n, err := h.Service.ReplayWebhook(c.Request().Context(), param(c, "name"), eventID, since)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, replayed{n})
}
