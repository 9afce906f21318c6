package usage

import (
	"context"
	"fmt"
	"time"
)

const (
	// jobName is the name of the cleanup in the store's table of jobs.
	jobName = "usage"
	// interval is the time between two cleanups.
	interval = time.Hour
	// lease is how long one cleanup may take.
	lease = 10 * time.Minute
	// maxClockSkew is how far the clocks of replicas may differ.
	maxClockSkew = time.Hour

	day = 24 * time.Hour
)

// retention is how long the counts of each step are kept.
var retention = map[Step]time.Duration{Minute: 2 * day, Hour: 60 * day, Day: 3 * 365 * day}

// Jobs lets one replica at a time run a job.
type Jobs interface {
	// ClaimJob leases the job to the caller until lease if it is due at now, or was
	// postponed beyond farthest. It reports whether it did.
	ClaimJob(ctx context.Context, name string, now, lease, farthest time.Time) (bool, error)
	// FinishJob ends the lease of a claimed job, which is due again at next.
	FinishJob(ctx context.Context, name string, lease, next time.Time) error
}

// Cleanup deletes old counts: minutes after 2 days, hours after 60 days, days after 3
// years. All fields are required.
type Cleanup struct {
	Store Store
	Jobs  Jobs
	Now   func() time.Time
}

// Run deletes old counts, unless that was done within the last hour or another replica is
// doing it. It should be called every few minutes. After a failure the job is due again when
// its lease of ten minutes has ended.
func (c *Cleanup) Run(ctx context.Context) error {
	now := c.Now()
	until := now.Add(lease)
	claimed, err := c.Jobs.ClaimJob(ctx, jobName, now, until, now.Add(interval+maxClockSkew))
	if err != nil || !claimed {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, lease)
	defer cancel()
	for _, step := range Steps {
		if err := c.Store.DropCounts(ctx, step, now.Add(-retention[step])); err != nil {
			return fmt.Errorf("delete old counts by %s: %w", step, err)
		}
	}
	return c.Jobs.FinishJob(ctx, jobName, until, now.Add(interval))
}
