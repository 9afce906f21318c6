package privacy

import (
	"context"
	"fmt"
	"log/slog"
	"time"
)

const (
	// chore is what the work is called among the replicas.
	chore = "retention"
	// often is how long after it was done the work is done again.
	often = 24 * time.Hour
	// lease is how long the work may take at a time. What is left then, or by a
	// replica that died, is done by whoever looks next.
	lease = 30 * time.Minute
	// apart is how far the clocks of replicas may be from one another.
	apart = time.Hour
)

// Expirer deletes what is old, and says how much; what it deleted stays so when it
// fails.
type Expirer interface {
	// ExpirePortfolios deletes what was saved at until or before, on record as of at.
	ExpirePortfolios(ctx context.Context, until, at time.Time) (int, error)
	// ExpireGrants deletes grants whose tokens ended at until or before.
	ExpireGrants(ctx context.Context, until time.Time) (int, error)
}

// Chores has replicas share work.
type Chores interface {
	// ClaimJob reports whether the chore is due at now, or was put off beyond
	// farthest, and is the caller's until lease.
	ClaimJob(ctx context.Context, name string, now, lease, farthest time.Time) (bool, error)
	// FinishJob says that the chore claimed with lease is due again at next.
	FinishJob(ctx context.Context, name string, lease, next time.Time) error
}

// Retention deletes what is old enough. Expirer, Chores, Log and Now are required.
type Retention struct {
	Expirer    Expirer
	Chores     Chores
	Portfolios time.Duration // how long after it was saved; 0 for ever
	Grants     time.Duration // how long after the token ended; 0 for ever
	Log        *slog.Logger
	Now        func() time.Time
}

// Wanted reports whether anything is to be deleted at all.
func (r *Retention) Wanted() bool { return r.Portfolios > 0 || r.Grants > 0 }

// Run deletes what is old, unless that was done within a day or another replica is
// at it. It is to be called every now and then; what failed is tried again once the
// lease has ended.
func (r *Retention) Run(ctx context.Context) error {
	now := r.Now()
	until := now.Add(lease)
	mine, err := r.Chores.ClaimJob(ctx, chore, now, until, now.Add(often+apart))
	if err != nil || !mine {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, lease)
	defer cancel()
	portfolios, grants := 0, 0
	if r.Portfolios > 0 {
		if portfolios, err = r.Expirer.ExpirePortfolios(ctx, now.Add(-r.Portfolios), now); err != nil {
			return fmt.Errorf("%d portfolios deleted: %w", portfolios, err)
		}
	}
	if r.Grants > 0 {
		if grants, err = r.Expirer.ExpireGrants(ctx, now.Add(-r.Grants)); err != nil {
			return fmt.Errorf("%d grants deleted: %w", grants, err)
		}
	}
	r.Log.InfoContext(ctx, "deleted what is past its retention", "portfolios", portfolios, "grants", grants)
	return r.Chores.FinishJob(ctx, chore, until, now.Add(often))
}
