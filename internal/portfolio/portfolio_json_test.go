package portfolio

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"casbroker/internal/statement"
)

// portfolioView and holdingPage are what appendPortfolio and appendHoldingPage write, made by
// reflection.
type (
	portfolioView struct {
		summaryView
		Accounts []listedAccountView `json:"accounts"`
		Rows     []holdingView       `json:"rows"`
	}
	holdingPage struct {
		Holdings   []holdingView `json:"holdings"`
		NextCursor *string       `json:"next_cursor"`
	}
)

// saved returns st as if it were saved.
func saved(st *statement.Statement) Portfolio {
	p := Portfolio{ID: "pf_01k2v5x0000000000000000000", Owner: 1, Active: true, Provenance: Verified, SavedAt: time.Unix(1, 0).UTC(), Summary: st.Summary}
	p.Owners = []Owner{{Number: 1, Name: "Asha \"Example\"\u2028", Accounts: len(st.Accounts)}, {Number: 2, PANMasked: "XXXXXX999A"}}
	for i, a := range st.Accounts {
		listed := ListedAccount{ID: "ac_01k2v5x0000000000000000000", Kind: a.Kind, Number: a.Number, Institution: a.Institution, Owner: 1 + i%2}
		for _, h := range a.Holders {
			listed.Holders = append(listed.Holders, Holder{Name: h.Name, PANMasked: MaskPAN(h.PAN)})
		}
		p.Accounts = append(p.Accounts, listed)
	}
	return p
}

func TestPortfolioIsAppendedAsItsViewIs(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../statement/testdata/*.vendor.json")
	if err != nil || len(files) < 10 {
		t.Fatalf("found %d files, %v", len(files), err)
	}
	for _, file := range files {
		payload, err := os.ReadFile(file) //nolint:gosec // a test's own file
		if err != nil {
			t.Fatal(err)
		}
		st, err := statement.Parse(payload, time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC))
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		st.Holdings[0].Name, st.Holdings[0].AccountIndex = "\"<b>\u2028\\\n\t\U0001F4B0", -1
		p := saved(st)
		got, err := appendPortfolio(nil, &p, st.Holdings)
		if err != nil {
			t.Fatal(err)
		}
		same(t, file, got, portfolioView{viewSummary(p), viewListedAccounts(p.Accounts), viewHoldings(&p, st.Holdings)})
		same(t, file, appendHoldingPage(nil, &p, st.Holdings, 0), holdingPage{viewHoldings(&p, st.Holdings), nil})
		same(t, file, appendHoldingPage(nil, &p, st.Holdings[:1], 1), holdingPage{viewHoldings(&p, st.Holdings[:1]), rowCursor(1)})
	}
	p := saved(&statement.Statement{})
	got, err := appendPortfolio([]byte("before"), &p, nil)
	if err != nil || string(got[:6]) != "before" {
		t.Fatal(string(got), err)
	}
	same(t, "nothing", got[6:], portfolioView{viewSummary(p), viewListedAccounts(nil), viewHoldings(&p, nil)})
	same(t, "nothing", appendHoldingPage(nil, &p, nil, 0), holdingPage{viewHoldings(&p, nil), nil})
}

// same fails the test unless got is the JSON of view, whatever the order of its members.
func same(t *testing.T, what string, got []byte, view any) {
	t.Helper()
	want, err := render(view)
	if err != nil {
		t.Fatal(err)
	}
	var a, b any
	if err := json.Unmarshal(got, &a); err != nil {
		t.Fatalf("%s: %v in %s", what, err, got)
	}
	if err := json.Unmarshal(want, &b); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(a, b) {
		t.Errorf("%s\n got %s\nwant %s", what, got, want)
	}
}
