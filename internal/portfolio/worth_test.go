package portfolio_test

import (
	"context"
	"fmt"
	"math/big"
	"math/rand/v2"
	"testing"
	"time"

	"casbroker/internal/auth"
	"casbroker/internal/portfolio"
	"casbroker/internal/statement"
)

// familyReader reads the statements of a family. Each read of rows may find that one of the
// portfolios was deleted.
type familyReader struct {
	portfolio.Reader
	*family
	deleted int // how many of the next reads do
}

func (r *familyReader) Accounts(context.Context, string) ([]portfolio.Account, []portfolio.Owner, []portfolio.AccountStatement, error) {
	return r.accounts, r.owners, r.statements, nil
}

func (r *familyReader) AccountStatements(ctx context.Context, subject string) ([]portfolio.Account, []portfolio.Owner, []portfolio.AccountStatement, error) {
	return r.Accounts(ctx, subject)
}

func (r *familyReader) StatementsVersion(context.Context, string) (string, error) { return "", nil }

func (r *familyReader) Rows(_ context.Context, _ string, ids []string) (map[string]portfolio.Rows, error) {
	rows := map[string]portfolio.Rows{}
	for _, id := range ids {
		if r.deleted > 0 {
			r.deleted--
			continue
		}
		rows[id] = r.rows[id]
	}
	return rows, nil
}

func (r *familyReader) Portfolio(context.Context, string, string, int, int) (portfolio.Portfolio, []statement.Holding, error) {
	return portfolio.Portfolio{}, nil, nil
}

// serviceOf returns a service that reads the statements of f, in August 2026.
func serviceOf(f *family) (*portfolio.Service, *familyReader) {
	reader := &familyReader{family: f}
	return &portfolio.Service{Reader: reader, Now: func() time.Time { return time.Date(2026, 8, 10, 20, 0, 0, 0, time.UTC) }}, reader
}

var caller = auth.Principal{Subject: "demo:asha"}

func newRand(number int) *rand.Rand { return rand.New(rand.NewPCG(7, uint64(number))) } //nolint:gosec // tests need no secret numbers

// TestWorthIsWhatTheViewsOfTheDaysAdd compares each point with the view as of its day.
func TestWorthIsWhatTheViewsOfTheDaysAdd(t *testing.T) {
	t.Parallel()
	points := 0
	for i := range 40 {
		f := newFamily(newRand(i))
		service, _ := serviceOf(f)
		list, err := service.Worth(t.Context(), caller, portfolio.WorthQuery{Interval: portfolio.Month})
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range list {
			want, got := f.want(portfolio.Selection{AsOf: w.Day}), totals{}
			for _, c := range w.Classes {
				got.add(c.Value.Rat(), 0, string(c.Class))
			}
			for name, sum := range want {
				class, ok := cutClass(name)
				if !ok {
					continue
				}
				if points++; got[class] == nil || got[class].value.Cmp(&sum.value) != 0 {
					t.Fatalf("family %d on %s: got %s of %s, want %s", i, w.Day, got[class].value.FloatString(9), class, sum.value.FloatString(9))
				}
				delete(got, class)
			}
			if len(got) > 0 {
				t.Fatalf("family %d on %s: got %s, want nothing more", i, w.Day, got)
			}
			if known := len(f.union(portfolio.Selection{AsOf: w.Day})) > 0; w.Known != known {
				t.Fatalf("family %d on %s: known is %v, want %v", i, w.Day, w.Known, known)
			}
		}
	}
	if points == 0 {
		t.Error("got no points")
	}
}

func cutClass(name string) (string, bool) {
	if len(name) < len("class ") || name[:len("class ")] != "class " {
		return "", false
	}
	return name[len("class "):], true
}

// TestWorthCostsNoMoreForMorePointsOfTheSameStatements: 300 weeks must not cost what 300
// consolidations do.
func TestWorthCostsNoMoreForMorePointsOfTheSameStatements(t *testing.T) {
	service, _ := serviceOf(newFamily(newRand(1)))
	to := time.Date(2026, 8, 9, 0, 0, 0, 0, time.UTC)
	allocations := func(interval portfolio.Interval, points int) float64 {
		return testing.AllocsPerRun(3, func() {
			query := portfolio.WorthQuery{From: to.AddDate(0, 0, -7*300), To: to, Interval: interval}
			if list, err := service.Worth(t.Context(), caller, query); err != nil || len(list) != points {
				t.Fatalf("got %d points, error %v; want %d", len(list), err, points)
			}
		})
	}
	if years, weeks := allocations(portfolio.Year, 7), allocations(portfolio.Week, 301); weeks > 10*years {
		t.Errorf("got %.0f allocations for 301 weeks and %.0f for 7 years, want at most 10 times as many", weeks, years)
	} else {
		t.Logf("%.0f allocations for 301 weeks, %.0f for 7 years", weeks, years)
	}
}

