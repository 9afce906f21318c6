package statement

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"casbroker/internal/fault"
)

func TestOtherPayloadIsRefusedWithASentenceSayingWhatWasSent(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ body, pointer, code, sentence string }{
		"a widget that was closed":   {`{"status":"closed"}`, "/status", codeNoSuccess, `the status "closed"`},
		"an error of the widget":     {`{"status":"error","error":{"code":"NETWORK"}}`, "/status", codeNoSuccess, `the status "error"`},
		"a failure of the vendor":    {`{"status":"FAILED","msg":"Invalid password"}`, "/status", codeNoSuccess, `the status "failed"`},
		"a failure with a section":   {`{"status":"failed","nps":[]}`, "/status", codeNoSuccess, `the status "failed"`},
		"a failure further inside":   {`{"data":{"status":"failed","data":{"nps":[]}}}`, "/data/status", codeNoSuccess, `the status "failed"`},
		"an error alone":             {`{"error":{"code":"TIMEOUT","message":"…"}}`, "", codeNoSuccess, "An error was sent"},
		"forwarded mail":             {`{"inbound_email_id":"ie_1","files":[{"cas_type":"cdsl","url":"https://example.com"}],"count":1,"metadata":{}}`, "", codeInboundEmail, "forwarded mail"},
		"a bare contract note":       {string(readFile(t, "../sandbox/statements/contract_note.json")), "", codeContractNote, "contract note"},
		"a parsed contract note":     {`{"status":"success","msg":"ok","data":{"contract_note_info":{},"equity_transactions":[]}}`, "/data", codeContractNote, "contract note"},
		"the KYC status of a PAN":    {`{"status":"success","pan":"AAAPZ9999A","kyc_compliant":true,"kyc_status":"validated","kras":{}}`, "", codeKYC, "KYC"},
		"documents of an investor":   {`{"status":"success","identity":{"name":"Asha Example"},"documents":[]}`, "", codeKYC, "KYC"},
		"a token":                    {`{"access_token":"at_x","token_type":"api_key","expires_in":3600}`, "", codeAccessToken, "access token"},
		"a list of files":            {`{"status":"success","msg":"ok","files":[{"filename":"a.pdf","url":"https://example.com"}]}`, "", codeFileList, "list of files"},
		"an array":                   {`[{"cas_type":"CDSL","nps":[]}]`, "", codeWrongType, "An array was sent"},
		"both arguments as array":    {`{"data":[{"cas_type":"CDSL","nps":[]},{}]}`, "/data", codeWrongType, "An array was sent"},
		"a statement as text":        {`{"raw_response":"{}"}`, "/raw_response", codeWrongType, "must be an object, not a string"},
		"a boolean":                  {`true`, "", codeWrongType, "must be an object, not a boolean"},
		"null":                       {`null`, "", codeWrongType, "must be an object, not null"},
		"the widget's shape alone":   {`{"cas_type":"CDSL","status":"success","investor_info":{},"folios":[],"raw_response":null}`, "", codeNoRawResponse, "without raw_response"},
		"too many envelopes":         {`{"data":{"data":{"data":{"data":{"data":{"cas_type":"CDSL","nps":[]}}}}}}`, "/data/data/data/data/data", codeTooWrapped, "wrapped in too many objects"},
		"unknown members only":       {`{"hello":"world"}`, "/meta/cas_type", codeNoIssuer, "must be CDSL, NSDL or CAMS_KFINTECH"},
		"another issuer":             {`{"meta":{"cas_type":"MFU"},"nps":[]}`, "/meta/cas_type", codeUnknownIssuer, "must be CDSL, NSDL or CAMS_KFINTECH"},
		"another issuer in metadata": {`{"data":{"nps":[]},"metadata":{"cas_type":"MFU"}}`, "/metadata/cas_type", codeUnknownIssuer, "must be CDSL, NSDL or CAMS_KFINTECH"},
		"no section":                 {`{"cas_type":"CDSL","summary":{"total_value":1}}`, "", codeNoSection, "at least one of"},
		"a section in another case":  {`{"cas_type":"CDSL","Demat_Accounts":[]}`, "", codeNoSection, "at least one of"},
		"a period that is reversed":  {`{"cas_type":"CDSL","statement_period":{"from":"2026-03-31","to":"2026-03-01"},"nps":[]}`, "/statement_period", codePeriodReversed, "must not end before"},
		"a period in the future":     {`{"cas_type":"CDSL","statement_period":{"from":"2026-03-31","to":"2026-04-16"},"nps":[]}`, "/statement_period/to", codePeriodInFuture, "2026-04-15 in India"},
		"no row left":                {`{"cas_type":"CDSL","nps":[{"funds":[null,{"name":"F","units":-1}]}]}`, "/nps/0/funds/0", codeEmptyRow, "is empty"},
		"rows of unknown classes":    {`{"cas_type":"CDSL","insurance":{"general":[{"policy_name":"P"}]}}`, "/insurance/general/0", codeUnknownClass, "unknown class"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Parse([]byte(tt.body), today)
			got := findingsOf(err)
			if !errors.Is(err, errStatement) || len(got) == 0 || got[0].Pointer != tt.pointer || got[0].Code != tt.code ||
				!strings.Contains(got[0].Detail, tt.sentence) {
				t.Fatalf("got %v %+v, want %s at %q: %s", err, got, tt.code, tt.pointer, tt.sentence)
			}
			if tt.code != codeNoIssuer { // points to a member that is missing
				checkFinding(t, []byte(tt.body), got[0])
			}
		})
	}
}

