// Package app introduces the rooms and the doors to one another and runs the
// program that they make.
package app

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"casbroker/internal/access"
	"casbroker/internal/config"
	"casbroker/internal/server"
	"casbroker/internal/telemetry"
	"casbroker/internal/usage"
)

// metricsTimeout bounds one scrape.
const metricsTimeout = 10 * time.Second

// Options are what the settings do not say. LogTo is required.
type Options struct {
	LogTo io.Writer
	// Public are further routes, mounted at the root without authentication.
	Public []server.Routes
	// Invented are made-up counts, which a database without any begins with; the
	// console then says that it shows a demo. nil for none.
	Invented []usage.Count
	Now      func() time.Time // nil means time.Now
}

// App is the whole program.
type App struct {
	settings config.Config
	log      *slog.Logger
	metrics  *telemetry.Metrics
	router   *server.Router
	access   *access.Service
	usage    *usage.Counter
	chores   []chore
	closers  []func() error
	stop     context.CancelFunc
}

// Handler returns the program's HTTP surface.
func (a *App) Handler() http.Handler { return a.router }

// Run serves on l, and the metrics on their own address, until ctx ends; then it
// drains, closes everything and returns. It is called once.
func (a *App) Run(ctx context.Context, l net.Listener) error {
	a.onClose(paceCollector())
	group, ctx := errgroup.WithContext(ctx)
	if address := a.settings.Server.MetricsAddress; address != "" {
		ml, err := server.Listen(ctx, address, "server.metrics_address")
		if err != nil {
			return errors.Join(err, l.Close(), a.Close())
		}
		mux := http.NewServeMux()
		mux.Handle("GET /metrics", a.metrics.Handler())
		t := server.Timeouts{
			ReadHeader: metricsTimeout, Read: metricsTimeout, Write: metricsTimeout, Idle: time.Minute, Drain: time.Second,
		}
		group.Go(func() error { return server.Serve(ctx, ml, mux, t, a.log, func() {}) })
	}
	for _, c := range a.chores {
		group.Go(func() error { c.run(ctx, a.log); return nil })
	}
	a.log.Info("serving", "address", l.Addr().String())
	group.Go(func() error {
		return server.Serve(ctx, l, a.router, timeouts(a.settings.Server), a.log, a.router.SetNotReady)
	})
	err := group.Wait()
	a.log.Info("stopped")
	return errors.Join(err, a.Close())
}

func timeouts(s config.Server) server.Timeouts {
	return server.Timeouts{
		ReadHeader: s.ReadHeaderTimeout, Read: s.ReadTimeout, Write: s.WriteTimeout, Idle: s.IdleTimeout, Delay: s.DrainDelay, Drain: s.DrainTimeout,
	}
}

// Close closes what New opened, newest first. It may be called more than once.
func (a *App) Close() error {
	if a.stop != nil {
		a.stop()
	}
	var errs []error
	for _, closing := range slices.Backward(a.closers) {
		errs = append(errs, closing())
	}
	a.closers = nil
	return errors.Join(errs...)
}

// onClose remembers what to close.
func (a *App) onClose(closing func() error) { a.closers = append(a.closers, closing) }
