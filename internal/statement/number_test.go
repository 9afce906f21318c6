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

func TestFingerprintDependsOnTheStatementOnly(t *testing.T) {
	t.Parallel()
	same := func(a, b string) bool {
		t.Helper()
		x, err := parseDocument([]byte(a))
		if err != nil {
			t.Fatal(err)
		}
		y, err := parseDocument([]byte(b))
		if err != nil {
			t.Fatal(err)
		}
		return fingerprint(CDSL, x.root()) == fingerprint(CDSL, y.root())
	}
	for _, pair := range [][2]string{
		{`{"a":1,"b":[1.0,{"c":"x"}]}`, `{ "b":[1,{"c":"\u0078"}], "a":10e-1 }`},
		{`{"status":"success","msg":"ok","a":1}`, `{"a":1}`},
		{`{"\uffff":1,"\ud83d\ude00":2,"z":3}`, `{"z":3,"😀":2,"\uffff":1}`},
		{`{"a\":1,\"b":2}`, `{"a\u0022:1,\u0022b":2}`},
		{`{"a":-0.0}`, `{"a":0}`},
	} {
		if !same(pair[0], pair[1]) {
			t.Errorf("fingerprints of %s and %s differ", pair[0], pair[1])
		}
	}
	for _, pair := range [][2]string{
		{`{"a":1}`, `{"a":"1"}`},
		{`{"é":1,"z":2}`, `{"é":2,"z":1}`},
		{`{"a\":1,\"b":2}`, `{"a":1,"b":2}`},
		{`{"a":1}`, `{"a":-1}`},
		{`{"a":1}`, `{"a":10}`},
		{`{"a":[1,2]}`, `{"a":[12]}`},
		{`{"a":["b","c"]}`, `{"a":["bc"]}`},
		{`{"a":[[],[]]}`, `{"a":[[[]]]}`},
		{`{"a":1,"b":2}`, `{"a":{"b":2}}`},
		{`{"a":{"status":"x"}}`, `{"a":{}}`},
		{`{"a":12345678901234567890.1}`, `{"a":12345678901234567890.2}`},
		{`{"a":null}`, `{}`},
	} {
		if same(pair[0], pair[1]) {
			t.Errorf("fingerprints of %s and %s are equal", pair[0], pair[1])
		}
	}
}
