package portfolio

import (
	"context"
	"log/slog"
	"time"
)

const (
	convertJob   = "convert" // in the store's table of jobs
	convertBatch = 20        // portfolios
	// convertLease is how long another replica waits when this one has died.
	convertLease = 2 * time.Minute
	// convertInterval is the time from one complete pass to the next: an earlier release may
	// still be saving, and a missing key may be back.
	convertInterval = time.Hour
	// maxClockSkew is how far the clocks of replicas may differ.
	maxClockSkew = time.Hour
)

// Conversion counts portfolios of an earlier release.
type Conversion struct {
	Converted  int
	Unreadable int    // left as they are
	Last       string // the id of the last one; "" if there are no more
}

// ConvertStore converts portfolios of an earlier release: up to limit after the given id. Events
// about holdings that change with it are of the time at.
type ConvertStore interface {
	ConvertPortfolios(ctx context.Context, after string, limit int, at time.Time) (Conversion, error)
}

// Jobs lets one replica at a time run a job.
type Jobs interface {
	// ClaimJob leases the job to the caller until lease if it is due at now, or was
	// postponed beyond farthest. It reports whether it did.
	ClaimJob(ctx context.Context, name string, now, lease, farthest time.Time) (bool, error)
	// FinishJob ends the lease of a claimed job, which is due again at next.
	FinishJob(ctx context.Context, name string, lease, next time.Time) error
}

// Converter stores portfolios that an earlier release saved as they are stored now. All
// fields are required.
type Converter struct {
	Store ConvertStore
	Jobs  Jobs
	Log   *slog.Logger
	Now   func() time.Time
}

// Run converts all portfolios that are not, unless another replica is doing so or that was
// done within the last hour. It should be called every minute or so. When it is interrupted,
// the next call continues: at once if it ends with ctx, otherwise when its lease of two
// minutes has ended.
func (c *Converter) Run(ctx context.Context) error {
	now := c.Now()
	lease := now.Add(convertLease)
	claimed, err := c.Jobs.ClaimJob(ctx, convertJob, now, lease, now.Add(convertInterval+maxClockSkew))
	if err != nil || !claimed {
		return err
	}
	all, lease, err := c.convert(ctx, lease)
	if all.Converted+all.Unreadable > 0 {
		c.Log.InfoContext(ctx, "converted portfolios of an earlier release", "converted", all.Converted, "unreadable", all.Unreadable)
	}
	next := c.Now()
	if err == nil {
		next = next.Add(convertInterval)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer cancel()
	if finish := c.Jobs.FinishJob(ctx, convertJob, lease, next); err == nil {
		err = finish
	}
	return err
}

// convert converts batches until there are none, and renews the lease as needed.
func (c *Converter) convert(ctx context.Context, lease time.Time) (all Conversion, _ time.Time, err error) {
	for {
		done, err := c.Store.ConvertPortfolios(ctx, all.Last, convertBatch, c.Now())
		all.Converted += done.Converted
		all.Unreadable += done.Unreadable
		all.Last = done.Last
		if err != nil || done.Last == "" {
			return all, lease, err
		}
		if now := c.Now(); lease.Sub(now) < convertLease/2 {
			longer := now.Add(convertLease)
			if err := c.Jobs.FinishJob(ctx, convertJob, lease, longer); err != nil {
				return all, lease, err
			}
			lease = longer
		}
	}
}
