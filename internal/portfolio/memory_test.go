package portfolio_test

import (
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"time"

	"casbroker/internal/auth"
	"casbroker/internal/portfolio"
	"casbroker/internal/testkit/storetest"
)

// Not parallel, because it counts the allocations of the whole process.
func TestSavingALargeStatementAllocatesLittle(t *testing.T) {
	who := auth.Principal{Subject: "demo:asha"}
	for name, url := range map[string]func(t testing.TB) string{"sqlite": storetest.SQLite, "postgres": storetest.Postgres} {
		t.Run(name, func(t *testing.T) {
			db := storetest.Open(t, url(t), storetest.NewBox(t))
			service := &portfolio.Service{Store: db, Reader: db, Keys: db, Log: slog.New(slog.DiscardHandler), Now: time.Now}
			save := func(name string) uint64 {
				payload := large(name, 5<<20)
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				if _, err := service.Save(t.Context(), who, payload, ""); err != nil {
					t.Fatal(err)
				}
				runtime.ReadMemStats(&after)
				return after.TotalAlloc - before.TotalAlloc
			}
			save("First") // one-time allocations are not counted
			allocated := save("Second")
			if allocated > 30<<20+raceOverhead {
				t.Errorf("saving 5 MB allocated %d bytes, want at most 30 MB", allocated)
			}
			t.Logf("saving 5 MB allocated %.1f MB", float64(allocated)/(1<<20))
		})
	}
}

// large returns a statement of at least size bytes, of schemes with 20 transactions each.
func large(name string, size int) []byte {
	transactions := strings.TrimSuffix(strings.Repeat(`{"date":"2026-01-05","type":"PURCHASE_SIP","description":"Systematic Investment Purchase",`+
		`"units":93.615,"nav":80.115,"amount":7500.0,"balance":null,"dividend_rate":null,"additional_info":{}},`, 20), ",")
	var b strings.Builder
	b.WriteString(`{"meta":{"cas_type":"CAMS_KFINTECH"},"mutual_funds":[{"folio_number":"1/2","schemes":[`)
	for n := 0; b.Len() < size; n++ {
		fmt.Fprintf(&b, `{"name":"%s Fund %d","type":"Equity","units":1.5,"nav":2,"value":3,"cost":2.5,"transactions":[%s]},`, name, n, transactions)
	}
	b.WriteString(`{"name":"The last"}]}]}`)
	return []byte(b.String())
}
