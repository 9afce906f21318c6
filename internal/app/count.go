package app

import (
	"context"
	"time"

	"casbroker/internal/admin/session"
	"casbroker/internal/audit"
	"casbroker/internal/server"
	"casbroker/internal/store"
	"casbroker/internal/usage"
)

const (
	// countEvery is how long counts wait at most to be written.
	countEvery = 5 * time.Second
	// sweepEvery is how often a replica looks whether old counts are to be deleted.
	sweepEvery = 10 * time.Minute
)

// startCounting prepares what counts for the operators. The last counts are written
// when the App closes.
func (a *App) startCounting(ctx context.Context, db *store.DB, o Options) {
	a.usage = &usage.Counter{Book: db, Now: o.Now}
	a.onClose(func() error {
		if err := a.usage.Close(); err != nil {
			a.log.Error("usage counts are lost", "error", err)
		}
		return nil
	})
	sweep := &usage.Sweep{Book: db, Chores: db, Now: o.Now}
	a.chores = append(a.chores,
		chore{name: "write usage counts", every: countEvery, do: whole(a.usage.Flush)},
		chore{name: "delete old usage counts", every: sweepEvery, atStart: true, do: sweep.Run})
	if err := usage.Fill(ctx, db, o.Invented); err != nil { // which nobody needs
		a.log.WarnContext(ctx, "made-up counts cannot be written", "error", err)
	}
}

func (a *App) countToken(outcome string) {
	a.metrics.CountToken(outcome)
	a.usage.Token(outcome)
}

func (a *App) countLimited(rule string) {
	a.metrics.CountLimited(rule)
	a.usage.Limit(rule)
}

func (a *App) observeUpstream(outcome string, took time.Duration) {
	a.metrics.ObserveUpstream(outcome, took)
	a.usage.Upstream(outcome, took)
}

// refused returns what is told of calls that were turned away. A wrong admin key is on
// record already, with whose it would have been.
func (a *App) refused(j *audit.Journal) server.OnRefused {
	return func(ctx context.Context, actor, route, code string) {
		a.usage.Refuse(code)
		if code != session.ErrWrongKey.Code {
			j.Refuse(ctx, actor, route, code)
		}
	}
}
