package portfolio

import (
	"maps"
	"slices"

	"github.com/shopspring/decimal"

	"casbroker/internal/statement"
)

// View is what a user owns: each account once, with the rows of the statement that covers
// it latest. Accounts that have ended are not in it.
type View struct {
	Accounts []ViewAccount // in the order of the user's accounts
	Rows     []ViewRow     // by account, then as in the statement
	Sum
	Owners     []OwnerSum // by number
	Classes    []ClassSum // by name
	OldestAsOf string     // the earliest end of a period of a statement that counts; "" if none states one
}

// ViewAccount is an account that counts.
type ViewAccount struct {
	Covered
	Sum
	Stated decimal.NullDecimal // its value as the statement states it
	// NoRows is set if the statement lists no rows of the account; Value is what it states.
	NoRows bool
}

// ViewRow is a row that counts.
type ViewRow struct {
	*statement.Holding
	Account int // index in View.Accounts
}

// Sum adds up rows.
type Sum struct {
	Value   decimal.Decimal // rupees, of the rows that have a value
	Rows    int
	Unknown int // rows without a value, other than insurance policies
}

// OwnerSum is the Sum of one owner.
type OwnerSum struct {
	Owner
	Sum
}

// ClassSum is the Sum of one class. The class is "" for demat accounts of which the
// statement states a value but lists no rows.
type ClassSum struct {
	Class statement.Class
	Sum
}

// Filter selects rows of a view. The zero Filter selects all.
type Filter struct {
	Owner   int
	Class   statement.Class
	Account string // its id
}

// Consolidate returns the view of those in covered that have not ended. rows must have the
// portfolio of each. A fund that is in a demat account counts once, even if a folio lists
// it, too; see leaveOutDoubles.
func Consolidate(owners []Owner, covered []Covered, rows map[string]Rows, f Filter) View {
	accounts := countedAccounts(covered, rows)
	leaveOutDoubles(accounts)
	c := consolidation{filter: f, owners: map[int]*Sum{}, classes: map[statement.Class]*Sum{}}
	for _, a := range accounts {
		c.account(a)
	}
	v := c.view
	for i := range owners {
		if sum := c.owners[owners[i].Number]; sum != nil {
			v.Owners = append(v.Owners, OwnerSum{owners[i], *sum})
		}
	}
	for _, class := range slices.Sorted(maps.Keys(c.classes)) {
		v.Classes = append(v.Classes, ClassSum{class, *c.classes[class]})
	}
	return v
}

// countedAccount is an account that has not ended, with its rows.
type countedAccount struct {
	Covered
	rows   []*statement.Holding
	noRows bool // the statement lists none
	stated decimal.NullDecimal
}

func countedAccounts(covered []Covered, rows map[string]Rows) []countedAccount {
	accounts := make([]countedAccount, 0, len(covered))
	portfolios := make(map[string][][]*statement.Holding, len(rows))
	for id, r := range rows {
		portfolios[id] = r.byAccount()
	}
	for _, a := range covered {
		id := a.Statement.PortfolioID
		if lists := portfolios[id]; a.EndedOn == "" && a.Index < len(lists) {
			own := lists[a.Index]
			accounts = append(accounts, countedAccount{a, own, len(own) == 0, rows[id].Accounts[a.Index].Value})
		}
	}
	return accounts
}

// sum returns the Sum of all rows of a, or what the statement states if it lists none.
func (a *countedAccount) sum() (s Sum) {
	for _, h := range a.rows {
		s.add(sumOfRow(h))
	}
	if a.noRows {
		s.Value = a.stated.Decimal
	}
	return s
}

// byAccount returns the holdings of each of r's accounts.
func (r Rows) byAccount() [][]*statement.Holding {
	lists := make([][]*statement.Holding, len(r.Accounts))
	for i := range r.Holdings {
		if h := &r.Holdings[i]; h.AccountIndex >= 0 && h.AccountIndex < len(lists) {
			lists[h.AccountIndex] = append(lists[h.AccountIndex], h)
		}
	}
	return lists
}

// plus returns the sum of those of a and b that are not null.
func plus(a, b decimal.NullDecimal) decimal.NullDecimal {
	switch {
	case !a.Valid:
		return b
	case !b.Valid:
		return a
	default:
		return decimal.NewNullDecimal(a.Decimal.Add(b.Decimal))
	}
}

