package server

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"casbroker/internal/fault"
	"casbroker/internal/httpapi"
)

// startingAnswer bounds one request while the program starts, and the wait for the last ones.
const startingAnswer = 2 * time.Second

// errStarting is the answer to requests while the program starts.
var errStarting = fault.New(fault.Unavailable, "starting", "The service is starting. Try again in some seconds.").
	After(2 * time.Second).WithNotef("The server is starting; it may wait for the migration of the database.")

// AnswerWhileStarting answers requests on l if the start of the program takes longer than answerAfter, as
// it does while another replica migrates the database: /healthz with 200, so that the program is
// not restarted, and all others with 503. Before that, requests wait: a proxy does not send one to
// another replica for a 503. It ends, and leaves l open, when end is called.
func AnswerWhileStarting(l net.Listener, answerAfter time.Duration) (end func()) {
	d, ok := l.(interface{ SetDeadline(at time.Time) error })
	if !ok {
		return func() {}
	}
	s := &http.Server{
		Handler: starting(), ReadTimeout: startingAnswer, WriteTimeout: startingAnswer, MaxHeaderBytes: maxHeaderBytes,
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug),
	}
	s.SetKeepAlivesEnabled(false)
	begun, ended := make(chan struct{}), make(chan struct{})
	timer := time.AfterFunc(answerAfter, func() {
		defer close(ended)
		close(begun)
		_ = s.Serve(keptListener{l})
	})
	return func() {
		if timer.Stop() {
			return
		}
		<-begun
		ctx, cancel := context.WithTimeout(context.Background(), startingAnswer)
		defer cancel()
		shut := make(chan struct{})
		go func() {
			defer close(shut)
			_ = s.Shutdown(ctx) // it does not close l
		}()
		for waiting := true; waiting; {
			_ = d.SetDeadline(time.Unix(1, 0)) // ends the wait for a connection
			select {
			case <-ended:
				waiting = false
			case <-time.After(time.Millisecond):
			}
		}
		_ = d.SetDeadline(time.Time{})
		<-shut
		_ = s.Close()
	}
}

// keptListener is a listener that another server goes on to use.
type keptListener struct{ net.Listener }

// Close does nothing.
func (keptListener) Close() error { return nil }

func starting() http.Handler {
	e := echo.New()
	e.HTTPErrorHandler = httpapi.HandleError
	e.GET(alivePath, (&health{}).alive)
	e.GET(readyPath, func(c echo.Context) error {
		c.Response().Header().Set("Cache-Control", "no-store")
		failed := []failedCheck{{Name: "server", Reason: Reason(errStarting)}}
		return c.JSON(http.StatusServiceUnavailable, readiness{Status: "not ready", NotReady: failed})
	})
	e.Any("/*", func(echo.Context) error { return errStarting })
	return e
}
