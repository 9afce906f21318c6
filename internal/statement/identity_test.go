package statement

import (
	"fmt"
	"testing"

	"casbroker/internal/secret"
)

func TestPANsHaveTheirForm(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]secret.Text{
		"ABCPE1234F": "ABCPE1234F", "abcpe1234f": "ABCPE1234F", "XXXPX1234X": "XXXPX1234X", "ABXXXXXX4F": "AB******4F", "AB*P*12**F": "AB*P*12**F",
		"XXXXXX234F": "******234F", "ABCPE1234X": "ABCPE1234X", "XXXXXXXXXX": "", "**********": "", "": "",
	} {
		st := parseOne(t, fmt.Sprintf(`"investor":{"pan":%q},"nps":[]`, text))
		if st.PAN != want || hasWarning(st, codeInvalidPAN) {
			t.Errorf("%q: got %q and %+v, want %q", text, st.PAN.Reveal(), st.Warnings, want.Reveal())
		}
	}
	for _, text := range []string{"PANNOTAVBL", "APPLIEDFOR", "PEKRN12345", "ABCPE12345", "1234567890", "N.A.", "ABCDE1234F", "ABCPE1234", "ABCPE12345F", "XXXXX1234५", "ABC 1234 F"} {
		st := parseOne(t, fmt.Sprintf(`"investor":{"name":"Asha","pan":%q},"nps":[{"pran":"1","linked_holders":[{"name":"Ravi","pan":%q}],"funds":[{"name":"F"}]}]`, text, text))
		if st.PAN != "" || st.Investor.PANMasked != "" || len(st.Warnings) != 2 || !hasWarning(st, codeInvalidPAN) {
			t.Errorf("%q: got %q and %+v, want two invalid_pan", text, st.PAN.Reveal(), st.Warnings)
		}
		if owner := st.Accounts[0].Owner; owner != (Holder{Name: "Ravi"}) {
			t.Errorf("%q: got owner %+v, want Ravi without a PAN", text, owner)
		}
	}
}

func TestAccountBelongsToItsFirstHolderElseToTheInvestor(t *testing.T) {
	t.Parallel()
	const header = `"investor":{"name":"Asha  Rao","pan":"ABCPE1234F"},`
	for name, c := range map[string]struct{ header, account, name, pan string }{
		"its holder":                       {header, `"linked_holders":[{"name":"Ravi","pan":"ABCPE9999F"},{"name":"Asha Rao","pan":"ABCPE1234F"}]`, "Ravi", "ABCPE9999F"},
		"no holder":                        {header, `"linked_holders":[]`, "Asha  Rao", "ABCPE1234F"},
		"a holder without anything":        {header, `"linked_holders":[{"name":null,"pan":""}]`, "Asha  Rao", "ABCPE1234F"},
		"the investor, by name":            {header, `"linked_holders":[{"name":"ASHA RAO"}]`, "ASHA RAO", "ABCPE1234F"},
		"another name":                     {header, `"linked_holders":[{"name":"Dev"}]`, "Dev", ""},
		"the PAN beside it":                {header, `"linked_holders":[{"name":"Dev"}],"additional_info":{"pan":"ABCPE5555F"}`, "Dev", "ABCPE5555F"},
		"a guardian's PAN beside it":       {header, `"linked_holders":[{"name":"Dev"},{"name":"Asha Rao","pan":"ABCPE1234F"}],"additional_info":{"pan":"ABCPE1234F"}`, "Dev", ""},
		"linked PANs":                      {header, `"linked_holders":[{"name":"Dev"},{"name":"X","pan":"ABCPE1111F"}],"additional_info":{"linked_pans":["ABCPE1111F","ABCPE2222F"]}`, "Dev", "ABCPE2222F"},
		"a linked PAN as object":           {header, `"linked_holders":[{"name":"Dev"}],"additional_info":{"linked_pans":[{"pan":"ABCPE2222F"},7]}`, "Dev", "ABCPE2222F"},
		"only the PAN, the investor's":     {header, `"additional_info":{"pan":"ABCPE1234F"}`, "Asha  Rao", "ABCPE1234F"},
		"only the PAN, another's":          {header, `"additional_info":{"pan":"ABCPE7777F"}`, "", "ABCPE7777F"},
		"only the PAN, none in the header": {`"investor":{"name":"Asha"},`, `"additional_info":{"pan":"ABCPE7777F"}`, "Asha", "ABCPE7777F"},
		"masked, and the holder in clear":  {`"investor":{"name":"Asha","pan":"ABXXXXXX4F"},`, `"linked_holders":[{"name":"Asha","pan":"ABCPE1234F"}]`, "Asha", "ABCPE1234F"},
		"nobody":                           {``, `"linked_holders":null`, "", ""},
		"a status in the place of a PAN":   {header, `"linked_holders":[{"name":"Dev"}],"additional_info":{"pan":"NOT OK"}`, "Dev", ""},
	} {
		st := parseOne(t, c.header+`"mutual_funds":[{"folio_number":"1",`+c.account+`,"schemes":[{"name":"F"}]}]`)
		if got := st.Accounts[0].Owner; got != (Holder{c.name, secret.Text(c.pan)}) || hasWarning(st, codeInvalidPAN) {
			t.Errorf("%s: got %q %q, want %q %q", name, got.Name, got.PAN.Reveal(), c.name, c.pan)
		}
	}
}

