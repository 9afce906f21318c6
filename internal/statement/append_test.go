package statement

import (
	"math/rand/v2"
	"testing"

	"github.com/shopspring/decimal"
)

func TestAppendedAmountsAreFormattedAmounts(t *testing.T) {
	t.Parallel()
	amounts := []decimal.Decimal{
		{}, decimal.New(0, -2), decimal.New(0, 5), decimal.New(1, 0), decimal.New(-1, -2), decimal.New(10, -1), decimal.New(100, -4), decimal.New(-5, -18),
		decimal.New(1, -19), decimal.New(123, 3), decimal.New(1<<62, -2), decimal.New(-999999999999999999, -2), decimal.RequireFromString("123456789012345678901234.5"),
	}
	rng := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // tests need no secret numbers
	for range 20_000 {
		amounts = append(amounts, decimal.New(rng.Int64()>>rng.IntN(63)*(1-2*rng.Int64N(2)), rng.Int32N(26)-22))
	}
	for _, d := range amounts {
		if got, want := string(AppendUnits(nil, d)), FormatUnits(d); got != want {
			t.Fatalf("units %v×10^%d: got %s, want %s", d.Coefficient(), d.Exponent(), got, want)
		}
		if got, want := string(AppendRupees(nil, d)), FormatRupees(d); got != want {
			t.Fatalf("rupees %v×10^%d: got %s, want %s", d.Coefficient(), d.Exponent(), got, want)
		}
	}
}