// A wrong type around the rows is a fault, in a row it costs the row, and elsewhere it costs
// the value.
func TestKnownMemberOfWrongTypeIsFound(t *testing.T) {
	t.Parallel()
	const whole = `{"meta":{"cas_type":"CDSL","statement_period":{"from":"2026-03-01","to":"2026-03-31"},"generated_at":"2026-04-01"},
		"investor":{"name":"n","pan":"AAAPZ9999A","email":"e","mobile":"m","address":"a","pincode":"p","cas_id":"c"},
		"summary":{"total_value":0,"accounts":{"demat":{"count":1,"total_value":0},"nps":1}},
		"demat_accounts":[{"demat_type":"CDSL","dp_id":"1","dp_name":"d","client_id":"2","bo_id":"3","value":0,"linked_holders":[],"additional_info":{},
			"holdings":{"equities":[{"isin":"INEZ96A01014","name":"n","units":0,"value":0,"transactions":[],"additional_info":{"open_units":0,"close_units":0}}]}}],
		"mutual_funds":[{"folio_number":"1","amc":"a","registrar":"r","value":0,"linked_holders":[],"additional_info":{},"schemes":[
			{"isin":"INFZ98K01AD0","name":"n","type":"Debt","units":0,"nav":0,"value":0,"cost":0,"gain":{"absolute":0,"percentage":0},"nominees":[],
			"additional_info":{},"transactions":[{"date":"2026-03-01","type":"MISC","description":"d","units":0,"nav":0,"amount":0,"balance":0,"dividend_rate":0,"additional_info":{}}]}]}],
		"insurance":{"life_insurance_policies":[{"policy_number":"1","policy_name":"p","provider":"p","life_assured":"l","status":"s","sum_assured":0,"premium_amount":0,"premium_frequency":"f"}]},
		"nps":[{"pran":"1","cra":"c","value":0,"linked_holders":[],"additional_info":{},"funds":[{"name":"n","units":0,"nav":0,"value":0,"cost":0,"additional_info":{"tier":1}}]}]}`
	doc, err := parseDocument([]byte(whole))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Parse([]byte(whole), today); err != nil {
		t.Fatalf("got %v %+v", err, findingsOf(err))
	}
	for at := 1; at < len(doc.nodes); at++ {
		v := value{doc, uint32(at)}
		for _, other := range []string{`true`, `{"a":{}}`, `[[]]`} {
			if kind := other[0]; byte(v.kind()) == kind || v.pointer() == "/insurance" && kind == '[' || v.pointer() == "/summary/accounts/nps" && kind == '{' ||
				strings.HasSuffix(v.pointer(), "/gain") {
				continue
			}
			st, err := Parse(replaced(t, whole, v.pointer(), other), today)
			findings := findingsOf(err)
			if err == nil {
				findings = slices.Concat(st.Rejected, st.Warnings)
			}
			if !slices.ContainsFunc(findings, func(f fault.Field) bool {
				return f.Pointer == v.pointer() && (f.Code == codeWrongType || f.Code == codeEmptyTransaction)
			}) {
				t.Errorf("%s as %s: got %v %+v, want wrong_type", v.pointer(), other, err, findings)
			}
		}
	}
}

