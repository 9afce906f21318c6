package portfolio_test

import (
	"fmt"
	"testing"

	"casbroker/internal/testkit/storetest"
)

// TestStatementOfAnEarlierReleaseIsNamedUntilItCounts reads holdings before and after the
// conversion of one of two statements.
func TestStatementOfAnEarlierReleaseIsNamedUntilItCounts(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		b := serve(t, storetest.Open(t, url, storetest.NewBox(t)))
		ids := b.saveAll("asha",
			cas("CAMS_KFINTECH", "2026-01-31", nil, []string{folioOf("5551", scheme(1, "10", "90", false))}),
			cas("CDSL", "2026-02-28", []string{dematOf("1209999900000001", scheme(2, "10", "300", false))}, nil))
		makeEarlier(t, url, ids[0])
		expect := func(query, total string, complete bool, notices string) {
			t.Helper()
			got := b.owned("asha", query)
			list := ""
			for _, n := range got.Notices {
				list += fmt.Sprintln(n.Code, n.PortfolioID)
			}
			if got.TotalValue != total || got.Complete != complete || list != notices {
				t.Errorf("%q: got %s, complete %v, notices %q; want %s, %v, %q", query, got.TotalValue, got.Complete, list, total, complete, notices)
			}
		}
		unread := fmt.Sprintln("statement_not_read", ids[0])
		expect("", "300.00", false, unread)
		expect("?as_of=2026-01-31", "0.00", false, unread)
		expect("?as_of=2026-01-30", "0.00", true, "")
		expect("?cas_type=CDSL", "300.00", true, "")
		if done, err := b.db.ConvertPortfolios(t.Context(), "", 10, begin); err != nil || done.Converted != 1 {
			t.Fatalf("got %+v, %v", done, err)
		}
		expect("", "390.00", true, "")
	})
}