func TestAccountHasTheSameKeyInAllStatements(t *testing.T) {
	t.Parallel()
	folio := func(number, amc, isins string) string {
		return fmt.Sprintf(`"mutual_funds":[{"folio_number":%q,"amc":%q,"schemes":[%s]}]`, number, amc, isins)
	}
	const row = `{"name":"F","isin":"INFZ98K01AD0"}`
	for name, c := range map[string]struct{ body, key string }{
		"bo_id":                        {`"demat_accounts":[{"bo_id":"1208 1600-00000025","value":1}]`, "1208160000000025"},
		"dp and client":                {`"demat_accounts":[{"dp_id":"12081600","client_id":"00000025","value":1}]`, "1208160000000025"},
		"client with the dp before it": {`"demat_accounts":[{"dp_id":"12081600","client_id":"1208160000000025","value":1}]`, "1208160000000025"},
		"NSDL":                         {`"demat_accounts":[{"dp_id":"in300000","client_id":"10000031","value":1}]`, "IN30000010000031"},
		"a masked demat account":       {`"demat_accounts":[{"bo_id":"XXXXXXXX00000025","value":1}]`, ""},
		"no number":                    {`"demat_accounts":[{"value":1}]`, ""},
		"a folio":                      {folio("5551462869", "Example Mutual Fund", row), "INFZ98/5551462869"},
		"spaces and a suffix":          {folio(" 5551462869 / 00", "Other Name AMC Ltd", row), "INFZ98/5551462869"},
		"a short suffix":               {folio("5551462869/0", "", row), "INFZ98/5551462869"},
		"a suffix that counts":         {folio("5551462869/10", "", row), "INFZ98/5551462869/10"},
		"words before the number":      {folio("Folio No: 5551462869 / 0", "", row), "INFZ98/5551462869"},
		"the most frequent house":      {folio("1", "", `{"name":"A","isin":"INFZ95K01GA0"},`+row+`,{"name":"F2","isin":"INFZ98K01AD0"}`), "INFZ98/1"},
		"no ISIN":                      {folio("1", "HDFC Mutual Fund", `{"name":"F"}`), "HDFC/1"},
		"no ISIN, another name":        {folio("1", "HDFC Asset Management Company Limited", `{"name":"F"}`), "HDFC/1"},
		"neither ISIN nor house":       {folio("1", "", `{"name":"F"}`), ""},
		"a number as JSON number":      {`"mutual_funds":[{"folio_number":42,"schemes":[` + row + `]}]`, "INFZ98/42"},
		"a policy":                     {`"insurance":[{"policy_number":"12-34 a","provider":"Example Life Insurance Co. Ltd.","policy_name":"P"}]`, "EXAMPLE/1234A"},
		"a PRAN":                       {`"nps":[{"pran":"1100 0000 0001","funds":[{"name":"F"}]}]`, "110000000001"},
	} {
		st := parseOne(t, c.body)
		if len(st.Accounts) != 1 || st.Accounts[0].Key != c.key {
			t.Errorf("%s: got %+v, want key %q", name, st.Accounts, c.key)
		}
	}
}

func TestPartsOfOneAccountAreOneAccount(t *testing.T) {
	t.Parallel()
	st := parseOne(t, `"mutual_funds":[{"folio_number":"7/0","value":1,"schemes":[{"name":"A","isin":"INFZ98K01AD0","value":1}]},
		{"folio_number":"8","value":2,"schemes":[{"name":"B","isin":"INFZ98K01AD0","value":2}]},
		{"folio_number":"7","value":4,"linked_holders":[{"name":"Asha"}],"schemes":[{"name":"C","isin":"INFZ98K01AD0","value":4}]},{"folio_number":"9"}]`)
	if len(st.Accounts) != 2 || st.Accounts[0].Value.Decimal.String() != "5" || st.Accounts[0].Owner.Name != "Asha" || len(st.Accounts[0].Holders) != 1 {
		t.Errorf("got %+v, want folios 7, of 5 rupees and Asha, and 8", st.Accounts)
	}
	for i, want := range []int{0, 1, 0} {
		if got := st.Holdings[i].AccountIndex; got != want {
			t.Errorf("row %d: got account %d, want %d", i, got, want)
		}
	}
}

// parseOne parses a statement with these members.
func parseOne(t *testing.T, members string) *Statement {
	t.Helper()
	st, err := Parse([]byte(`{`+meta+`,`+members+`}`), today)
	if err != nil {
		t.Fatalf("%s: got %v %+v", members, err, findingsOf(err))
	}
	return st
}

func hasWarning(st *Statement, code string) bool {
	for _, w := range st.Warnings {
		if w.Code == code {
			return true
		}
	}
	return false
}