// consolidation adds up a view.
type consolidation struct {
	filter  Filter
	view    View
	owners  map[int]*Sum
	classes map[statement.Class]*Sum
}

// account adds the part of a that the filter selects.
func (c *consolidation) account(a countedAccount) {
	f := c.filter
	if f.Owner != 0 && f.Owner != a.Owner || f.Account != "" && f.Account != a.ID {
		return
	}
	v := ViewAccount{Covered: a.Covered, Stated: a.stated}
	selected := f.Class == ""
	for _, h := range a.rows {
		if f.Class != "" && f.Class != h.Class {
			continue
		}
		selected = true
		one := sumOfRow(h)
		v.add(one)
		sumOf(c.classes, h.Class).add(one)
		c.view.Rows = append(c.view.Rows, ViewRow{h, len(c.view.Accounts)})
	}
	if class := classOf[a.Kind]; a.noRows && a.stated.Valid && (f.Class == "" || f.Class == class) {
		selected = true
		v.Value, v.NoRows = a.stated.Decimal, true
		sumOf(c.classes, class).add(v.Sum)
	}
	if !selected {
		return
	}
	c.view.Accounts = append(c.view.Accounts, v)
	c.view.add(v.Sum)
	sumOf(c.owners, a.Owner).add(v.Sum)
	if to := a.Statement.To; to != "" && (c.view.OldestAsOf == "" || to < c.view.OldestAsOf) {
		c.view.OldestAsOf = to
	}
}

// classOf is the class of an account without rows.
var classOf = map[statement.AccountKind]statement.Class{
	statement.Folio: statement.MutualFund, statement.Policy: statement.Insurance, statement.Pension: statement.NPS,
}

func (s *Sum) add(other Sum) {
	s.Value = s.Value.Add(other.Value)
	s.Rows += other.Rows
	s.Unknown += other.Unknown
}

// sumOfRow returns the Sum of one row.
func sumOfRow(h *statement.Holding) Sum {
	one := Sum{Value: h.Value.Decimal, Rows: 1}
	if !h.Value.Valid && h.Class != statement.Insurance {
		one.Unknown = 1
	}
	return one
}

// sumOf returns the Sum of key, a new one if there is none.
func sumOf[K comparable](sums map[K]*Sum, key K) *Sum {
	if sums[key] == nil {
		sums[key] = &Sum{}
	}
	return sums[key]
}

// leaveOutDoubles removes the rows of funds that accounts has twice: a depository lists the
// units in a demat account, and CAMS or KFintech list the same units in a folio. The row of
// the demat account counts, unless the folios are all as of a later day and one demat
// account alone has the fund: then the row of the folio does.
func leaveOutDoubles(accounts []countedAccount) {
	folios := map[fund]string{} // funds in demat accounts as folios list them, and the earliest of their days
	for _, a := range accounts {
		for _, h := range a.rows {
			of := fund{a.Owner, h.ISIN}
			if day, known := folios[of]; a.listsDemat(h) && h.ISIN != "" && (!known || a.Statement.To < day) {
				folios[of] = a.Statement.To
			}
		}
	}
	if len(folios) == 0 {
		return
	}
	dematOf := map[fund][]*countedAccount{}
	for i := range accounts {
		a := &accounts[i]
		if a.Kind != statement.Demat {
			continue
		}
		for _, h := range a.rows {
			if of := (fund{a.Owner, h.ISIN}); !slices.Contains(dematOf[of], a) {
				dematOf[of] = append(dematOf[of], a)
			}
		}
	}
	for i := range accounts {
		a := &accounts[i]
		a.rows = slices.DeleteFunc(a.rows, func(h *statement.Holding) bool {
			of := fund{a.Owner, h.ISIN}
			inDemat := dematOf[of]
			day, inFolio := folios[of]
			if !inFolio || len(inDemat) == 0 {
				return false
			}
			folioCounts := len(inDemat) == 1 && inDemat[0].Statement.To < day
			if a.listsDemat(h) {
				return !folioCounts
			}
			return folioCounts && a.Kind == statement.Demat
		})
	}
}

// listsDemat reports whether h, a row of a, lists units that another row of a demat account has,
// too. A row of a demat account never does, even if it states that its units are in demat form.
func (a *countedAccount) listsDemat(h *statement.Holding) bool {
	return h.InDemat && a.Kind != statement.Demat
}

// fund identifies the units of a fund that an owner has.
type fund struct {
	owner int
	isin  string
}
