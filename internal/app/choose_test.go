package app_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chromedp/chromedp"
)

func TestThePageShowsNoOtherStatementWhenTheChosenOneCannotBeRead(t *testing.T) {
	t.Parallel()
	var broken atomic.Bool
	refuse := func(w http.ResponseWriter, r *http.Request) bool {
		if !broken.Load() || !strings.HasPrefix(r.URL.Path, "/v1/portfolios/") {
			return false
		}
		http.Error(w, `{"code":"store_unavailable","detail":"Try again."}`, http.StatusServiceUnavailable)
		return true
	}
	b := openTab(t, desk)
	b.signIn(openShop(t, refuse).URL, "asha")
	for _, source := range []string{"cdsl", "nsdl"} {
		b.choose(statement(t, source))
		b.parse("any")
		b.do(chromedp.WaitVisible(chromedp.CSS(`[data-testid="notice"][data-kind="good"]`)))
	}
	b.do(chromedp.WaitVisible(on("total")))

	broken.Store(true)
	b.do(chromedp.Click(chromedp.CSS(`[data-testid="statement"]:not([aria-current])`)))
	has(t, b.notice("bad"), "This statement could not be read", "Try again")
	b.do(chromedp.WaitNotPresent(on("total")), chromedp.WaitNotPresent(on("holdings-table")))

	broken.Store(false)
	b.do(chromedp.Click(on("notice-action")), chromedp.WaitVisible(on("total")), chromedp.WaitVisible(on("holdings-table")))
	b.calm()
}
