package credit_test

import (
	"math"
	"testing"

	"casbroker/internal/credit"
)

func TestAmountsAreReadAndWrittenAsDecimals(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]credit.Amount{
		"0": 0, "1": 1000, "0.5": 500, "0.2": 200, "0.25": 250, "12.345": 12345, "1000000": 1_000_000_000,
	} {
		got, err := credit.Parse(text)
		if err != nil || got != want || got.String() != text {
			t.Errorf("Parse(%q) = %d (%s), %v, want %d", text, got, got, err, want)
		}
	}
	if got, err := credit.Parse("2.50"); err != nil || got != 2500 {
		t.Errorf("got %d, %v, want 2500", got, err)
	}
	for amount, want := range map[credit.Amount]string{-1250: "-1.25", -200: "-0.2", math.MinInt64: "-9223372036854775.808"} {
		if got := amount.String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestTextThatIsNoAmountIsRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "-1", "+1", "1.", ".5", "1.2345", "1e3", "1,5", " 1", "0x1", "1.+5", "1.-5", "9223372036854775", "NaN", "1.2.3",
	} {
		if got, err := credit.Parse(text); err == nil {
			t.Errorf("Parse(%q) = %s, want an error", text, got)
		}
	}
}
