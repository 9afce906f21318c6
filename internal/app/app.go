// Package app is the composition root: New opens the adapters, builds the services and
// mounts the routes; Run serves them. Migrate, Rotate, Verify and OpenTrail do what single
// commands need.
package app

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"casbroker/internal/access"
	"casbroker/internal/config"
	"casbroker/internal/server"
	"casbroker/internal/telemetry"
	"casbroker/internal/tracing"
	"casbroker/internal/usage"
)

const (
	metricsTimeout = 10 * time.Second // of one scrape of the metrics
	profileTimeout = 3 * time.Minute  // of one profile
)

// Options configures what is not a setting. LogTo is required.
type Options struct {
	LogTo io.Writer
	// Public are more routes, mounted at the root without authentication.
	Public []server.Routes
	// DemoHistory are synthetic usage counts for a database without any. If there are
	// some, the console says that it shows a demo.
	DemoHistory []usage.Count
	Now         func() time.Time // nil means time.Now
	// SettingsFile is the file of the settings, "" for none, and Environ the environment,
	// in the form of os.Environ. The start logs what is unusual about them.
	SettingsFile string
	Environ      []string
}

// App is the whole program.
type App struct {
	settings config.Config
	given    config.Config // before files were read
	level    *telemetry.Level
	log      *slog.Logger
	metrics  *telemetry.Metrics
	tracer   *tracing.Tracer // nil for none
	router   *server.Router
	access   *access.Service
	jobs     []job
	// readFiles puts into use what files with secrets have, at the second call in a row.
	readFiles func(ctx context.Context) error
	closers   []func() error
	stop      context.CancelFunc // ends the goroutines that New started
}

// Run serves on l, and the metrics on their own address, until ctx ends. Then it drains,
// closes everything and returns. It may be called once.
func (a *App) Run(ctx context.Context, l net.Listener) error {
	group, ctx := errgroup.WithContext(ctx)
	if address := a.settings.Server.MetricsAddress; address != "" {
		ml, err := server.Listen(ctx, address, "server.metrics_address")
		if err != nil {
			return errors.Join(err, l.Close(), a.Close())
		}
		t := server.Timeouts{
			ReadHeader: metricsTimeout, Read: metricsTimeout, Write: metricsWrite(a.settings.Metrics), Idle: time.Minute, Drain: time.Second,
		}
		group.Go(func() error { return server.Serve(ctx, ml, a.serveMetrics(), t, a.log, func() {}) })
	}
	for _, j := range a.jobs {
		group.Go(func() error { j.traced(a.tracer).run(ctx, a.log, a.metrics); return nil })
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
	a.stop()
	var errs []error
	for _, closer := range slices.Backward(a.closers) {
		errs = append(errs, closer())
	}
	a.closers = nil
	a.closeTracer()
	return errors.Join(errs...)
}

// onClose adds a function that Close calls, before those added earlier.
func (a *App) onClose(closer func() error) { a.closers = append(a.closers, closer) }
