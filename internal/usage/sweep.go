package usage

import (
	"context"
	"fmt"
	"time"
)

const (
	// chore is what the work is called among the replicas.
	chore = "usage"
	// often is how long after it was done the work is done again.
	often = time.Hour
	// lease is how long the work may take at a time.
	lease = 10 * time.Minute
	// apart is how far the clocks of replicas may be from one another.
	apart = time.Hour

	day = 24 * time.Hour
)

// kept is for how long the counts of each step are kept.
var kept = map[Step]time.Duration{Minute: 2 * day, Hour: 60 * day, Day: 3 * 365 * day}

// Chores has replicas share work.
type Chores interface {
	// ClaimJob reports whether the chore is due at now, or was put off beyond
	// farthest, and is the caller's until lease.
	ClaimJob(ctx context.Context, name string, now, lease, farthest time.Time) (bool, error)
	// FinishJob says that the chore claimed with lease is due again at next.
	FinishJob(ctx context.Context, name string, lease, next time.Time) error
}

// Sweep deletes old counts: minutes after 2 days, hours after 60, days after 3
// years. All fields are required.
type Sweep struct {
	Book   Book
	Chores Chores
	Now    func() time.Time
}

// Run deletes what is old, unless that was done within an hour or another replica
// is at it. It is to be called every now and then; what failed is tried again once
// the lease of ten minutes has ended.
func (s *Sweep) Run(ctx context.Context) error {
	now := s.Now()
	until := now.Add(lease)
	mine, err := s.Chores.ClaimJob(ctx, chore, now, until, now.Add(often+apart))
	if err != nil || !mine {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, lease)
	defer cancel()
	for _, step := range Steps {
		if err := s.Book.DropCounts(ctx, step, now.Add(-kept[step])); err != nil {
			return fmt.Errorf("delete old counts by %s: %w", step, err)
		}
	}
	return s.Chores.FinishJob(ctx, chore, until, now.Add(often))
}
