package portfolio_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// entry has the members of a transaction.
type entry struct {
	ID        string  `json:"id"`
	HoldingID string  `json:"holding_id"`
	Date      *string `json:"date"`
	Type      *string `json:"type"`
	Units     *string `json:"units"`
	NAV       *string `json:"nav"`
	Amount    *string `json:"amount"`
	Balance   *string `json:"balance"`
}

// transactions reads all transactions of a portfolio, limit at a time. filter is appended
// to the query.
func (b *broker) transactions(user, id string, limit int, filter string) []entry {
	b.t.Helper()
	var all []entry
	first := fmt.Sprintf("/v1/portfolios/%s/transactions?limit=%d%s", id, limit, filter)
	for path := first; path != ""; {
		var page struct {
			Transactions []entry `json:"transactions"`
			NextCursor   *string `json:"next_cursor"`
		}
		r := b.get(user, path)
		if err := json.Unmarshal(r.body, &page); err != nil || r.status != http.StatusOK || len(page.Transactions) > limit {
			b.t.Fatalf("%s: got %d %s", path, r.status, r.body)
		}
		all = append(all, page.Transactions...)
		if path = ""; page.NextCursor != nil {
			path = first + "&cursor=" + *page.NextCursor
		}
	}
	return all
}

// traded is a statement with 3 holdings and 5 transactions.
const traded = `{"cas_type":"CAMS","mutual_funds":[{"folio_number":"1","amc":"Example AMC","schemes":[
	{"name":"A","units":15.5,"transactions":[
		{"date":"2025-12-05","type":"PURCHASE_SIP","description":"SIP","units":10.25,"nav":80.1234,"amount":1000,"balance":10.25},
		{"date":"2025-12-06","type":"redemption","units":-2,"nav":"81.5","amount":-163.00,"balance":"8.25"},
		{"date":null,"type":null,"amount":0.05}]},
	{"name":"B","units":1},
	{"name":"C","units":2,"transactions":[
		{"date":"2025-12-07","type":"PURCHASE","units":1,"nav":1,"amount":1,"balance":1},
		{"date":"2025-12-08","type":"PURCHASE","units":1,"nav":1,"amount":1,"balance":2}]}]}]}`

func TestTransactionsArePaged(t *testing.T) {
	t.Parallel()
	b := start(t)
	saved := b.save("asha", []byte(traded)).want(t, http.StatusCreated)
	if saved.Transactions != 5 || saved.StoredRows != 3 || saved.ReceivedRows != 3 {
		t.Errorf("saved %+v", saved)
	}
	for _, limit := range []int{1, 2, 5, 100} {
		var got []string
		for i, e := range b.transactions("asha", saved.ID, limit, "") {
			if e.ID != fmt.Sprintf("tx_%s_%d", saved.ID[3:], i) {
				t.Errorf("transaction %d: got id %s", i, e.ID)
			}
			line, holding := "", strings.TrimPrefix(e.HoldingID, "ho_"+saved.ID[3:]+"_")
			for _, field := range []*string{&holding, e.Date, e.Type, e.Units, e.NAV, e.Amount, e.Balance} {
				if field == nil {
					line += " -"
					continue
				}
				line += " " + *field
			}
			got = append(got, line[1:])
		}
		want := []string{
			"0 2025-12-05 PURCHASE_SIP 10.25 80.1234 1000.00 10.25", "0 2025-12-06 REDEMPTION -2 81.50 -163.00 8.25",
			"0 - - - - 0.05 -", "2 2025-12-07 PURCHASE 1 1.00 1.00 1", "2 2025-12-08 PURCHASE 1 1.00 1.00 2",
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("%d at a time: got\n%s\nwant\n%s", limit, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

func TestTransactionsAreFilteredByHolding(t *testing.T) {
	t.Parallel()
	b := start(t)
	id := b.save("asha", []byte(traded)).want(t, http.StatusCreated).ID
	for seq, want := range []int{3, 0, 2} {
		for _, limit := range []int{1, 20} {
			holding := fmt.Sprintf("ho_%s_%d", id[3:], seq)
			got := b.transactions("asha", id, limit, "&holding="+holding)
			for _, e := range got {
				if e.HoldingID != holding {
					t.Errorf("got transaction %s of another holding than %s", e.ID, holding)
				}
			}
			if len(got) != want {
				t.Errorf("%s has %d transactions, want %d", holding, len(got), want)
			}
		}
	}
	if got := string(b.get("asha", "/v1/portfolios/"+id+"/transactions?holding=ho_"+id[3:]+"_1").body); got != `{"transactions":[],"next_cursor":null}` {
		t.Errorf("without any: %s", got)
	}
}

func TestHoldingOfAnotherPortfolioIsRefused(t *testing.T) {
	t.Parallel()
	b := start(t)
	id := b.save("asha", []byte(traded)).want(t, http.StatusCreated).ID
	other := b.save("asha", minimal("Fund")).want(t, http.StatusCreated).ID
	own := "ho_" + id[3:]
	for _, holding := range []string{
		own + "_3", own + "_-1", own + "_00", own + "_+1", own + "_", own, "ho_" + other[3:] + "_0", "0", "tx_" + id[3:] + "_0", own + "_99999999999999999999", "%27",
	} {
		got := b.get("asha", "/v1/portfolios/"+id+"/transactions?holding="+strings.ReplaceAll(holding, "+", "%2B")).want(t, http.StatusBadRequest)
		if got.Code != "invalid_holding" {
			t.Errorf("%s: got %s", holding, got.Code)
		}
	}
	for _, query := range []string{"", "?holding=" + own + "_0"} {
		if got := b.get("ravi", "/v1/portfolios/"+id+"/transactions"+query).want(t, http.StatusNotFound); got.Code != "portfolio_not_found" {
			t.Errorf("of another user: %s", got.Code)
		}
	}
}
