package webhook_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"casbroker/internal/access"
	"casbroker/internal/audit"
	"casbroker/internal/store"
	"casbroker/internal/testkit/storetest"
)

// BenchmarkEvents measures how many events a second pass from their changes, made by 32
// users at a time, to a receiver on this machine.
func BenchmarkEvents(b *testing.B) {
	for name, url := range map[string]func(testing.TB) string{"sqlite": storetest.SQLite, "postgres": storetest.Postgres} {
		b.Run(name, func(b *testing.B) {
			db, r := storetest.Open(b, url(b), storetest.NewBox(b)), newReceiver(b)
			runReplica(b, db, time.Now, r.endpoint())
			b.ResetTimer()
			began := time.Now()
			var writers sync.WaitGroup
			for user := range 32 {
				writers.Go(func() {
					for n := user; n < b.N; n += 32 {
						blockUser(b, db, fmt.Sprint("app:", n%500), n)
					}
				})
			}
			writers.Wait()
			written := time.Since(began)
			for r.taken() < b.N {
				if time.Since(began) > 5*time.Minute {
					b.Fatalf("%d of %d events arrived", r.taken(), b.N)
				}
				<-time.After(time.Millisecond)
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(b.N)/written.Seconds(), "changes/s")
			b.ReportMetric(float64(b.N)/time.Since(began).Seconds(), "events/s")
		})
	}
}

func blockUser(b *testing.B, db *store.DB, subject string, n int) {
	b.Helper()
	c := access.Change{Kind: access.Block, Subject: subject, Reason: fmt.Sprint(n), At: started, Actor: "admin/x"}
	if _, err := db.ChangeAccess(b.Context(), c, audit.New(b.Context(), started, "admin/x", audit.UserBlock, subject, "")); err != nil {
		b.Error(err)
	}
}
