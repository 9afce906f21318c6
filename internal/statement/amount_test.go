package statement

import (
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

func TestAmountsAreReadAsPeopleAndPDFsWriteThem(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"₹1,23,456.00": "123456.00", "1,00,000.00": "100000.00", ".196": "0.196", "(1,234.50)": "-1234.50", "( 0.5 )": "-0.5",
		"1,000": "1000", "12,34,567": "1234567", "123,456,789.5": "123456789.5", "Rs. 5": "5", "rs.1,000/-": "1000", "INR 12.5": "12.5", "₹ -7": "-7",
		"-₹7": "-7", "+1": "1", "\u22123.25": "-3.25", "1\u00a0234.5": "1234.5", "\u00ad5": "5", "007.10": "7.10", "5.": "5", "0": "0", "(0.00)": "-0.00",
		"": "", "-": "", "--": "", "–": "", "—": "", "N/A": "", "n.a.": "", "NA": "", "Nil": "", " nil ": "",
	} {
		got, ok := writtenAmount(text)
		if !ok || string(got) != want {
			t.Errorf("%q: got %q, %v; want %q", text, got, ok, want)
		}
	}
	for _, text := range []string{
		"1,00", "1,2345", "1,00,00", "1234,567", ",5", "1,,000", "1.2.3", "1.000,50", "(5", "5)", "(-5)", "((5))", "-+5", "- - 5", ".", "()", "₹", "12 units", "5 lakh", "USD 5",
		"NaN", "1e5", "0x1", "٣", "five", "not applicable",
	} {
		if got, ok := writtenAmount(text); ok {
			t.Errorf("%q: got %q, want no amount", text, got)
		}
	}
}

// FuzzWrittenAmount reads any text as an amount. The result is a JSON number that is read
// the same again.
func FuzzWrittenAmount(f *testing.F) {
	for _, seed := range []string{"₹1,23,456.00", "(1,234.50)", ".196", "N/A", "-Rs.5/-", "\u2212007", "1,00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		number, ok := writtenAmount(text)
		if !ok || len(number) == 0 {
			return
		}
		if v := jsontext.Value(number); v.Kind() != '0' || !v.IsValid() {
			t.Fatalf("%q: got %q, which is not a JSON number", text, number)
		}
		if again, ok := writtenAmount(string(number)); !ok || string(again) != string(number) {
			t.Errorf("%q: got %q, and then %q", text, number, again)
		}
	})
}