func TestWorthHasAPointAtTheEndOfEachInterval(t *testing.T) {
	t.Parallel()
	service, _ := serviceOf(newFamily(newRand(1)))
	day := func(text string) time.Time {
		d, err := time.Parse(time.DateOnly, text)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	for _, c := range []struct {
		interval portfolio.Interval
		from, to string
		want     string
	}{
		{portfolio.Month, "2026-01-15", "2026-03-31", "[2026-01-31 2026-02-28 2026-03-31]"},
		{portfolio.Month, "2026-01-31", "2026-03-01", "[2026-01-31 2026-02-28 2026-03-01]"},
		{portfolio.Month, "2026-08-11", "", "[2026-08-11]"}, // today in India
		{portfolio.Quarter, "2025-12-31", "2026-05-02", "[2025-12-31 2026-03-31 2026-05-02]"},
		{portfolio.Year, "2024-02-29", "2026-02-01", "[2024-12-31 2025-12-31 2026-02-01]"},
		{portfolio.Week, "2026-08-02", "2026-08-10", "[2026-08-02 2026-08-09 2026-08-10]"}, // the 2nd is a Sunday
	} {
		q := portfolio.WorthQuery{From: day(c.from), Interval: c.interval}
		if c.to != "" {
			q.To = day(c.to)
		}
		list, err := service.Worth(t.Context(), caller, q)
		if err != nil {
			t.Fatalf("%+v: %v", c, err)
		}
		var days []string
		for _, w := range list {
			days = append(days, w.Day)
		}
		if got := fmt.Sprint(days); got != c.want {
			t.Errorf("%s from %s to %s: got %s, want %s", c.interval, c.from, c.to, got, c.want)
		}
	}
}

// TestChangesExplainTheDifferenceOfTheTotals checks that what is new, gone and changed adds
// up to the difference between the statements.
func TestChangesExplainTheDifferenceOfTheTotals(t *testing.T) {
	t.Parallel()
	kinds := map[portfolio.ChangeKind]int{}
	for number := range 60 {
		f := newFamily(newRand(number))
		service, _ := serviceOf(f)
		for i := range f.statements {
			s := &f.statements[i]
			c, err := service.Changes(t.Context(), caller, s.PortfolioID)
			if err != nil {
				t.Fatal(err)
			}
			sum := c.Before.Value.Rat()
			for _, change := range c.Changes {
				kinds[change.Kind]++
				sum.Add(sum, change.Value.After.Decimal.Rat())
				sum.Sub(sum, change.Value.Before.Decimal.Rat())
			}
			after := new(big.Rat)
			for _, h := range f.rows[s.PortfolioID].Holdings {
				after.Add(after, h.Value.Decimal.Rat())
			}
			if sum.Cmp(after) != 0 || after.Cmp(c.After.Value.Rat()) != 0 {
				t.Fatalf("family %d, %+v: got %s and %s, want %s", number, *s, sum.FloatString(9), c.After.Value, after.FloatString(9))
			}
			for _, a := range c.Accounts {
				if a.Before != nil && a.Before.Compare(s) >= 0 {
					t.Fatalf("family %d, %+v: compared with %+v, which is later", number, *s, *a.Before)
				}
			}
		}
	}
	if kinds[portfolio.NewHolding] == 0 || kinds[portfolio.GoneHolding] == 0 || kinds[portfolio.ChangedHolding] == 0 {
		t.Errorf("got %v, want some of each", kinds)
	}
}

func TestReadDuringADeleteIsRepeated(t *testing.T) {
	t.Parallel()
	f := newFamily(newRand(2))
	service, reader := serviceOf(f)
	want := f.want(portfolio.Selection{})["all"]
	reader.deleted = 3
	got, err := service.Owned(t.Context(), caller, portfolio.Selection{}, portfolio.Filter{})
	if err != nil || got.View.Value.Rat().Cmp(&want.value) != 0 {
		t.Errorf("got %s, %v; want %s", got.View.Value, err, want.value.FloatString(9))
	}
	reader.deleted = 1 << 30
	if _, err := service.Owned(t.Context(), caller, portfolio.Selection{}, portfolio.Filter{}); err == nil {
		t.Error("got a view of portfolios that are never there")
	}
}
