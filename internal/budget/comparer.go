package budget

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"time"

	"casbroker/internal/credit"
	"casbroker/internal/fault"
)

const (
	// compareJob is the name of the comparison in the store's table of jobs.
	compareJob = "compare usage"
	// compareAt is when the comparison of the past day is due, after midnight of UTC.
	compareAt = 30 * time.Minute
	// compareLease is how long one comparison may take.
	compareLease = 10 * time.Minute
)

// recentDays is how many days without a recorded call it takes until days are not compared.
const recentDays = 7

// uncounted are the features of which not all calls are recorded: those that cost nothing
// and make nothing, such as polls, are in the vendor's usage only.
var uncounted = []string{inboundEmail, "inbox_status", "inbox_disconnect"}

// ErrDay is returned for a day that cannot be compared.
var ErrDay = fault.New(fault.Unprocessable, "invalid_day",
	"day must be a day of UTC that is over, such as 2026-04-01, at most 60 days ago, and all of its calls must still be stored.").
	At(fault.Field{Pointer: "/day", Detail: "must be a day that is over, such as 2026-04-01"})

// maxCompareAge is how old a day may be that is compared.
const maxCompareAge = 60 * 24 * time.Hour

// Jobs lets one replica at a time run a job.
type Jobs interface {
	// ClaimJob leases the job to the caller until lease if it is due at now, or was
	// postponed beyond farthest. It reports whether it did.
	ClaimJob(ctx context.Context, name string, now, lease, farthest time.Time) (bool, error)
	// FinishJob ends the lease of a claimed job, which is due again at next.
	FinishJob(ctx context.Context, name string, lease, next time.Time) error
}

// Comparer compares what was recorded with the vendor's usage. All fields but OnCompared
// and Retention are required. It is safe for concurrent use.
type Comparer struct {
	// Vendor returns the vendor's usage of all API keys between two instants, the second
	// one excluded.
	Vendor func(ctx context.Context, from, to time.Time) ([]VendorUsage, error)
	Store  Comparisons
	Jobs   Jobs
	// Retention is how long calls are kept; 0 is forever.
	Retention time.Duration
	Log       *slog.Logger
	Now       func() time.Time
	// OnCompared is called with each comparison; nil for no notice.
	OnCompared func(Comparison)
}

// Run compares the past day, unless that was done or another replica does it. It should be
// called every few minutes. After a failure it is due again when its lease has ended.
func (c *Comparer) Run(ctx context.Context) error {
	now := c.Now()
	today, lease := Day.Start(now), now.Add(compareLease)
	next := Day.End(today).Add(compareAt)
	if now.Before(today.Add(compareAt)) { // the vendor may still be writing yesterday's usage
		return nil
	}
	claimed, err := c.Jobs.ClaimJob(ctx, compareJob, now, lease, next)
	if err != nil || !claimed {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, compareLease)
	defer cancel()
	recent, err := c.Store.EndedCalls(ctx, today.AddDate(0, 0, -recentDays), today)
	if err != nil {
		return err
	}
	if len(recent) > 0 { // else the gateway is not used, or was not yet
		if _, err := c.compare(ctx, today.AddDate(0, 0, -1)); err != nil {
			return err
		}
	}
	return c.Jobs.FinishJob(ctx, compareJob, lease, next)
}

// Compare compares a day, which is the past one if it is zero, and stores the comparison. It
// returns ErrDay, or the faults of the vendor.
func (c *Comparer) Compare(ctx context.Context, day time.Time) (Comparison, error) {
	now := c.Now()
	today := Day.Start(now)
	if day.IsZero() {
		day = today.AddDate(0, 0, -1)
	}
	day = Day.Start(day)
	deleted := c.Retention > 0 && now.Sub(day) >= c.Retention // some of its calls
	if !day.Before(today) || today.Sub(day) > maxCompareAge || deleted {
		return Comparison{}, ErrDay
	}
	return c.compare(ctx, day)
}

func (c *Comparer) compare(ctx context.Context, day time.Time) (Comparison, error) {
	theirs, err := c.Vendor(ctx, day, Day.End(day))
	if err != nil {
		return Comparison{}, err
	}
	ours, err := c.Store.EndedCalls(ctx, day, Day.End(day))
	if err != nil {
		return Comparison{}, err
	}
	out := Comparison{Day: day, At: c.Now().UTC().Truncate(time.Millisecond), Features: match(ours, theirs)}
	if err := c.Store.SaveComparison(ctx, out); err != nil {
		return Comparison{}, err
	}
	for _, f := range out.Features[1:] {
		if f.Differs {
			c.Log.WarnContext(ctx, "the vendor's usage differs from the recorded calls", "day", day.Format(time.DateOnly), "feature", f.Feature,
				"calls", f.Calls, "unsure_calls", f.UnsureCalls, "vendor_calls", f.VendorCalls,
				"credits", f.Credits, "unsure_credits", f.UnsureCredits, "vendor_credits", f.VendorCredits)
		}
	}
	if c.OnCompared != nil {
		c.OnCompared(out)
	}
	return out, nil
}

// match returns the comparison of each feature, after that of all together.
func match(ours []FeatureComparison, theirs []VendorUsage) []FeatureComparison {
	byFeature := map[string]FeatureComparison{}
	for _, f := range ours {
		byFeature[f.Feature] = f
	}
	for _, v := range theirs {
		f := byFeature[v.Feature]
		f.Feature = v.Feature
		f.VendorCalls += v.Calls
		f.VendorCredits += v.Credits
		byFeature[v.Feature] = f
	}
	var all FeatureComparison
	list := []FeatureComparison{all}
	for _, name := range slices.Sorted(maps.Keys(byFeature)) {
		f := byFeature[name]
		f.Differs = f.differs()
		all.Calls += f.Calls
		all.UnsureCalls += f.UnsureCalls
		all.Credits += f.Credits
		all.UnsureCredits += f.UnsureCredits
		all.VendorCalls += f.VendorCalls
		all.VendorCredits += f.VendorCredits
		all.Differs = all.Differs || f.Differs
		list = append(list, f)
	}
	list[0] = all
	return list
}

// differs reports whether the vendor's usage cannot be that of the recorded calls.
func (f FeatureComparison) differs() bool {
	credits := f.VendorCredits < f.Credits || f.VendorCredits > f.Credits+f.UnsureCredits
	calls := f.VendorCalls < f.Calls || f.VendorCalls > f.Calls+f.UnsureCalls
	return credits || calls && !slices.Contains(uncounted, f.Feature)
}

// Difference is how many more credits the vendor's usage has than the recorded calls; it is
// negative for fewer.
func (f FeatureComparison) Difference() credit.Amount {
	switch {
	case f.VendorCredits > f.Credits+f.UnsureCredits:
		return f.VendorCredits - f.Credits - f.UnsureCredits
	case f.VendorCredits < f.Credits:
		return f.VendorCredits - f.Credits
	default:
		return 0
	}
}
