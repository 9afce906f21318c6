package app

import (
	"context"
	"log/slog"
	"time"

	"casbroker/internal/portfolio"
	"casbroker/internal/privacy"
)

const (
	// purgeEvery is how often idempotency keys that have expired are removed.
	purgeEvery = 10 * time.Minute
	// expireEvery is how often a replica looks whether the daily deletion of what is
	// past its retention is still to be done.
	expireEvery = time.Hour
	// lastRun bounds one run of a chore that is not broken off.
	lastRun = 10 * time.Second
)

// chore is work that is done again and again beside the requests.
type chore struct {
	name    string
	every   time.Duration
	atStart bool // do it for the first time at once
	do      func(ctx context.Context) error
}

// chores lists what is to be done beside the requests.
func chores(portfolios *portfolio.Service, old *privacy.Retention) []chore {
	list := []chore{{name: "remove expired idempotency keys", every: purgeEvery, do: func(ctx context.Context) error {
		_, err := portfolios.Purge(ctx)
		return err
	}}}
	if old.Wanted() {
		// At the start, too: a broker that is restarted often would never come to it.
		list = append(list, chore{name: "delete what is past its retention", every: expireEvery, atStart: true, do: old.Run})
	}
	return list
}

// run does the chore until ctx ends. One that fails is tried again next time.
func (c chore) run(ctx context.Context, log *slog.Logger) {
	if c.atStart {
		c.once(ctx, log)
	}
	tick := time.NewTicker(c.every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			c.once(ctx, log)
		}
	}
}

// whole is do, which the end of the program does not break off: its last run may take as
// long as it is given then.
func whole(do func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastRun)
		defer cancel()
		return do(ctx)
	}
}

func (c chore) once(ctx context.Context, log *slog.Logger) {
	if err := c.do(ctx); err != nil && ctx.Err() == nil {
		log.WarnContext(ctx, "chore failed", "chore", c.name, "error", err)
	}
}
