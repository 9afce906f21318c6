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
	Feature       string        `json:"feature"` // "" for all together
	Calls         int64         `json:"calls"`
	UnsureCalls   int64         `json:"unsure_calls"`
	Credits       credit.Amount `json:"credits"`
	UnsureCredits credit.Amount `json:"unsure_credits"`
	VendorCalls   int64         `json:"vendor_calls"`
	VendorCredits credit.Amount `json:"vendor_credits"`
	Differs       bool          `json:"differs"`
}

// Comparison compares what was recorded of a day with the vendor's usage.
type Comparison struct {
	Day      time.Time           `json:"day"`      // its beginning, in UTC
	At       time.Time           `json:"at"`       // when it was made
	Features []FeatureComparison `json:"features"` // the first is all together
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
