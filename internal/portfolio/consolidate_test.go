package portfolio_test

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"casbroker/internal/portfolio"
	"casbroker/internal/statement"
)

var families = flag.Int("families", 500/raceDivisor, "number of generated families")

// family is what a family has, and the statements of it that were saved, in any order.
type family struct {
	rng        *rand.Rand
	owners     []portfolio.Owner
	accounts   []portfolio.Account
	statements []portfolio.AccountStatement
	rows       map[string]portfolio.Rows
}

// months are the ends of the periods of the statements. "" is a statement without one.
var months = []string{"", "2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31"}

var issuers = []statement.CASType{statement.CDSL, statement.NSDL, statement.CAMSKFintech}

// newFamily generates up to three people with demat accounts, folios and pension accounts,
// and up to a dozen statements that list some of the accounts.
func newFamily(rng *rand.Rand) *family {
	f := &family{rng: rng, rows: map[string]portfolio.Rows{}}
	for owner := range 1 + rng.IntN(3) {
		f.owners = append(f.owners, portfolio.Owner{Number: owner + 1})
		for range 1 + rng.IntN(4) {
			a := portfolio.Account{}
			a.ID, a.Owner = fmt.Sprintf("ac_%d", len(f.accounts)), owner+1
			a.Kind = []statement.AccountKind{statement.Demat, statement.Demat, statement.Folio, statement.Pension}[rng.IntN(4)]
			f.accounts = append(f.accounts, a)
		}
	}
	for i := range 1 + rng.IntN(12) {
		f.save(i)
	}
	rng.Shuffle(len(f.statements), func(i, j int) { f.statements[i], f.statements[j] = f.statements[j], f.statements[i] })
	return f
}

// save adds a statement that lists each account of one or all owners with some chance.
func (f *family) save(arrival int) {
	s := portfolio.AccountStatement{
		PortfolioID: fmt.Sprintf("pf_%026d", f.rng.IntN(100)*100+arrival), Provenance: portfolio.Reported, CASType: issuers[f.rng.IntN(3)],
		To: months[f.rng.IntN(len(months))], SavedAt: time.Date(2026, 3, 1+10*arrival, f.rng.IntN(24), 0, 0, 0, time.UTC),
		Owner: 1 + f.rng.IntN(len(f.owners)),
	}
	if f.rng.IntN(3) == 0 {
		s.Provenance = portfolio.Verified
	}
	if f.rng.IntN(8) == 0 {
		s.Rejected = 1
	}
	all := f.rng.IntN(3) == 0
	var rows portfolio.Rows
	for i, a := range f.accounts {
		if !all && a.Owner != s.Owner || f.rng.IntN(4) == 0 {
			continue
		}
		rows.Holdings = append(rows.Holdings, f.holdings(a, s.CASType, len(rows.Accounts))...)
		listed := statement.Account{Kind: a.Kind}
		if f.rng.IntN(2) == 0 {
			listed.Value = decimal.NewNullDecimal(decimal.New(f.rng.Int64N(1e9), -2))
		}
		rows.Accounts, s.Entries = append(rows.Accounts, listed), append(s.Entries, portfolio.AccountEntry{Account: i, Owner: a.Owner})
	}
	f.statements, f.rows[s.PortfolioID] = append(f.statements, s), rows
}

func (f *family) holdings(a portfolio.Account, issuer statement.CASType, index int) []statement.Holding {
	var list []statement.Holding
	for range f.rng.IntN(4) {
		h := statement.Holding{AccountIndex: index, Class: statement.NPS}
		switch a.Kind {
		case statement.Demat:
			h.Class = []statement.Class{statement.Equity, statement.DematMutualFund}[f.rng.IntN(2)]
			h.ISIN = fmt.Sprint("INF", f.rng.IntN(2))
		case statement.Folio:
			h.Class, h.ISIN = statement.MutualFund, fmt.Sprint("INF", f.rng.IntN(2))
			h.InDemat = issuer == statement.CAMSKFintech && f.rng.IntN(3) == 0
		}
		if f.rng.IntN(9) > 0 {
			h.Value = decimal.NewNullDecimal(decimal.New(f.rng.Int64N(1e12), -f.rng.Int32N(6)))
		}
		list = append(list, h)
	}
	return list
}

