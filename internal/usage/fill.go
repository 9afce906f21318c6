package usage

import (
	"context"
	"slices"
)

// Fill adds counts that were made up to a Book that has none of that kind in their
// days, so that a demo which is started again does not grow a second past.
func Fill(ctx context.Context, b Book, invented []Count) error {
	days := slices.DeleteFunc(slices.Clone(invented), func(c Count) bool { return c.Step != Day })
	if len(days) == 0 {
		return nil
	}
	slices.SortFunc(days, Compare)
	first, last := days[0].At, days[len(days)-1].At
	there, err := b.Counts(ctx, Day, first, last.Add(day))
	if err != nil {
		return err
	}
	if slices.ContainsFunc(there, func(c Count) bool { return c.Series == Invented }) {
		return nil
	}
	return b.AddCounts(ctx, invented)
}
