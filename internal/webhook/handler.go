package webhook

import (
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"casbroker/internal/auth"
	"casbroker/internal/httpapi"
)

// defaultPage is how many events an answer has if the caller does not set limit.
const defaultPage = 100

var errWait = httpapi.ErrQuery.Withf("wait must be a whole number of seconds from 0 to %d.", int(MaxWait.Seconds()))

// Handler serves events to the app's back end. Feed is required.
type Handler struct {
	Feed  *Feed
	Limit echo.MiddlewareFunc // nil for no limit
}

// Mount adds the routes to g, which must authenticate callers.
func (h *Handler) Mount(g *echo.Group) {
	g.GET("/events", h.events, auth.Private(auth.RoleService, h.Limit)...)
}

func (h *Handler) events(c echo.Context) error {
	q, err := httpapi.QueryParams(c.Request().URL)
	if err != nil {
		return err
	}
	if err := q.Only("after", "limit", "wait"); err != nil {
		return err
	}
	limit, wait := q.Limit(defaultPage, MaxPage), readWait(q)
	if err := q.Err(); err != nil {
		return err
	}
	page, err := h.Feed.List(c.Request().Context(), q.Text("after"), limit, wait)
	if err != nil {
		return err
	}
	answer := eventList{Events: make([]Message, len(page.Events)), NextAfter: page.Next}
	for i, e := range page.Events {
		answer.Events[i] = e.Message()
	}
	return c.JSON(http.StatusOK, answer)
}

// eventList is a page of events.
type eventList struct {
	Events    []Message `json:"events"`
	NextAfter string    `json:"next_after"`
}

// readWait reads the parameter wait, 0 if it was left out.
func readWait(q *httpapi.Params) time.Duration {
	text := q.Text("wait")
	if text == "" {
		return 0
	}
	seconds, err := strconv.Atoi(text)
	if err != nil || seconds < 0 || seconds > int(MaxWait.Seconds()) {
		q.Fail(errWait)
		return 0
	}
	return time.Duration(seconds) * time.Second
}