// owned is what is known of an account after some of the statements.
type owned struct {
	rows    []statement.Holding
	stated  *big.Rat
	to      string
	day     string // the last that a statement tells of
	issuers []statement.CASType
	ended   string
}

// union reads the selected statements one after another, in the order of what they tell of,
// and returns what the family then has.
func (f *family) union(q portfolio.Selection) map[string]owned {
	list := slices.Clone(f.statements)
	slices.SortFunc(list, func(a, b portfolio.AccountStatement) int {
		return cmp.Or(cmp.Compare(a.To, b.To), a.SavedAt.Compare(b.SavedAt))
	})
	known := map[string]owned{}
	for _, s := range list {
		day := s.To
		if day == "" {
			day = s.SavedAt.Add(5*time.Hour + 30*time.Minute).Format(time.DateOnly)
		}
		if q.AsOf != "" && day > q.AsOf || q.Provenance != "" && s.Provenance != q.Provenance || q.CASType != "" && s.CASType != q.CASType {
			continue
		}
		tells := map[int]bool{s.Owner: true}
		for i, e := range s.Entries {
			id := f.accounts[e.Account].ID
			tells[e.Owner] = true
			known[id] = f.read(s, i, known[id], day)
		}
		for _, a := range f.accounts {
			k := known[a.ID]
			if tells[a.Owner] && s.To > k.day && s.Rejected == 0 && k.ended == "" && slices.Contains(k.issuers, s.CASType) {
				k.ended = s.To
				known[a.ID] = k
			}
		}
	}
	return known
}

// read returns what is known of an account after s, in which it has this index.
func (f *family) read(s portfolio.AccountStatement, index int, before owned, day string) owned {
	k := owned{to: s.To, day: max(day, before.day), issuers: append(slices.Clone(before.issuers), s.CASType)}
	rows := f.rows[s.PortfolioID]
	for _, h := range rows.Holdings {
		if h.AccountIndex == index {
			k.rows = append(k.rows, h)
		}
	}
	if v := rows.Accounts[index].Value; v.Valid {
		k.stated = v.Decimal.Rat()
	}
	return k
}

// totals are the values and numbers of rows by a name such as "owner 1".
type totals map[string]*total

type total struct {
	value big.Rat
	rows  int
}

func (t totals) add(value *big.Rat, rows int, names ...string) {
	for _, name := range names {
		if t[name] == nil {
			t[name] = &total{}
		}
		t[name].value.Add(&t[name].value, value)
		t[name].rows += rows
	}
}

func (t totals) String() string {
	text := ""
	for _, name := range slices.Sorted(maps.Keys(t)) {
		text += fmt.Sprintf("%s: %s in %d rows\n", name, t[name].value.FloatString(9), t[name].rows)
	}
	return text
}

// want adds up what the family has after the selected statements, fund by fund.
func (f *family) want(q portfolio.Selection) totals {
	known, t := f.union(q), totals{}
	for _, a := range f.accounts {
		k, is := known[a.ID]
		if !is || k.ended != "" {
			continue
		}
		owner, account := fmt.Sprint("owner ", a.Owner), "account "+a.ID
		t.add(new(big.Rat), 0, owner, account, "all")
		if len(k.rows) == 0 && k.stated != nil {
			class := map[statement.AccountKind]string{statement.Folio: "mutual_fund", statement.Pension: "nps"}[a.Kind]
			t.add(k.stated, 0, owner, account, "all", "class "+class)
		}
		for _, h := range k.rows {
			if !f.double(known, a, k, h) {
				t.add(h.Value.Decimal.Rat(), 1, owner, account, "all", "class "+string(h.Class))
			}
		}
	}
	return t
}

