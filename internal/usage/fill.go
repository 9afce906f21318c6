package usage

import (
	"cmp"
	"context"
	"slices"
)

// fillBatch is how many made-up counts are written in one transaction.
const fillBatch = 500

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
	// The marks of days come last: what is cut short is begun anew.
	list := slices.Clone(invented)
	slices.SortStableFunc(list, func(a, b Count) int { return cmp.Compare(isMark(a), isMark(b)) })
	for some := range slices.Chunk(list, fillBatch) {
		if err := b.AddCounts(ctx, some); err != nil {
			return err
		}
	}
	return nil
}

// isMark is 1 for what Fill looks at to see whether it was there before, else 0.
func isMark(c Count) int {
	if c.Step == Day && c.Series == Invented {
		return 1
	}
	return 0
}
