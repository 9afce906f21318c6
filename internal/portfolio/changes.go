package portfolio

import (
	"cmp"
	"context"
	"slices"

	"github.com/shopspring/decimal"

	"casbroker/internal/auth"
	"casbroker/internal/statement"
)

// ChangeKind says what has become of a holding.
type ChangeKind string

// The kinds of changes.
const (
	NewHolding     ChangeKind = "new"     // the earlier statement does not list it
	GoneHolding    ChangeKind = "gone"    // only the earlier statement lists it
	ChangedHolding ChangeKind = "changed" // its units or its value are different
)

// Changes is what a statement says differently than the statements before it of the same
// accounts.
type Changes struct {
	PortfolioID string
	Accounts    []AccountChange
	Changes     []Change
	Unchanged   int // holdings
	Before      Sum
	After       Sum
}

// AccountChange is an account that was compared.
type AccountChange struct {
	*Account
	// Before is the latest earlier statement that lists the account, nil if there is none.
	Before *AccountStatement
	Ended  bool // the statement shows that the account has ended
}

// Change is a change of one holding of an account. Lines of one statement of the same security, or
// of the same name if they have no ISIN, are one holding.
type Change struct {
	Kind          ChangeKind
	Account       int                // index in Changes.Accounts
	Before, After *statement.Holding // the first lines; nil for none
	Units, Value  Difference
}

// Difference is an amount in two statements.
type Difference struct{ Before, After decimal.NullDecimal }

// By returns the difference, null if one of the two is not known.
func (d Difference) By() decimal.NullDecimal {
	if !d.Before.Valid || !d.After.Valid {
		return decimal.NullDecimal{}
	}
	return decimal.NewNullDecimal(d.After.Decimal.Sub(d.Before.Decimal))
}

func (d Difference) equal() bool {
	return d.Before.Valid == d.After.Valid && d.Before.Decimal.Equal(d.After.Decimal)
}

// Changes compares a portfolio of who, for each account that it lists, with the statement
// before it that lists the account. Accounts that it shows to have ended are compared,
// too. It returns ErrNotFound if there is no such portfolio.
func (s *Service) Changes(ctx context.Context, who auth.Principal, portfolioID string) (Changes, error) {
	if !isPortfolioID(portfolioID) {
		return Changes{}, ErrNotFound
	}
	var c Changes
	err := s.readKnown(ctx, who, Filter{}, s.Reader.AccountStatements, func(k knownAccounts) (complete bool, err error) {
		if _, _, err := s.Reader.Portfolio(ctx, who.Subject, portfolioID, 0, 0); err != nil {
			return false, err
		}
		compared := k.compared(portfolioID)
		rows, complete, err := s.rowsOf(ctx, who, portfoliosOf(compared, portfolioID))
		if err == nil && complete {
			c = compare(portfolioID, compared, rows)
		}
		return complete, err
	})
	return c, err
}

// comparedAccount is an account with its entries in two statements. Either may be nil, but
// not both.
type comparedAccount struct {
	*Account
	before, after *Covered
}

// compared returns the accounts that portfolioID lists, or shows to have ended.
func (k knownAccounts) compared(portfolioID string) []comparedAccount {
	at := slices.IndexFunc(k.statements, func(s AccountStatement) bool { return s.PortfolioID == portfolioID })
	if at < 0 {
		return nil
	}
	of := k.statements[at]
	before := slices.DeleteFunc(slices.Clone(k.statements), func(s AccountStatement) bool { return s.Compare(&of) >= 0 })
	was := coveredByID(Cover(k.accounts, before, Selection{}))
	is := coveredByID(Cover(k.accounts, append(slices.Clone(before), of), Selection{}))
	var list []comparedAccount
	for i := range k.accounts {
		a := comparedAccount{Account: &k.accounts[i], before: was[k.accounts[i].ID]}
		switch now := is[a.ID]; {
		case now == nil:
		case now.Statement.PortfolioID == portfolioID:
			a.after = now
			list = append(list, a)
		case now.EndedOn != "" && a.before.EndedOn == "":
			list = append(list, a)
		}
	}
	return list
}

func coveredByID(covered []Covered) map[string]*Covered {
	byID := make(map[string]*Covered, len(covered))
	for i := range covered {
		byID[covered[i].ID] = &covered[i]
	}
	return byID
}

// portfoliosOf returns the ids of the portfolios that list needs the rows of.
func portfoliosOf(list []comparedAccount, portfolioID string) []string {
	ids := []string{portfolioID}
	for _, a := range list {
		if a.before != nil && !slices.Contains(ids, a.before.Statement.PortfolioID) {
			ids = append(ids, a.before.Statement.PortfolioID)
		}
	}
	return ids
}

// compare compares accounts holding by holding.
func compare(portfolioID string, compared []comparedAccount, rows map[string]Rows) Changes {
	c := Changes{PortfolioID: portfolioID}
	lists := map[string][][]*statement.Holding{}
	for id, r := range rows {
		lists[id] = r.byAccount()
	}
	for _, a := range compared {
		change := AccountChange{Account: a.Account, Ended: a.after == nil}
		if a.before != nil {
			change.Before = a.before.Statement
		}
		c.Accounts = append(c.Accounts, change)
		c.account(holdingsOf(a.before, lists), holdingsOf(a.after, lists))
	}
	return c
}

// holdingsOf returns the rows of an account, none for nil.
func holdingsOf(a *Covered, lists map[string][][]*statement.Holding) []*statement.Holding {
	if a == nil {
		return nil
	}
	if list := lists[a.Statement.PortfolioID]; a.Index < len(list) {
		return list[a.Index]
	}
	return nil
}

// account compares the rows of the last of c.Accounts.
func (c *Changes) account(before, after []*statement.Holding) {
	type key struct{ isin, name, category string }
	keyOf := func(h *statement.Holding) key {
		if h.ISIN != "" {
			return key{isin: h.ISIN}
		}
		return key{"", h.Name, h.Category}
	}
	index := map[key]int{}
	var list []Change
	changeOf := func(h *statement.Holding) *Change {
		i, known := index[keyOf(h)]
		if !known {
			i = len(list)
			index[keyOf(h)], list = i, append(list, Change{Account: len(c.Accounts) - 1})
		}
		return &list[i]
	}
	for _, h := range after {
		change := changeOf(h)
		change.After = cmp.Or(change.After, h)
		change.Units.After, change.Value.After = plus(change.Units.After, h.Units), plus(change.Value.After, h.Value)
		c.After.add(sumOfRow(h))
	}
	for _, h := range before {
		change := changeOf(h)
		change.Before = cmp.Or(change.Before, h)
		change.Units.Before, change.Value.Before = plus(change.Units.Before, h.Units), plus(change.Value.Before, h.Value)
		c.Before.add(sumOfRow(h))
	}
	for _, change := range list {
		switch {
		case change.Before == nil:
			change.Kind = NewHolding
		case change.After == nil:
			change.Kind = GoneHolding
		case change.Units.equal() && change.Value.equal():
			c.Unchanged++
			continue
		default:
			change.Kind = ChangedHolding
		}
		c.Changes = append(c.Changes, change)
	}
}
