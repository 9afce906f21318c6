package statement

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"casbroker/internal/fault"
)

const (
	meta   = `"meta":{"cas_type":"CDSL","statement_period":{"from":"2026-03-01","to":"2026-03-31"}}`
	equity = `{` + meta + `,"demat_accounts":[{"holdings":{"equities":[%s]}}]}`
	scheme = `{` + meta + `,"mutual_funds":[{"schemes":[%s]}]}`
)

func TestWarningsNameTheirPlace(t *testing.T) {
	t.Parallel()
	row, fund := func(s string) string { return fmt.Sprintf(equity, s) }, func(s string) string { return fmt.Sprintf(scheme, s) }
	const inRow, inFund = "/demat_accounts/0/holdings/equities/0", "/mutual_funds/0/schemes/0"
	ledger := func(lines string) string {
		return fund(`{"name":"F","units":5,"value":1,"additional_info":{"open_units":1},"transactions":[` + lines + `]}`)
	}
	for name, tt := range map[string]struct{ body, pointer, code string }{
		"no date":                               {`{"cas_type":"CDSL","statement_period":{"from":"2026-02-29","to":"2026-03-31"},"nps":[]}`, "/statement_period/from", codeInvalidDate},
		"a time as the end of a period":         {`{"cas_type":"CDSL","statement_period":{"from":"2026-03-01","to":"2026-03-31T00:00:00+05:30"},"nps":[]}`, "/statement_period/to", codeTimeForDate},
		"a time as period":                      {`{"cas_type":"CDSL","statement_period":"2026-03-31T00:00:00Z","nps":[]}`, "/statement_period", codeWrongType},
		"another period":                        {`{` + meta + `,"summary":{"statement_period":{"from":"2026-03-01","to":"2026-03-30"}},"nps":[]}`, "/summary/statement_period", codePeriodMismatch},
		"nominees as text":                      {fund(`{"name":"F","nominees":"Asha"}`), inFund + "/nominees", codeWrongType},
		"a holder as text":                      {`{` + meta + `,"nps":[{"linked_holders":["Asha"],"funds":[{"name":"F"}]}]}`, "/nps/0/linked_holders/0", codeWrongType},
		"very many holders":                     {`{` + meta + `,"nps":[{"linked_holders":[` + strings.Repeat(`{"name":"A"},`, maxHolders) + `{"name":"B"}],"funds":[{"name":"F"}]}]}`, "/nps/0/linked_holders/20", codeTooManyHolders},
		"an unreadable total":                   {`{` + meta + `,"summary":{"total_value":"many"},"nps":[]}`, "/summary/total_value", codeWrongType},
		"a total that is too large":             {`{` + meta + `,"summary":{"total_value":1e40},"nps":[]}`, "/summary/total_value", codeOutOfRange},
		"a negative total":                      {`{` + meta + `,"nps":[{"value":-2,"funds":[]}]}`, "/nps/0/value", codeNegative},
		"an unreadable amount of a transaction": {fund(`{"name":"F","transactions":[{"type":"MISC","nav":"x"}]}`), inFund + "/transactions/0/nav", codeWrongType},
		"a long description":                    {fund(`{"name":"F","transactions":[{"type":"MISC","description":"` + strings.Repeat("d", maxText+1) + `"}]}`), inFund + "/transactions/0/description", codeTooLong},
		"a second statement in data":            {`{"raw_response":{` + meta + `,"nps":[]},"data":{"nps":[]}}`, "/data", codeSecond},
		"a second statement next to data":       {`{"data":{` + meta + `,"nps":[]},"mutual_funds":[{}]}`, "/mutual_funds", codeSecond},
		"a name in camel case":                  {`{` + meta + `,"mutual_funds":[{"folioNumber":"1","schemes":[{"name":"F"}]}]}`, "/mutual_funds/0/folioNumber", codeOtherName},
		"a name with hyphens":                   {row(`{"name":"A","additional-info":{"close_units":4}}`), inRow + "/additional-info", codeOtherName},
		"locked and pledged units":              {row(`{"name":"A","units":9,"locked_units":1,"pledged_units":"2","lock_in":{"units":3},"free_units":6}`), inRow, codeEncumbered},
		"several rows with locked units":        {row(`{"name":"A","frozen":1},{"name":"B","pledge_balance":2,"free_balance":7},{"name":"C","locked_units":0}`), inRow, codeEncumbered},
		"a residue":                             {row(`{"name":"A","units":-0.001}`), inRow, codeResidue},
		"an ISIN with a soft hyphen":            {row(`{"name":"A","isin":"INEZ96\u00adA01014"}`), inRow + "/isin", codeRepaired},
		"an ISIN with a line break":             {row(`{"name":"A","isin":"INEZ96A0\n1014"}`), inRow + "/isin", codeRepaired},
		"an ISIN with a wrong digit and space":  {row(`{"name":"A","isin":"INEZ96A 01015"}`), inRow + "/isin", codeInvalidISIN},
		"a placeholder for a PAN":               {`{` + meta + `,"investor":{"pan":"PANNOTAVBL"},"nps":[]}`, "/investor/pan", codeInvalidPAN},
		"a PAN that ends in a digit":            {`{` + meta + `,"investor":{"pan":"ABCPE12345"},"nps":[]}`, "/investor/pan", codeInvalidPAN},
		"a wrong PAN of a folio":                {`{` + meta + `,"mutual_funds":[{"additional_info":{"pan":"APPLIEDFOR"},"schemes":[{"name":"F"}]}]}`, "/mutual_funds/0/additional_info/pan", codeInvalidPAN},
		"a wrong PAN of a holder":               {`{` + meta + `,"nps":[{"linked_holders":[{"name":"A","pan":"PEKRN12345"}],"funds":[{"name":"F"}]}]}`, "/nps/0/linked_holders/0/pan", codeInvalidPAN},
		"a row of the total without a value":    {`{` + meta + `,"summary":{"total_value":500,"accounts":{"nps":{"total_value":500}}},"nps":[{"value":500,"funds":[{"name":"F","value":100},{"name":"G"}]}]}`, "/nps/0/value", codeUnchecked},
		"a total with a part not known":         {`{` + meta + `,"summary":{"total_value":600},"insurance":[{"policy_name":"P"}],"nps":[{"funds":[{"name":"F","value":100}]}]}`, "/summary/total_value", codeUnchecked},
		"a total above the stated parts":        {`{` + meta + `,"summary":{"total_value":900},"nps":[{"value":500,"funds":[{"name":"F","value":500}]}]}`, "/summary/total_value", codeTotal},
		"another issuer at the top level":       {`{` + meta + `,"cas_type":"NSDL","nps":[]}`, "/cas_type", codeIssuerMismatch},
		"another issuer in the metadata":        {`{"data":{` + meta + `,"nps":[]},"metadata":{"cas_type":"nsdl"}}`, "/metadata/cas_type", codeIssuerMismatch},
		"another issuer next to the data":       {`{"data":{` + meta + `,"nps":[]},"cas_type":"CAMS"}`, "/cas_type", codeIssuerMismatch},
		"the parser of another issuer":          {`{"data":{` + meta + `,"nps":[]},"metadata":{"parser_type":"cams"}}`, "/metadata/parser_type", codeParserMismatch},
		"metadata that is a text":               {`{"data":{` + meta + `,"nps":[]},"metadata":"a.pdf"}`, "/metadata", codeMetadata},
		"long metadata":                         {`{"data":{` + meta + `,"nps":[]},"metadata":{"filename":"` + strings.Repeat("a", MaxMetadata) + `"}}`, "/metadata", codeMetadata},
		"no period":                             {`{"cas_type":"CDSL","nps":[]}`, "", codeNoPeriod},
		"half a period":                         {`{"cas_type":"CDSL","summary":{"statement_period":{"to":"2026-03-31"}},"nps":[]}`, "/summary/statement_period", codeHalfPeriod},
		"not a time":                            {`{` + meta + `,"generated_at":"yesterday","nps":[]}`, "/generated_at", codeInvalidTime},
		"not a PAN":                             {`{` + meta + `,"investor":{"pan":"AAAPZ99"},"nps":[]}`, "/investor/pan", codeInvalidPAN},
		"not an ISIN":                           {row(`{"name":"A","isin":"INE"}`), inRow + "/isin", codeInvalidISIN},
		"a wrong check digit":                   {row(`{"name":"A","isin":"INEZ96A01015"}`), inRow + "/isin", codeCheckDigit},
		"no name":                               {row(`{"units":1}`), inRow, codeNoName},
		"a name of spaces":                      {row(`{"name":" \t","units":1}`), inRow, codeNoName},
		"a total that is too low":               {`{` + meta + `,"summary":{"total_value":98.99},"nps":[{"funds":[{"name":"F","value":100}]}]}`, "/summary/total_value", codeTotal},
		"a total of nothing":                    {`{` + meta + `,"summary":{"total_value":2},"nps":[]}`, "/summary/total_value", codeTotal},
		"less than the sum of the known rows":   {`{` + meta + `,"summary":{"total_value":5},"nps":[{"funds":[{"name":"F","value":100},{"name":"G"}]}]}`, "/summary/total_value", codeTotal},
		"a section's total":                     {`{` + meta + `,"summary":{"accounts":{"nps":{"total_value":1}}},"nps":[{"funds":[{"name":"F","value":100}]}]}`, "/summary/accounts/nps/total_value", codeSectionTotal},
		"an account's total":                    {`{` + meta + `,"nps":[{"value":102,"funds":[{"name":"F","value":100}]}]}`, "/nps/0/value", codeAccountTotal},
		"a fund house's total":                  {`{` + meta + `,"mutual_funds":[{"value":3,"folios":[{"schemes":[{"name":"F","value":1}]}]}]}`, "/mutual_funds/0/value", codeAccountTotal},
		"account count too high":                {`{` + meta + `,"summary":{"accounts":{"demat":{"count":2}}},"demat_accounts":[{}]}`, "/summary/accounts/demat/count", codeAccountCount},
		"a count without a total":               {`{` + meta + `,"summary":{"accounts":{"demat_accounts":2}},"demat_accounts":[{}]}`, "/summary/accounts/demat_accounts", codeAccountCount},
		"a value without rows":                  {`{` + meta + `,"nps":[{"value":102,"funds":[]}]}`, "/nps/0", codeNoRows},
		"an empty transaction":                  {ledger(`{"description":"x"}`), inFund + "/transactions/0", codeEmptyTransaction},
		"a transaction's American date":         {ledger(`{"date":"03/31/2026","units":4}`), inFund + "/transactions/0/date", codeTransactionDate},
		"an unknown type":                       {ledger(`{"type":"BONUS","units":4}`), inFund + "/transactions/0/type", codeTransactionType},
		"a balance that does not follow":        {ledger(`{"units":4,"balance":5},{"type":"PURCHASE","units":1,"balance":5}`), inFund + "/transactions/1", codeLedger},
		"a purchase that reduces the units":     {ledger(`{"type":"SWITCH_IN","units":4,"balance":-3}`), inFund + "/transactions/0", codeLedger},
		"newest first, with a wrong balance":    {ledger(`{"date":"2026-03-02","units":9,"balance":5},{"date":"2026-03-01","units":1,"balance":2}`), inFund + "/transactions/0", codeLedger},
		"other units at the end":                {ledger(`{"type":"PURCHASE","units":9}`), inFund + "/transactions", codeLedger},
		"other units without transactions":      {fund(`{"name":"F","additional_info":{"open_units":1,"close_units":2},"transactions":[]}`), inFund + "/transactions", codeLedger},
		"an unknown member":                     {row(`{"name":"A","lent/units":4}`), inRow + "/lent~1units", codeNotUnderstood},
		"an unknown amount as text":             {row(`{"name":"A","current~value":" 4.5 "}`), inRow + "/current~0value", codeNotUnderstood},
		"an unknown section":                    {`{` + meta + `,"nps":[],"deposits":[{"bank":{"balance":1}}]}`, "/deposits", codeNotUnderstood},
		"an amount as people write it":          {`{` + meta + `,"nps":[],"bonds":[{"current_value":"1,23,456.00"}]}`, "/bonds", codeNotUnderstood},
		"an amount in words and digits":         {`{` + meta + `,"nps":[],"gold":{"amount":"Rs. 100"}}`, "/gold", codeNotUnderstood},
		"rows with unknown names":               {`{` + meta + `,"nps":[],"lockers":[{"held":100000}]}`, "/lockers", codeNotUnderstood},
		"an unknown fund":                       {`{` + meta + `,"nps":[],"ppf":{"accumulated":150000}}`, "/ppf", codeNotUnderstood},
		"a market value":                        {row(`{"name":"A","mkt_val":100000}`), inRow + "/mkt_val", codeNotUnderstood},
		"a list among additional_info":          {row(`{"name":"A","additional_info":{"lots":[{"quantity":1}]}}`), inRow + "/additional_info/lots", codeNotUnderstood},
		"a section in another case":             {`{` + meta + `,"nps":[],"Mutual_Funds":[]}`, "/Mutual_Funds", codeOtherCase},
		"a name in another case":                {row(`{"name":"A","ISIN":"INEZ96A01014"}`), inRow + "/ISIN", codeOtherCase},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			st, err := Parse([]byte(tt.body), today)
			if err != nil {
				t.Fatalf("got %v %+v, want a warning only", err, findingsOf(err))
			}
			if len(st.Warnings) != 1 || st.Warnings[0].Code != tt.code || st.Warnings[0].Pointer != tt.pointer {
				t.Errorf("got %+v, want %s at %q", st.Warnings, tt.code, tt.pointer)
			}
			for _, w := range st.Warnings {
				checkFinding(t, []byte(tt.body), w)
			}
		})
	}
}

