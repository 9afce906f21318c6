package budget_test

import (
	"context"
	"sync"
	"testing"

	"casbroker/internal/budget"
	"casbroker/internal/credit"
	"casbroker/internal/testkit/services"
	"casbroker/internal/testkit/storetest"
)

// BenchmarkCall measures the two transactions of a call, of 16 concurrent callers: what a
// call waits for before the vendor gets it, and what follows its answer in the background.
func BenchmarkCall(b *testing.B) {
	for name, url := range map[string]func(testing.TB) string{"sqlite": storetest.SQLite, "postgres": services.Postgres} {
		b.Run(name, func(b *testing.B) {
			box := storetest.NewBox(b)
			w := newWorld(storetest.Open(b, url(b), box), box, perDay("all", budget.All, 1<<40), perDay("user", budget.User, 1<<40))
			r := budget.Result{Outcome: budget.OutcomeOK, KeyName: "main", Delivery: budget.Answered, Used: credit.One}
			var ending sync.WaitGroup
			b.SetParallelism(8)
			b.RunParallel(func(p *testing.PB) {
				for p.Next() {
					id, err := w.parse(context.Background(), "app:asha")
					if err != nil {
						b.Error(err)
					}
					ending.Go(func() {
						if err := w.End(context.Background(), id, r); err != nil {
							b.Error(err)
						}
					})
				}
			})
			ending.Wait()
		})
	}
}
