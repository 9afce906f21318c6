package privacy

import (
	"context"
	"fmt"
	"log/slog"
	"time"
)

const (
	// jobName identifies the job among the replicas.
	jobName = "retention"
	// interval is the time between two runs.
	interval = 24 * time.Hour
	// lease is how long one run may take. What is left then, or when a replica dies, is
	// deleted by the next run on any replica.
	lease = 30 * time.Minute
	// maxClockSkew is the largest expected difference between the clocks of replicas.
	maxClockSkew = time.Hour
)

// Expirer deletes old data and returns how much it deleted. After an error, deletions that
// were made before it remain.
type Expirer interface {
	// ExpirePortfolios deletes portfolios saved at until or before, and adds audit records
	// with the time at.
	ExpirePortfolios(ctx context.Context, until, at time.Time) (int, error)
	// ExpireGrants deletes grants whose tokens expired at until or before.
	ExpireGrants(ctx context.Context, until time.Time) (int, error)
	// ExpireCalls deletes calls through the gateway that began at until or before.
	ExpireCalls(ctx context.Context, until time.Time) (int, error)
	// ExpireEvents deletes events that happened at until or before.
	ExpireEvents(ctx context.Context, until time.Time) (int, error)
	// ExpireLinks deletes hosted links that ended at until or before.
	ExpireLinks(ctx context.Context, until time.Time) (int, error)
	// ExpireRecords deletes audit records written at until or before, and adds one with the
	// time at.
	ExpireRecords(ctx context.Context, until, at time.Time) (int, error)
}

// Jobs coordinates jobs among replicas.
type Jobs interface {
	// ClaimJob leases the job to the caller until lease if it is due at now, or if its
	// next run is later than farthest, because a clock was wrong. It reports whether the
	// caller got the lease.
	ClaimJob(ctx context.Context, name string, now, lease, farthest time.Time) (bool, error)
	// FinishJob ends the lease and makes the job due again at next.
	FinishJob(ctx context.Context, name string, lease, next time.Time) error
}

// Retention deletes data whose retention period is over. Expirer, Jobs, Log and Now are
// required.
type Retention struct {
	Expirer    Expirer
	Jobs       Jobs
	Portfolios time.Duration // from the save; 0 keeps them forever
	Grants     time.Duration // from the token's expiry; 0 keeps them forever
	Calls      time.Duration // from their beginning; 0 keeps them forever
	Events     time.Duration // from when they happened; 0 keeps them forever
	Links      time.Duration // of hosted links, from their end; 0 keeps them forever
	Records    time.Duration // of the audit trail, from when they were written; 0 keeps them forever
	Log        *slog.Logger
	Now        func() time.Time
	OnDone     func(ctx context.Context) // called after a run without an error; nil for none
}

// Enabled reports whether any data has a retention period.
func (r *Retention) Enabled() bool {
	return r.Portfolios > 0 || r.Grants > 0 || r.Calls > 0 || r.Events > 0 || r.Links > 0 || r.Records > 0
}

// Run deletes old data, unless a run ended within the last day or another replica is
// running. It is meant to be called periodically. After an error the next run is possible
// when the lease ends.
func (r *Retention) Run(ctx context.Context) error {
	now := r.Now()
	until := now.Add(lease)
	claimed, err := r.Jobs.ClaimJob(ctx, jobName, now, until, now.Add(interval+maxClockSkew))
	if err != nil || !claimed {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, lease)
	defer cancel()
	deleted := []any{}
	for _, kind := range r.kinds(now) {
		if kind.keep <= 0 {
			continue
		}
		n, err := kind.expire(ctx, now.Add(-kind.keep))
		if err != nil {
			return fmt.Errorf("%d %s deleted: %w", n, kind.name, err)
		}
		deleted = append(deleted, kind.name, n)
	}
	r.Log.InfoContext(ctx, "deleted data past its retention", deleted...)
	if r.OnDone != nil {
		r.OnDone(ctx)
	}
	return r.Jobs.FinishJob(ctx, jobName, until, now.Add(interval))
}

// kind is data that has one retention period.
type kind struct {
	name   string
	keep   time.Duration
	expire func(ctx context.Context, until time.Time) (int, error)
}

// kinds are all of them. Audit records come last, since those before add some.
func (r *Retention) kinds(now time.Time) []kind {
	return []kind{
		{"portfolios", r.Portfolios, func(ctx context.Context, until time.Time) (int, error) {
			return r.Expirer.ExpirePortfolios(ctx, until, now)
		}},
		{"grants", r.Grants, r.Expirer.ExpireGrants},
		{"calls", r.Calls, r.Expirer.ExpireCalls},
		{"events", r.Events, r.Expirer.ExpireEvents},
		{"links", r.Links, r.Expirer.ExpireLinks},
		{"audit_records", r.Records, func(ctx context.Context, until time.Time) (int, error) {
			return r.Expirer.ExpireRecords(ctx, until, now)
		}},
	}
}
