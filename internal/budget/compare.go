package budget

import (
	"context"
	"time"

	"casbroker/internal/credit"
)

// VendorUsage is what the vendor's usage says about one feature.
type VendorUsage struct {
	Feature string
	Calls   int64
	Credits credit.Amount
}

// FeatureComparison compares what was recorded of a feature with the vendor's usage. The
// vendor's usage may or may not have the unsure calls: those without an answer, which count
// with their price, and those for which it refused the API key or its rate.
type FeatureComparison struct {
	Feature       string // "" for all together
	Calls         int64
	UnsureCalls   int64
	Credits       credit.Amount
	UnsureCredits credit.Amount
	VendorCalls   int64
	VendorCredits credit.Amount
	Differs       bool
}

// Comparison compares what was recorded of a day with the vendor's usage.
type Comparison struct {
	Day      time.Time
	At       time.Time // when it was made
	Features []FeatureComparison
}

// Comparisons stores comparisons and reads what they are made of.
type Comparisons interface {
	// EndedCalls returns the calls between two instants, the second one excluded, by
	// feature, without what the vendor says.
	EndedCalls(ctx context.Context, from, to time.Time) ([]FeatureComparison, error)
	// SaveComparison replaces the comparison of the same day.
	SaveComparison(ctx context.Context, c Comparison) error
	// Comparisons returns the comparisons of up to limit days, the newest first.
	Comparisons(ctx context.Context, limit int) ([]Comparison, error)
}
