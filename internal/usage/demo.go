package usage

import (
	"cmp"
	"context"
	"slices"
)

// demoBatch is how many synthetic counts are written in one transaction.
const demoBatch = 500

// AddDemoHistory adds the synthetic counts of a demo to the store, unless the store already
// has synthetic counts on their days, so that restarting a demo does not add them twice.
func AddDemoHistory(ctx context.Context, s Store, counts []Count) error {
	days := slices.DeleteFunc(slices.Clone(counts), func(c Count) bool { return c.Step != Day })
	if len(days) == 0 {
		return nil
	}
	slices.SortFunc(days, Compare)
	first, last := days[0].At, days[len(days)-1].At
	stored, err := s.Counts(ctx, Day, first, last.Add(day))
	if err != nil {
		return err
	}
	if slices.ContainsFunc(stored, isDayMarker) {
		return nil
	}
	// Day markers come last: if this is interrupted, the next start adds everything again.
	list := slices.Clone(counts)
	slices.SortStableFunc(list, func(a, b Count) int { return cmp.Compare(order(a), order(b)) })
	for batch := range slices.Chunk(list, demoBatch) {
		if err := s.AddCounts(ctx, batch); err != nil {
			return err
		}
	}
	return nil
}

// isDayMarker reports whether c marks a day as synthetic.
func isDayMarker(c Count) bool { return c.Step == Day && c.Series == Synthetic }

// order is 1 for day markers, else 0.
func order(c Count) int {
	if isDayMarker(c) {
		return 1
	}
	return 0
}
