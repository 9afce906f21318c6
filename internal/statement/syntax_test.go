package statement

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestOnlyStrictJSONIsAccepted(t *testing.T) {
	t.Parallel()
	in := func(s string) string { return `{"cas_type":"CDSL","nps":[],"x":` + s + `}` }
	nested := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for name, tt := range map[string]struct{ body, want string }{
		"nothing":                               {"", "The body is empty"},
		"white space":                           {" \r\n\t", "The body is empty"},
		"a byte order mark":                     {"\ufeff" + in(`1`), "line 1, column 1: there is a byte order mark"},
		"UTF-16":                                {"\xff\xfe{\x00}\x00", "column 1: expected a value"},
		"a second document":                     {in(`1`) + in(`1`), "text after the JSON value"},
		"text after the object":                 {in(`1`) + ` x`, "text after the JSON value"},
		"NUL after the object":                  {in(`1`) + "\x00", "text after the JSON value"},
		"cut off":                               {`{"cas_type":"CDSL","nps":[`, "the text ends too early"},
		"cut off in a string":                   {`{"cas_type":"CD`, "the text ends too early"},
		"a trailing comma":                      {`{"cas_type":"CDSL","nps":[],}`, "column 28: expected a name in double quotes"},
		"single quotes":                         {`{'cas_type':"CDSL"}`, "column 2: expected a name in double quotes"},
		"a name without quotes":                 {`{cas_type:"CDSL"}`, "column 2: expected a name in double quotes"},
		"a comment":                             {`{/* */}`, "column 2: expected a name in double quotes"},
		"a bare NaN":                            {in(`NaN`), "column 33: expected a value"},
		"a bare infinity":                       {in(`-Infinity`), "column 34: expected a digit"},
		"a leading zero":                        {in(`01`), "column 34: expected a comma or }"},
		"a leading plus":                        {in(`+1`), "expected a value"},
		"number that ends with a decimal point": {in(`1.`), "column 35: expected a digit"},
		"a hexadecimal number":                  {in(`0x10`), "column 34: expected a comma or }"},
		"a line break in a string":              {in("\"a\nb\""), "expected an escape such as"},
		"an unknown escape":                     {in(`"\x41"`), "expected an escape that JSON has"},
		"bytes that are not UTF-8":              {in("\"\xc3\x28\""), "expected text in UTF-8"},
		"a surrogate in UTF-8":                  {in("\"\xed\xa0\x80\""), "expected text in UTF-8"},
		"an overlong NUL":                       {in("\"\xc0\x80\""), "expected text in UTF-8"},
		"a name that is not UTF-8":              {"{\"\xff\":1}", "column 3: expected text in UTF-8"},
		"half a surrogate":                      {in(`"\ud83d"`), "the other half of a surrogate pair"},
		"the other half":                        {in(`"\udc00 \ud83d"`), "the other half of a surrogate pair"},
		"a NUL that is not escaped":             {in("\"\x00\""), "expected an escape such as"},
		"a name twice":                          {`{"nps":[],"cas_type":"CDSL","nps":[]}`, "line 1, column 29: an object has the same name twice"},
		"a name twice, once escaped":            {`{"nps":[],"\u006eps":[]}`, "the same name twice"},
		"a name twice in an unknown member":     {in(`[{"a":{"b":1,"c":2,"b":1}}]`), "the same name twice"},
		"no colon":                              {"{\n\"a\" 1}", "line 2, column 5: expected a colon after a name"},
		"no comma in a list":                    {in(`[1 2]`), "column 36: expected a comma or ] after an element"},
		"no value":                              {"{\"é\":}", "line 1, column 6: expected a value"},
		"half a word":                           {in(`tru`), "column 36: expected true"},
		"a bracket that nothing opens":          {`]`, "column 1: expected a value"},
		"the empty name twice":                  {in(`{"":1,"":1}`), "the same name twice"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := Parse([]byte(tt.body), today); !errors.Is(err, errJSON) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want invalid_json with %q", err, tt.want)
			}
		})
	}
	for name, body := range map[string]string{
		"space around it":          "\r\n\t " + in(`1`) + "\n",
		"64 levels":                in(nested(63)),
		"the largest double":       in("1.7976931348623157e308"),
		"very small number":        in("-1e-308"),
		"400 characters":           in("0." + strings.Repeat("1", 398)),
		"a long string":            in(`"` + strings.Repeat("x", maxString-2) + `"`),
		"a backslash before u0000": in(`"\\u0000"`),
		"a pair of surrogates":     in(`"\ud83d\ude00 😀 \ufffd \ufeff"`),
		"names that differ in case, and normal forms": in(`{"a":1,"A":1,"é":1,"e\u0301":1}`),
		"the same name in two objects":                in(`[{"a":1},{"a":1,"b":{"a":1}}]`),
	} {
		if _, err := Parse([]byte(body), today); err != nil {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestValidJSONBeyondALimitNamesTheLimitAndItsPlace(t *testing.T) {
	t.Parallel()
	in := func(s string) string { return `{"cas_type":"CDSL","nps":[],"x":` + s + `}` }
	nested := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for name, tt := range map[string]struct{ body, pointer, code, sentence string }{
		"U+0000":                         {in(`"a\u0000b"`), "/x", "nul_character", "U+0000"},
		"U+0000 after a backslash":       {in(`["\\\u0000"]`), "/x/0", "nul_character", "U+0000"},
		"U+0000 in a name":               {`{"a\u0000":1}`, "/a\x00", "nul_character", "U+0000"},
		"65 levels":                      {nested(65), strings.Repeat("/0", 64), "too_deep", "at most 64 deep"},
		"65 levels of objects":           {strings.Repeat(`{"a":`, 65) + "1" + strings.Repeat("}", 65), strings.Repeat("/a", 64), "too_deep", "at most 64 deep"},
		"very many levels":               {strings.Repeat("[", 1_000_000), strings.Repeat("/0", 64), "too_deep", "at most 64 deep"},
		"a long string":                  {in(`[1,"` + strings.Repeat("x", maxString) + `"]`), "/x/1", "string_too_long", "at most 65536 bytes"},
		"a long name":                    {`{"a/b":{"` + strings.Repeat("x", maxName+1) + `":1}}`, "/a~1b/" + strings.Repeat("x", maxPointer-6), "name_too_long", "at most 1024 bytes"},
		"a long number":                  {in("0." + strings.Repeat("1", maxNumber)), "/x", "number_too_long", "at most 400 characters"},
		"an exponent of 309":             {in("1e309"), "/x", "number_out_of_range", "exponent from -308 to 308"},
		"an exponent of -309":            {in("1e-309"), "/x", "number_out_of_range", "exponent from -308 to 308"},
		"an exponent that overflows":     {in("1e999999999999999999999"), "/x", "number_out_of_range", "exponent from -308 to 308"},
		"zero with an exponent of 309":   {in("0e309"), "/x", "number_out_of_range", "exponent from -308 to 308"},
		"an infinite double":             {in("2e308"), "/x", "number_out_of_range", "the largest double"},
		"an infinite double written out": {in("-1" + strings.Repeat("0", 309)), "/x", "number_out_of_range", "the largest double"},
		"many digits before an exponent": {in(strings.Repeat("9", 300) + "e20"), "/x", "number_out_of_range", "the largest double"},
		"many members":                   {in(`{` + manyNames(maxMembers+1) + `}`), "", "too_many_members", "at most 10000 members"},
		"many values":                    {in(`[` + strings.Repeat("1,", maxValues) + `1]`), "/x/999996", "too_many_values", "at most 1000000 values"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Parse([]byte(tt.body), today)
			got := findingsOf(err)
			if !errors.Is(err, errLimit) || !strings.Contains(err.Error(), tt.sentence) || len(got) != 1 {
				t.Fatalf("got %v %+v, want payload_limit with %q", err, got, tt.sentence)
			}
			if got[0].Code != tt.code || got[0].Pointer != tt.pointer && tt.pointer != "" {
				t.Errorf("got %s at %q, want %s at %q", got[0].Code, got[0].Pointer, tt.code, tt.pointer)
			}
		})
	}
}

func TestSyntaxErrorsQuoteNothing(t *testing.T) {
	t.Parallel()
	for _, body := range []string{`{"AAAPZ9999A":1,"AAAPZ9999A":2}`, `{"a":"AAAPZ9999A`, `{"pan":AAAPZ9999A}`, `{"pan":"AAAPZ9999A"} AAAPZ9999A`, `{"AAAPZ9999A\u0000":1}`} {
		if _, err := Parse([]byte(body), today); err == nil || strings.Contains(err.Error(), "AAAPZ") {
			t.Errorf("%s: got %v, want an error that quotes nothing", body, err)
		}
	}
}

func TestFingerprintIsIndependentOfNotationAndEnvelope(t *testing.T) {
	t.Parallel()
	body := readFile(t, "testdata/cams_ledger.vendor.json")
	st, err := Parse(body, today)
	if err != nil {
		t.Fatal(err)
	}
	text := string(body)
	for name, other := range map[string]string{
		"other key order and no spaces": string(rewritten(t, body)),
		"1.0 for 1":                     strings.ReplaceAll(text, `"units": 20`, `"units": 2.00e1`),
		"a status and a message":        `{"status":"success","msg":"read",` + strings.TrimPrefix(text, "{"),
		"metadata among the sections":   `{"metadata":{"method":"upload"},` + strings.TrimPrefix(text, "{"),
		"the open() result":             `{"status":"success","data":` + text + `,"metadata":{"filename":"a.pdf"}}`,
		"the widget's own shape":        `{"cas_type":"CAMS_KFINTECH","folios":[{}],"raw_response":` + text + `}`,
		"an envelope in an envelope":    `{"data":{"msg":"","data":` + text + `},"user":1}`,
		"an unknown member":             `{"note":1,` + strings.TrimPrefix(text, "{"),
		"a null member more":            strings.Replace(text, `"nav": 50,`, `"nav": 50, "folio": null,`, 1),
		"a null member less":            strings.Replace(text, `"balance": 30, "dividend_rate": null`, `"balance": 30`, 1),
		"one more null row":             strings.Replace(text, "null\n", `null, null`+"\n", 1),
		"another time of the answer":    strings.Replace(text, `"statement_period"`, `"generated_at": "2026-05-24T04:17:38.123456", "statement_period"`, 1),
		"ids of the vendor":             `{"request_id":"req_1","investor":{"cas_id":"7","email":"a@example.com"},` + strings.TrimPrefix(text, "{"),
		"an amount as text":             strings.Replace(text, `"units": 20`, `"units": "20.0"`, 1),
	} {
		if got, err := Parse([]byte(other), today); err != nil || got.Fingerprint != st.Fingerprint {
			t.Errorf("%s: got another fingerprint, %v", name, err)
		}
	}
	for name, other := range map[string]string{
		"a unit more":         strings.Replace(text, `"units": 20`, `"units": 20.000000001`, 1),
		"another description": strings.Replace(text, `"description": "SIP"`, `"description": "SIP 2"`, 1),
		"another type":        strings.Replace(text, `"type": "redemption"`, `"type": "SWITCH_OUT"`, 1),
		"another folio":       strings.Replace(text, "910091/02", "910092/02", 1),
		"a holder":            strings.Replace(text, `"linked_holders": null`, `"linked_holders": [{"name":"Asha"}]`, 1),
		"another period":      strings.Replace(text, `"to": "2026-03-31"`, `"to": "2026-03-30"`, 1),
		"a transaction less":  strings.Replace(text, `{"date": "2026-03-07", "type": "REVERSAL", "units": -0.5, "balance": 25.5},`, "", 1),
		"another letter case": strings.Replace(text, "Example Gilt Fund", "Example gilt Fund", 1),
	} {
		if got, err := Parse([]byte(other), today); err != nil || other == text || got.Fingerprint == st.Fingerprint {
			t.Errorf("%s: got the same fingerprint, %v", name, err)
		}
	}
}

// afterSamples is after the periods of the sandbox's statements.
var afterSamples = time.Date(2026, 11, 15, 12, 0, 0, 0, time.UTC)

func TestFingerprintIsIndependentOfOrder(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"cams", "cdsl", "kfintech", "nsdl"} {
		body := readFile(t, "../sandbox/statements/asha-"+name+".json")
		whole := decoded(t, body)
		reverseLists(whole)
		reversed, err := json.Marshal(whole)
		if err != nil {
			t.Fatal(err)
		}
		a, errA := Parse(body, afterSamples)
		b, errB := Parse(reversed, afterSamples)
		if errors.Join(errA, errB) != nil || a.Fingerprint != b.Fingerprint {
			t.Errorf("%s: got another fingerprint with all lists reversed, %v %v", name, errA, errB)
		}
	}
}

// reverseLists reverses all arrays in v.
func reverseLists(v any) {
	switch v := v.(type) {
	case []any:
		slices.Reverse(v)
		for _, e := range v {
			reverseLists(e)
		}
	case map[string]any:
		for _, m := range v {
			reverseLists(m)
		}
	}
}

// rewritten returns a JSON text with its names in another order and without white
// space, written by another encoder than the one under test.
func rewritten(t testing.TB, body []byte) []byte {
	t.Helper()
	out, err := json.Marshal(decoded(t, body))
	if err != nil {
		t.Fatal(err)
	}
	return out
}
