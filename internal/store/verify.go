package store

import (
	"context"
	"fmt"
)

// Verify opens everything that is sealed and calls report once for each table, with
// the number of Rows that open. It changes nothing; meanwhile the database can be
// used by others.
func (s *DB) Verify(ctx context.Context, report func(Tally)) error {
	for _, c := range sealedColumns() {
		count, err := s.verifyColumn(ctx, c)
		if err != nil {
			return fmt.Errorf("verify %s: %w", c.table, err)
		}
		report(count)
	}
	return nil
}

func (s *DB) verifyColumn(ctx context.Context, c sealedColumn) (Tally, error) {
	count := Tally{Table: c.table, Unknown: map[string]int{}}
	var after any
	for {
		batch, err := s.readSealed(ctx, c, after, nil)
		if err != nil || len(batch) == 0 {
			return count, err
		}
		after = batch[len(batch)-1].key
		for _, v := range batch {
			if _, ok := s.openValue(c, v, &count); ok {
				count.Rows++
			}
		}
	}
}
