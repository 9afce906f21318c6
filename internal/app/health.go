package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"casbroker/internal/access"
	"casbroker/internal/admin"
	"casbroker/internal/apikey"
	"casbroker/internal/cache"
	"casbroker/internal/clock"
	"casbroker/internal/config"
	"casbroker/internal/server"
	"casbroker/internal/store"
	"casbroker/internal/upstream"
)

// healthTimeout bounds one report of the state of all dependencies.
const healthTimeout = 2 * time.Second

// health returns a function that reports the state of each dependency.
func health(s config.Config, vendor *upstream.Client, keys *apikey.Pool, files *secretFiles, c cache.Cache, db *store.DB, w *access.Watcher, clocks *clock.Comparison) func(context.Context) []admin.Component {
	return func(ctx context.Context) []admin.Component {
		ctx, cancel := context.WithTimeout(ctx, healthTimeout)
		defer cancel()
		return []admin.Component{
			vendorHealth(vendor.State()), keyHealth(s.Upstream, keys.Status()), cacheHealth(ctx, c), component("database", db.Ready(ctx)),
			accessHealth(ctx, w, s.Access.MaxStaleness), files.health(keys.Status()), clockHealth(ctx, clocks),
		}
	}
}

// component is ok unless err is set; its note is the part of err that any caller may read.
func component(name string, err error) admin.Component {
	if err == nil {
		return admin.Component{Name: name, State: admin.OK}
	}
	return admin.Component{Name: name, State: admin.Down, Note: server.Reason(err)}
}

// accessHealth reports whether this replica knows recent blocks and revocations.
func accessHealth(ctx context.Context, w *access.Watcher, maxAge time.Duration) admin.Component {
	p := component("revocations", w.Ready(ctx))
	if age := w.Age(); p.State == admin.OK && age > maxAge {
		p.State = admin.Degraded
		p.Note = fmt.Sprintf("The last successful read from the database was %s ago; access.when_stale lets the broker reuse tokens anyway.", age.Round(time.Second))
	}
	return p
}

// always has a failed check of /readyz degrade the broker, whatever the error is.
func always(error) bool { return true }

// cacheReady returns why Redis is not used although the settings name one, or what it
// refuses; nil otherwise.
func cacheReady(ctx context.Context, c cache.Cache) error {
	if p := cacheHealth(ctx, c); p.State == admin.Degraded {
		return errors.New(p.Note)
	}
	return nil
}

// vendorReady returns an error while no calls are made to the vendor.
func vendorReady(c *upstream.Client) error {
	if p := vendorHealth(c.State()); p.State == admin.Down {
		return errors.New(p.Note)
	}
	return nil
}

func cacheHealth(ctx context.Context, c cache.Cache) admin.Component {
	p := admin.Component{Name: "cache", State: admin.OK}
	switch c := c.(type) {
	case *cache.Memory:
		p.State, p.Note = admin.Unused, "The settings keep tokens and limits in this process; Redis is not used."
	case *cache.Fallback:
		var refusal *cache.Refusal
		switch err := c.Check(ctx); {
		case errors.As(err, &refusal):
			p.State = admin.Degraded
			p.Note = fmt.Sprintf("Redis does not do what the broker needs (%v): %s. Until then, this replica does without.", refusal.Err, refusal.Remedy)
		case err != nil, c.Degraded():
			p.State, p.Note = admin.Degraded, "Redis does not answer; until it does, this replica counts and caches on its own. Start Redis, or correct cache.url if it never answered."
		}
	}
	return p
}

func vendorHealth(s upstream.State) admin.Component {
	p := admin.Component{Name: "vendor", State: admin.OK}
	switch {
	case s.Breaker == upstream.Open:
		p.State = admin.Down
		p.Note = "Calls to the vendor are paused after several failures in a row; users who have a token can still use it."
	case !s.Healthy():
		p.State = admin.Degraded
		p.Note = fmt.Sprintf("The last call ended as %s at %s.", s.LastOutcome, s.At.UTC().Format(time.RFC3339))
	case s.LastOutcome == "":
		p.Note = "Not called since this replica started."
	}
	return p
}