// replaced returns text with another value at pointer.
func replaced(t *testing.T, text, pointer, other string) []byte {
	t.Helper()
	var all, put any
	if err := errors.Join(json.Unmarshal([]byte(text), &all), json.Unmarshal([]byte(other), &put)); err != nil {
		t.Fatal(err)
	}
	cut := strings.LastIndexByte(pointer, '/')
	in, _ := resolve(all, pointer[:cut])
	switch last := pointer[cut+1:]; v := in.(type) {
	case map[string]any:
		v[last] = put
	case []any:
		i, err := strconv.Atoi(last)
		if err != nil {
			t.Fatal(err)
		}
		v[i] = put
	default:
		t.Fatalf("the parent of %s is %v", pointer, in)
	}
	body, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func TestRowThatCannotBeReadCostsItselfOnly(t *testing.T) {
	t.Parallel()
	for row, want := range map[string]struct{ member, code string }{
		`{"name":"F","units":"-0.011"}`:                                     {"/units", codeNegative},
		`{"name":"F","value":-1.01}`:                                        {"/value", codeNegative},
		`{"name":"F","cost":"(5.00)"}`:                                      {"/cost", codeNegative},
		`{"name":"F","nav":-0.001}`:                                         {"/nav", codeNegative},
		`{"name":"F","value":1e30}`:                                         {"/value", codeOutOfRange},
		`{"name":"F","value":"1e30"}`:                                       {"/value", codeOutOfRange},
		`{"name":"F","value":0.` + strings.Repeat("0", 60) + `1}`:           {"/value", codeOutOfRange},
		`{"name":"F","value":"ten"}`:                                        {"/value", codeWrongType},
		`{"name":"F","value":"1,00"}`:                                       {"/value", codeWrongType},
		`{"name":"F","value":"NaN"}`:                                        {"/value", codeWrongType},
		`{"name":"F","value":"0x1"}`:                                        {"/value", codeWrongType},
		`{"name":"F","value":"1e309"}`:                                      {"/value", codeWrongType},
		`{"name":"F","value":true}`:                                         {"/value", codeWrongType},
		`{"name":["F"],"value":1}`:                                          {"/name", codeWrongType},
		`{"name":"` + strings.Repeat("n", maxText+1) + `","value":1}`:       {"/name", codeTooLong},
		`{"name":"F","additional_info":7}`:                                  {"/additional_info", codeWrongType},
		`{"name":"F","transactions":"none","value":1}`:                      {"/transactions", codeWrongType},
		`{"name":"F","value":"x","units":"y","transactions":[{"units":1}]}`: {"/value", codeWrongType},
		`"F"`: {"", codeWrongType},
	} {
		st, err := Parse([]byte(fmt.Sprintf(scheme, `{"name":"A","value":1},`+row+`,{"name":"B","transactions":[{"units":2}]}`)), today)
		if err != nil {
			t.Errorf("%s: got %v %+v", row, err, findingsOf(err))
			continue
		}
		if len(st.Rejected) != 1 || st.Rejected[0].Code != want.code || st.Rejected[0].Pointer != "/mutual_funds/0/schemes/1"+want.member {
			t.Errorf("%s: got %+v, want %s at %s", row, st.Rejected, want.code, want.member)
		}
		if st.Complete() || st.StoredRows != 2 || st.ReceivedRows != 3 || len(st.Warnings) != 0 || len(st.Transactions) != 1 || st.Transactions[0].Holding != 1 {
			t.Errorf("%s: got %+v, want the other rows", row, st)
		}
	}
}

func TestStatementWithNoRowLeftIsRefused(t *testing.T) {
	t.Parallel()
	_, err := Parse([]byte(fmt.Sprintf(scheme, `{"name":"A","value":"x"},{"name":"B","units":-1}`)), today)
	got := findingsOf(err)
	if !errors.Is(err, errStatement) || !strings.Contains(err.Error(), "2 rows, but none") || len(got) != 2 || got[1].Code != codeNegative {
		t.Errorf("got %v %+v, want both rows", err, got)
	}
	st, err := ParseSaved([]byte(`{`+meta+`,"insurance":{"general":[{"policy_name":"P"}]}}`), today)
	if err != nil || st.StoredRows != 0 || len(st.Rejected) != 1 {
		t.Errorf("got %v %+v, want a statement that an earlier release saved", err, st)
	}
	st, err = Parse([]byte(fmt.Sprintf(scheme, `null`)), today)
	if err != nil || st.StoredRows != 0 || st.Complete() {
		t.Errorf("got %v %+v, want a folio without rows", err, st)
	}
}

func TestResidueOfRoundingIsKept(t *testing.T) {
	t.Parallel()
	st, err := Parse([]byte(fmt.Sprintf(scheme, `{"name":"F","units":-0.01,"value":-1,"cost":"(0.03)"},{"name":"G","units":-0.0}`)), today)
	if err != nil || len(st.Warnings) != 1 || st.Warnings[0].Code != codeResidue || st.Warnings[0].Pointer != "/mutual_funds/0/schemes/0" || !st.Complete() {
		t.Fatalf("got %v %+v, want one rounding_residue", err, st)
	}
	if h := st.Holdings[0]; h.Units.Decimal.String() != "-0.01" || h.Value.Decimal.String() != "-1" || h.Cost.Decimal.String() != "-0.03" {
		t.Errorf("got %+v, want the amounts as sent", h)
	}
}

func TestAmountsOfAnySignAreKept(t *testing.T) {
	t.Parallel()
	st, err := Parse([]byte(fmt.Sprintf(scheme, `{"name":"F","gain":{"absolute":-5,"percentage":"-1%"},"transactions":[{"units":-1,"amount":"(2)","nav":-3,"balance":-4}]},{"name":"G","gain":-7}`)), today)
	if err != nil || st.Holdings[0].Gain.Decimal.String() != "-5" || st.Transactions[0].Balance.Decimal.String() != "-4" ||
		st.Transactions[0].Amount.Decimal.String() != "-2" || st.Holdings[1].Gain.Decimal.String() != "-7" {
		t.Errorf("got %v, %+v; want gains -5 and -7, amount -2 and balance -4", err, st)
	}
}

func TestExceededLimitIsRefusedWhereItIsExceeded(t *testing.T) {
	t.Parallel()
	many := func(what string, n int) string { return strings.TrimSuffix(strings.Repeat(what+",", n), ",") }
	for name, tt := range map[string]struct{ body, pointer, code string }{
		"rows":         {fmt.Sprintf(equity, many(`{"name":"A"}`, MaxRows+9)), "/demat_accounts/0/holdings/equities/20000", codeTooManyRows},
		"accounts":     {`{` + meta + `,"nps":[` + many(`{"value":0}`, MaxRows+9) + `]}`, "/nps/20000", codeTooManyAccounts},
		"transactions": {fmt.Sprintf(scheme, `{"name":"F","transactions":[`+many(`{"units":0}`, maxTransactions+9)+`]}`), "/mutual_funds/0/schemes/0/transactions/100000", codeTooManyTransactions},
	} {
		_, err := Parse([]byte(tt.body), today)
		if got := findingsOf(err); len(got) != 1 || got[0].Code != tt.code || got[0].Pointer != tt.pointer {
			t.Errorf("%s: got %v %+v, want %s at %s", name, err, got, tt.code, tt.pointer)
		}
	}
	if _, err := Parse(fmt.Appendf(nil, equity, `{"name":"`+strings.Repeat(`\u0041`, maxText)+`"}`), today); err != nil {
		t.Errorf("1024 bytes in escapes: got %v", err)
	}
}

// TestEachCodeIsTested fails for a code that no test expects, that is listed twice or
// that has no comment.
func TestEachCodeIsTested(t *testing.T) {
	t.Parallel()
	var tests strings.Builder
	for _, file := range []string{"finding_test.go", "refuse_test.go", "testdata/cdsl_unknown.statement.json", "testdata/kfintech_open.statement.json"} {
		tests.Write(readFile(t, file))
	}
	source, err := os.ReadFile("finding.go")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for line := range strings.Lines(string(source)) {
		words := strings.Fields(line)
		if len(words) < 4 || words[1] != "=" || !strings.HasPrefix(words[0], "code") {
			continue
		}
		code := strings.Trim(words[2], `"`)
		if seen[code] || !strings.Contains(line, " // ") {
			t.Errorf("code %s is listed twice or has no comment", code)
		}
		if seen[code] = true; !strings.Contains(tests.String(), words[0]) && !strings.Contains(tests.String(), `"`+code+`"`) {
			t.Errorf("no test expects code %s", code)
		}
	}
	if len(seen) < 30 {
		t.Errorf("got %d codes, want at least 30", len(seen))
	}
}
