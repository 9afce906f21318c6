package statement

import (
	"strings"
	"testing"
)

func TestNumbersKeepEveryDigit(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct{ plain, rupees string }{
		"0":                              {"0", "0.00"},
		"-0.0":                           {"0", "0.00"},
		"0e300":                          {"0", "0.00"},
		"1.1368683772161603e-13":         {"0.00000000000011368683772161603", "0.00000000000011368683772161603"},
		"20":                             {"20", "20.00"},
		"1.5":                            {"1.5", "1.50"},
		"1.50":                           {"1.5", "1.50"},
		"0.10":                           {"0.1", "0.10"},
		"86.3310":                        {"86.331", "86.331"},
		"-7661.88":                       {"-7661.88", "-7661.88"},
		"1e5":                            {"100000", "100000.00"},
		"12.5E-3":                        {"0.0125", "0.0125"},
		"1000000e-6":                     {"1", "1.00"},
		"29500.5000000":                  {"29500.5", "29500.50"},
		"9007199254740993.1":             {"9007199254740993.1", "9007199254740993.10"},
		"12345678901234567890.123456789": {"12345678901234567890.123456789", "12345678901234567890.123456789"},
		"1" + strings.Repeat("0", 29):    {"1" + strings.Repeat("0", 29), "1" + strings.Repeat("0", 29) + ".00"},
	} {
		d, ok := parseDecimal([]byte(text))
		if !ok || FormatUnits(d) != want.plain || FormatRupees(d) != want.rupees {
			t.Errorf("%s: got %s, %s, %t", text, FormatUnits(d), FormatRupees(d), ok)
		}
	}
}

func TestTooLongNumbersAreRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"1e30", "1e308", "-1e31", "1e-61", "0." + strings.Repeat("0", 60) + "1", strings.Repeat("9", 31),
	} {
		if d, ok := parseDecimal([]byte(text)); ok {
			t.Errorf("%s: got %s, want no number", text, d)
		}
	}
}

func TestFingerprintDependsOnWhatIsKeptOnly(t *testing.T) {
	t.Parallel()
	same := func(a, b string) bool {
		t.Helper()
		var prints [2][32]byte
		for i, rows := range []string{a, b} {
			st, err := Parse([]byte(`{"cas_type":"CAMS","mutual_funds":[{"folio_number":"1","linked_holders":[{"name":"A"}],"schemes":[`+rows+`]}]}`), today)
			if err != nil {
				t.Fatal(err)
			}
			prints[i] = st.Fingerprint
		}
		return prints[0] == prints[1]
	}
	for _, pair := range [][2]string{
		{`{"name":"a","value":1.0}`, `{ "value":10e-1, "name":"\u0061" }`},
		{`{"name":"a","value":"1"}`, `{"name":"a","value":1,"units":null,"isin":""}`},
		{`{"name":"a","value":-0.0}`, `{"name":"a","value":0e5}`},
		{`{"name":"a","value":12000}`, `{"name":"a","value":1.2e4}`},
		{`{"name":"a"},{"name":"b"}`, `{"name":"b"},{"name":"a"}`},
		{`{"name":"a","transactions":[{"type":"MISC"},{"type":"misc","units":1e0}]}`, `{"name":"a","transactions":[{"type":"MISC","units":1},{"type":"MISC"}]}`},
	} {
		if !same(pair[0], pair[1]) {
			t.Errorf("fingerprints of %s and %s differ", pair[0], pair[1])
		}
	}
	for _, pair := range [][2]string{
		{`{"name":"a","value":1}`, `{"name":"a","value":10}`},
		{`{"name":"a","value":1}`, `{"name":"a","units":1}`},
		{`{"name":"a","value":0}`, `{"name":"a"}`},
		{`{"name":"a","isin":"b"}`, `{"name":"ab"}`},
		{`{"name":"a"},{"name":"a"}`, `{"name":"a"}`},
		{`{"name":"a","value":12345678901234567890.1}`, `{"name":"a","value":12345678901234567890.2}`},
		{`{"name":"a","additional_info":{"is_demat":true}}`, `{"name":"a"}`},
		{`{"name":"a","type":"Debt"}`, `{"name":"a","type":"Equity"}`},
		{`{"name":"a","transactions":[{"type":"MISC","units":1}]}`, `{"name":"a","transactions":[{"type":"MISC","nav":1}]}`},
		{`{"name":"a","transactions":[{"type":"MISC"}]},{"name":"b"}`, `{"name":"a"},{"name":"b","transactions":[{"type":"MISC"}]}`},
		{`{"name":"a","transactions":[{"type":"MISC"}]}`, `{"name":"a","transactions":[{"type":"MISC"},{"type":"MISC"}]}`},
	} {
		if same(pair[0], pair[1]) {
			t.Errorf("fingerprints of %s and %s are equal", pair[0], pair[1])
		}
	}
}
