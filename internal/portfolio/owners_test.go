package portfolio_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/shopspring/decimal"

	"casbroker/internal/portfolio"
)

// sample returns a statement of testdata.
func sample(t *testing.T, name string) []byte {
	t.Helper()
	content, err := os.ReadFile("testdata/" + name + ".json") //nolint:gosec // a file of this package
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func TestEachFolioOfAFamilyIsOfItsOwnHolder(t *testing.T) {
	t.Parallel()
	b := start(t)
	saved := b.save("asha", sample(t, "family-folios-in-one-mailback")).want(t, http.StatusCreated)
	for how, p := range map[string]shown{
		"saved": saved, "listed": b.list("asha", "")[0], "read": b.get("asha", "/v1/portfolios/"+saved.ID).want(t, http.StatusOK),
		"latest": b.get("asha", "/v1/portfolios/latest").want(t, http.StatusOK),
	} {
		want := []string{"MEERA VENKATRAMAN KULKARNI XXXXXX316Q", "ARUN INVENTED KULKARNI XXXXXX821R", "MASTER DEV KULKARNI (MINOR) XXXXXX932S"}
		if len(p.Owners) != len(want) || p.Owner != 1 || len(p.Warnings) != 1 || p.Warnings[0] != (finding{"", "several_owners"}) {
			t.Fatalf("%s: got %+v, want three owners and several_owners", how, p)
		}
		for i, o := range p.Owners {
			if o.Number != i+1 || o.Accounts != 1 || text(o.Name)+" "+text(o.PANMasked) != want[i] {
				t.Errorf("%s: got owner %d %s %s with %d accounts, want %s with one", how, o.Number, text(o.Name), text(o.PANMasked), o.Accounts, want[i])
			}
		}
	}
	p := b.get("asha", "/v1/portfolios/"+saved.ID).want(t, http.StatusOK)
	totals := map[int]decimal.Decimal{}
	for i, r := range p.Rows {
		totals[r.Owner] = totals[r.Owner].Add(decimal.RequireFromString(*r.Value))
		if a := p.Accounts[i]; r.AccountID == nil || *r.AccountID != a.ID || r.Owner != a.Owner || text(r.Account) != text(a.Number) || a.Kind != "folio" {
			t.Errorf("got row %+v in account %+v", r, a)
		}
	}
	for owner, want := range map[int]string{1: "5000", 2: "12000", 3: "21000"} {
		if got := totals[owner].String(); got != want {
			t.Errorf("got %s for owner %d, want %s", got, owner, want)
		}
	}
	if holders := p.Accounts[2].Holders; len(holders) != 2 || text(holders[0]["name"]) != "MASTER DEV KULKARNI (MINOR)" || text(holders[1]["pan_masked"]) != "XXXXXX316Q" {
		t.Errorf("got holders %v, want the minor and then the guardian", holders)
	}
	page := b.get("asha", "/v1/portfolios/"+saved.ID+"/holdings?limit=2")
	var rows struct {
		Holdings []row `json:"holdings"`
	}
	if err := json.Unmarshal(page.body, &rows); err != nil || len(rows.Holdings) != 2 || rows.Holdings[1].Owner != 2 {
		t.Errorf("got the page %s, %v", page.body, err)
	}
}

func TestOwnerIsTheHolderIfTheHeaderHasNoPAN(t *testing.T) {
	t.Parallel()
	b := start(t)
	p := b.save("asha", sample(t, "pan-not-available")).want(t, http.StatusCreated)
	if len(p.Owners) != 1 || text(p.Owners[0].PANMasked) != "XXXXXX316Q" {
		t.Errorf("got owners %+v, want the holder of the folio", p.Owners)
	}
	if len(p.Warnings) != 1 || p.Warnings[0] != (finding{"/investor/pan", "invalid_pan"}) {
		t.Errorf("got warnings %v, want invalid_pan", p.Warnings)
	}
	family := b.save("asha", sample(t, "family-folios-in-one-mailback")).want(t, http.StatusCreated)
	if family.Owner != p.Owner || len(family.Owners) != 3 {
		t.Errorf("got owner %d of %+v, want the same person, %d", family.Owner, family.Owners, p.Owner)
	}
}

func TestExportHasAccountsAndOwners(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.save("asha", sample(t, "family-folios-in-one-mailback")).want(t, http.StatusCreated)
	b.save("ravi", sample(t, "pan-not-available")).want(t, http.StatusCreated)
	var out bytes.Buffer
	err := portfolio.AccountExporter{Reader: b.db}.Export(t.Context(), jsontext.NewEncoder(&out), "demo:asha")
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Owners []struct {
			owner
			User bool `json:"user"`
		} `json:"owners"`
		Accounts []listed `json:"accounts"`
	}
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Owners) != 3 || len(got.Accounts) != 3 || !got.Owners[0].User || got.Owners[1].User {
		t.Errorf("got %s", out.Bytes())
	}
	for _, want := range []string{`"number":"20000022"`, `"name":"ARUN INVENTED KULKARNI"`, `"pan_masked":"XXXXXX821R"`, `"statements":1`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("got %s, want it to have %s", out.Bytes(), want)
		}
	}
	if strings.Contains(out.String(), "ZZLPK4821R") || strings.Contains(out.String(), "5551462869") {
		t.Errorf("got %s, with a complete PAN or another user's account", out.Bytes())
	}
}