func TestConsistentStatementHasNoWarning(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"within a rupee":                         `{` + meta + `,"summary":{"total_value":101},"nps":[{"value":99,"funds":[{"name":"F","value":100}]}]}`,
		"what is known of a row without a value": `{` + meta + `,"summary":{"total_value":100},"nps":[{"value":100,"funds":[{"name":"F","value":100},{"name":"G"}]}]}`,
		"an account's stated total":              `{` + meta + `,"summary":{"total_value":500.5},"nps":[{"value":500,"funds":[{"name":"F","value":499.5}]}]}`,
		"empty objects from PHP":                 `{` + meta + `,"investor":[],"summary":[],"demat_accounts":[{"holdings":[],"additional_info":[]}],"nps":[{"funds":[{"name":"F","gain":[],"additional_info":[],"transactions":[{"type":"MISC","additional_info":[]}]}]}]}`,
		"a known type in older documents":        fmt.Sprintf(scheme, `{"name":"F","transactions":[{"type":"dividend_reinvestment","units":1}]}`),
		"the same period twice":                  `{` + meta + `,"statement_period":{"from":"01-03-2026","to":"31-Mar-2026"},"nps":[]}`,
		"units that are not locked":              fmt.Sprintf(equity, `{"name":"A","locked_units":0,"pledged_units":null,"free_units":"-"}`),
		"a status for a PAN":                     `{` + meta + `,"mutual_funds":[{"additional_info":{"pan":"OK"},"schemes":[{"name":"F"}]}]}`,
		"insurance in the total":                 `{` + meta + `,"summary":{"total_value":600,"accounts":{"insurance":{"count":1,"total_value":500}}},"insurance":[{"policy_name":"P"}],"nps":[{"funds":[{"name":"F","value":100}]}]}`,
		"unknown members without value":          `{` + meta + `,"nps":[],"version":4,"loans":[],"page":{"value":0,"unit":"INR"},"total_value":null}`,
		"members of bonds":                       fmt.Sprintf(equity, `{"name":"A","coupon_rate":"8.5%","maturity_date":"2030-03-31","face_value":1000,"additional_info":{"market_value":1050}}`),
		"newest first, on one day":               fmt.Sprintf(scheme, `{"name":"F","units":3,"transactions":[{"date":"2026-03-01","type":"PURCHASE","units":2,"balance":3},{"date":"2026-03-01","type":"PURCHASE","units":1,"balance":1}]}`),
		"an outflow without a sign":              fmt.Sprintf(scheme, `{"name":"F","units":3,"transactions":[{"type":"PURCHASE","balance":5,"units":5},{"type":"SWITCH_OUT","units":2,"balance":3}]}`),
		"tax lines with empty balances":          fmt.Sprintf(scheme, `{"name":"F","units":5,"transactions":[{"type":"PURCHASE","balance":5,"units":5},{"type":"STT_TAX","units":0,"balance":0,"amount":1}]}`),
		"a reversal":                             fmt.Sprintf(scheme, `{"name":"F","units":0,"transactions":[{"type":"PURCHASE","units":5,"balance":5},{"type":"REVERSAL","units":-5,"balance":0}]}`),
		"units of a type without direction":      fmt.Sprintf(scheme, `{"name":"F","units":5,"additional_info":{"open_units":9},"transactions":[{"type":"MISC","units":4}]}`),
		"rounded in the fourth place":            fmt.Sprintf(scheme, `{"name":"F","units":1.0005,"additional_info":{"open_units":1},"transactions":[]}`),
		"a PAN that is fully masked":             `{` + meta + `,"investor":{"pan":"XXXXXXXXXX"},"nps":[]}`,
		"a period that ends today":               `{"meta":{"cas_type":"CDSL","statement_period":{"from":"2026-04-15","to":"15-Apr-2026"}},"nps":[]}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			st, err := Parse([]byte(body), today)
			if err != nil || len(st.Warnings) > 0 || len(st.Rejected) > 0 {
				t.Errorf("got %v %+v: %+v, want no finding", err, findingsOf(err), st)
			}
		})
	}
	for body, want := range map[string]CASType{
		`{"cas_type":"kfintech","data":{"mutual_funds":[]}}`:                                        CAMSKFintech,
		`{"data":{"nps":[]},"metadata":{"parser_type":"smart","cas_type":" Nsdl "}}`:                NSDL,
		`{"data":{"raw_response":{"nps":[]},"cas_type":"CDSL"},"metadata":{"method":"cdsl_fetch"}}`: CDSL,
		`{"nps":[],"metadata":{"cas_type":"cdsl"}}`:                                                 CDSL,
		`{"data":{"nps":[]},"metadata":{"parser_type":"nsdl"}}`:                                     NSDL,
		`{"meta":{"cas_type":""},"cas_type":null,"data":{"nps":[]},"metadata":{"cas_type":"cams"}}`: CAMSKFintech,
	} {
		if st, err := Parse([]byte(body), today); err != nil || st.CASType != want || len(st.Warnings) != 1 { // no period
			t.Errorf("%s: got %v %+v, want issuer %s and one warning", body, err, st, want)
		}
	}
	for _, name := range []string{"cams", "cdsl", "kfintech", "nsdl"} {
		st, err := Parse(readFile(t, "../sandbox/statements/asha-"+name+".json"), afterSamples)
		if err != nil || len(st.Warnings) > 0 || len(st.Rejected) > 0 {
			t.Errorf("%s: got %v, %+v %+v; want no finding", name, err, st.Warnings, st.Rejected)
		}
	}
}

func TestFindingsAreLimited(t *testing.T) {
	t.Parallel()
	many := func(row string, n int) []byte {
		return fmt.Appendf(nil, equity, strings.TrimSuffix(strings.Repeat(row+",", n), ","))
	}
	st, err := Parse(many(`{"units":1,"lost_units":1,"isin":"x"}`, MaxRows), today)
	if err != nil || len(st.Warnings) != maxFindings+1 || st.Warnings[maxFindings].Code != codeMoreWarnings || st.StoredRows != MaxRows {
		t.Errorf("got %v, %d warnings", err, len(st.Warnings))
	}
	st, err = Parse(many(`null`, maxRejected), today)
	if err != nil || len(st.Rejected) != maxRejected || st.ReceivedRows != maxRejected {
		t.Errorf("got %v, %d rejected rows", err, len(st.Rejected))
	}
	_, err = Parse(many(`null`, maxRejected+50), today)
	if got := findingsOf(err); len(got) != 1 || got[0].Code != codeTooManyRejected || got[0].Pointer != "/demat_accounts/0/holdings/equities/1000" {
		t.Errorf("got %+v", got)
	}
	_, err = Parse(many(`{"units":-1}`, maxRejected), today)
	if got := findingsOf(err); len(got) != maxFindings {
		t.Errorf("got %d faults, want %d", len(got), maxFindings)
	}
}

func TestFindingsContainNothingAboutTheInvestor(t *testing.T) {
	t.Parallel()
	const private = "AAAPZ9999A Secret Name 910091"
	body := strings.ReplaceAll(`{"meta":{"cas_type":"CDSL","generated_at":"§","statement_period":{"from":"2026-03-01","to":"2026-03-31"}},
		"investor":{"name":"§","pan":"§"},"summary":{"total_value":"§"},"demat_accounts":[{"bo_id":"§","value":5,"lost_value":{"§":1,"value":1},
		"holdings":{"equities":[{"isin":"§","name":"§","units":1,"value":2,"transactions":[{"type":"§","date":"§"},{}]},{}]}}]}`, "§", private)
	st, err := Parse([]byte(body), today)
	if err != nil || len(st.Warnings) < 8 {
		t.Fatalf("got %v, %+v; want at least 8 warnings", err, st)
	}
	_, err = Parse([]byte(strings.Replace(body, `"units":1,"value":2`, `"units":"`+private+`"`, 1)), today)
	texts := fmt.Sprint(st.Warnings, st.Rejected, findingsOf(err), err)
	for _, word := range append(strings.Fields(private), strings.ToLower(private)) {
		if strings.Contains(texts, word) {
			t.Errorf("%s is in %s", word, texts)
		}
	}
}

// findingsOf returns the fields of a fault.
func findingsOf(err error) []fault.Field {
	var f *fault.Fault
	if errors.As(err, &f) {
		return f.Fields
	}
	return nil
}

// checkFinding fails the test unless f is complete and another decoder finds a value at
// its pointer in the payload.
func checkFinding(t *testing.T, payload []byte, f fault.Field) {
	t.Helper()
	if _, ok := resolve(decoded(t, payload), f.Pointer); !ok && len(f.Pointer) < maxPointer-4 { // longer ones may be cut
		t.Errorf("there is no value at %q in %s", f.Pointer, payload)
	}
	if f.Code == "" || !strings.HasSuffix(f.Detail, ".") || strings.ToUpper(f.Detail[:1]) != f.Detail[:1] {
		t.Errorf("got %+v, want a code and a sentence", f)
	}
}

// decoded returns a JSON text decoded by encoding/json.
func decoded(t testing.TB, payload []byte) (whole any) {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(payload))
	dec.UseNumber()
	if err := dec.Decode(&whole); err != nil {
		t.Fatal(err)
	}
	return whole
}

// resolve returns the value at a JSON pointer (RFC 6901).
func resolve(in any, pointer string) (any, bool) {
	for _, step := range strings.Split(pointer, "/")[1:] {
		step = strings.ReplaceAll(strings.ReplaceAll(step, "~1", "/"), "~0", "~")
		switch v := in.(type) {
		case map[string]any:
			next, ok := v[step]
			if !ok {
				return nil, false
			}
			in = next
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(v) || strconv.Itoa(i) != step {
				return nil, false
			}
			in = v[i]
		default:
			return nil, false
		}
	}
	return in, true
}
