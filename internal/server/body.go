package server

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"casbroker/internal/httpapi"
)

// The bounds of what is read, after the answer is known, of the body of a request. They are
// those of the largest upload over a slow connection.
const (
	maxDropped  = 32 << 20
	dropTimeout = 30 * time.Second
)

// timeBodies has reads of request bodies fail that arrive too slowly, and answers that,
// whatever the handler makes of it. What a handler has left of a body is read and dropped
// before the answer is sent.
func timeBodies(rate httpapi.BodyRate) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			r := c.Request()
			if r.ContentLength == 0 {
				return next(c)
			}
			body := rate.Body(c.Response().Writer, r)
			r.Body = body
			c.Response().Before(func() { dropBody(c.Response().Status, r, body) })
			err := next(c)
			switch {
			case body.TooSlow() && errors.Is(err, context.Canceled): // net/http ends the request then
				return httpapi.ErrBodyTooSlow
			case errors.Is(err, httpapi.ErrBodyTooSlow):
				return httpapi.ErrBodyTooSlow.Because(err)
			}
			return err
		}
	}
}

// dropBody reads what is left of the body of r, which is about to be answered with status.
func dropBody(status int, r *http.Request, body *httpapi.TimedBody) {
	switch {
	case status < http.StatusOK: // the answer is yet to come
	case r.ContentLength > maxDropped: // its sender would not get to the end
	case r.Header.Get("Expect") != "" && !body.Begun(): // the sender waits for leave to send, and does not get it
	default:
		body.Drop(maxDropped, dropTimeout)
	}
}