// double reports whether another account has the same units as h, and those count.
func (f *family) double(known map[string]owned, a portfolio.Account, k owned, h statement.Holding) bool {
	if !h.InDemat && a.Kind != statement.Demat {
		return false
	}
	var demat []string // the days of the demat accounts that list the fund
	folio := "9999"    // the earliest day of a folio that does
	for _, b := range f.accounts {
		other, is := known[b.ID]
		if !is || b.Owner != a.Owner || other.ended != "" {
			continue
		}
		has := func(inDemat bool) bool {
			return slices.ContainsFunc(other.rows, func(o statement.Holding) bool { return o.ISIN == h.ISIN && o.InDemat == inDemat })
		}
		if b.Kind == statement.Demat && has(false) {
			demat = append(demat, other.to)
		}
		if b.Kind == statement.Folio && has(true) {
			folio = min(folio, other.to)
		}
	}
	if len(demat) == 0 || folio == "9999" {
		return false
	}
	folioCounts := len(demat) == 1 && folio > demat[0]
	return h.InDemat != folioCounts
}

// got is what Consolidate makes of the selected statements.
func (f *family) got(q portfolio.Selection) (portfolio.View, totals) {
	v := portfolio.Consolidate(f.owners, portfolio.Cover(f.accounts, f.statements, q), f.rows, portfolio.Filter{})
	t := totals{}
	for _, a := range v.Accounts {
		t.add(a.Value.Rat(), a.Rows, "account "+a.ID)
	}
	for _, o := range v.Owners {
		t.add(o.Value.Rat(), o.Rows, fmt.Sprint("owner ", o.Number))
	}
	for _, c := range v.Classes {
		t.add(c.Value.Rat(), c.Rows, "class "+string(c.Class))
	}
	if len(v.Accounts) > 0 {
		t.add(v.Value.Rat(), v.Sum.Rows, "all")
	}
	return v, t
}

// TestConsolidatedTotalIsTheUnionOfAllStatements generates families whose statements share
// accounts, and compares their views with what is known after reading the statements one by
// one.
func TestConsolidatedTotalIsTheUnionOfAllStatements(t *testing.T) {
	t.Parallel()
	from := *seed
	for from == 0 {
		from = rand.Uint64() //nolint:gosec // tests need no secret numbers
	}
	ended, later := 0, 0
	for i := range *families {
		f := newFamily(rand.New(rand.NewPCG(from, uint64(i)))) //nolint:gosec // as above, and i is not negative
		selections := []portfolio.Selection{{}, {Provenance: portfolio.Verified}, {CASType: statement.CAMSKFintech}}
		for _, month := range months[1:] {
			selections = append(selections, portfolio.Selection{AsOf: month})
		}
		for _, q := range selections {
			want := f.want(q)
			view, got := f.got(q)
			if got.String() != want.String() {
				t.Fatalf("family %d of -seed %d, %+v: got\n%s\nwant\n%s\nof %+v\n%+v", i, from, q, got, want, f.accounts, f.statements)
			}
			f.checkEnds(t, q)
			rows := 0
			for _, r := range view.Rows {
				if a := view.Accounts[r.Account]; a.Rows > 0 {
					rows++
				}
			}
			if rows != view.Sum.Rows {
				t.Fatalf("family %d of -seed %d: %d rows, want %d", i, from, rows, view.Sum.Rows)
			}
		}
		for _, k := range f.union(portfolio.Selection{}) {
			if k.ended != "" {
				ended++
			}
			if len(k.issuers) > 1 {
				later++
			}
		}
	}
	if ended == 0 || later == 0 {
		t.Errorf("-seed %d: %d accounts ended and %d were listed again; want some of each", from, ended, later)
	}
}

// checkEnds checks when accounts ended.
func (f *family) checkEnds(t *testing.T, q portfolio.Selection) {
	t.Helper()
	known := f.union(q)
	covered := portfolio.Cover(f.accounts, f.statements, q)
	if len(covered) != len(known) {
		t.Fatalf("got %d accounts, want %d", len(covered), len(known))
	}
	for _, c := range covered {
		if want := known[c.ID]; c.EndedOn != want.ended || c.Statement.To != want.to {
			t.Fatalf("%s ended on %q, as of %q; want %q, %q", c.ID, c.EndedOn, c.Statement.To, want.ended, want.to)
		}
	}
}
