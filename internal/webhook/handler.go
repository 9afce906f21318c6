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

// errNoUsers is returned to a service that may act for no users.
var errNoUsers = auth.ErrForbidden.Withf("This service may not act for any users, so there are no events for it.").
	WithNotef("acts_for of auth.verifiers[] or auth.service_keys[] names the verifiers for whose users a service may act")

// Handler serves events to the app's back end. Feed and ActsFor are required.
type Handler struct {
	Feed *Feed
	// ActsFor returns the names of the verifiers whose users' events a service may read.
	ActsFor func(service auth.Principal) []string
	Limit   echo.MiddlewareFunc // nil for no limit
}

// Mount adds the routes to g, which must authenticate callers.
func (h *Handler) Mount(g *echo.Group) {
	httpapi.TakesQuery(g.GET("/events", h.events, auth.PrivateService(auth.ScopeEventsRead, h.Limit)...), "after", "limit", "wait")
}

func (h *Handler) events(c echo.Context) error {
	q, err := httpapi.QueryParams(c.Request().URL)
	if err != nil {
		return err
	}
	limit, wait := q.Limit(defaultPage, MaxPage), readWait(q)
	if err := q.Err(); err != nil {
		return err
	}
	apps := h.ActsFor(auth.Caller(c))
	if len(apps) == 0 {
		return errNoUsers
	}
	page, err := h.Feed.List(c.Request().Context(), Query{After: q.Text("after"), Limit: limit, Wait: wait, Apps: apps})
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
