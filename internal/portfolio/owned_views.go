package portfolio

import (
	"github.com/go-json-experiment/json/jsontext"
	"github.com/shopspring/decimal"

	"casbroker/internal/statement"
)

// accountsView is a page of the accounts of a user, and all owners.
type accountsView struct {
	Owners     []ownerView      `json:"owners"`
	Accounts   []jsontext.Value `json:"accounts"`
	NextCursor *string          `json:"next_cursor"`
}

type ownerView struct {
	Number    int     `json:"number"`
	Name      *string `json:"name"`
	PANMasked *string `json:"pan_masked"`
	Accounts  int     `json:"accounts"`
}

// viewAccounts returns the accounts of o from number first to end.
func viewAccounts(o *Owned, first, end int) accountsView {
	view := accountsView{Owners: make([]ownerView, len(o.Owners)), Accounts: make([]jsontext.Value, end-first)}
	for i, owner := range o.Owners {
		view.Owners[i] = ownerView{owner.Number, stated(owner.Name), stated(owner.PANMasked), owner.Accounts}
	}
	sums := map[string]*ViewAccount{}
	for i := range o.View.Accounts {
		sums[o.View.Accounts[i].ID] = &o.View.Accounts[i]
	}
	for i := range view.Accounts {
		a := &o.Accounts[first+i]
		view.Accounts[i] = viewAccount(a, sums[a.ID])
	}
	if end < len(o.Accounts) {
		view.NextCursor = new(taggedCursor(accountsTag(o), end))
	}
	return view
}

func viewAccount(c *Covered, sum *ViewAccount) jsontext.Value {
	return append(appendAccount([]byte{'{'}, c, sum), '}')
}

// listingView is a statement that lists an account.
type listingView struct {
	PortfolioID string            `json:"portfolio_id"`
	CASType     statement.CASType `json:"cas_type"`
	AsOf        *string           `json:"as_of"`
	SavedAt     instant           `json:"saved_at"`
	Provenance  Provenance        `json:"provenance"`
	Owner       int               `json:"owner"`
	Value       string            `json:"value"`
	Rows        int               `json:"rows"`
	Counts      bool              `json:"counts"`
}

// viewHistory returns the account with the statements that list it, the latest first.
func viewHistory(h *AccountHistory) (jsontext.Value, error) {
	list := make([]listingView, len(h.Statements))
	for i, s := range h.Statements {
		list[i] = listingView{
			PortfolioID: s.PortfolioID, CASType: s.CASType, AsOf: stated(s.To), SavedAt: instant(s.SavedAt), Provenance: s.Provenance, Owner: s.Owner,
			Value: statement.FormatRupees(s.Value), Rows: s.Rows,
			Counts: h.Counted != nil && s.PortfolioID == h.Statement.PortfolioID,
		}
	}
	statements, err := render(list)
	if err != nil {
		return nil, err
	}
	b := appendAccount([]byte{'{'}, &h.Covered, h.Counted)
	return append(append(append(b, `,"statements":`...), statements...), '}'), nil
}

// worthView is what a user owned over time.
type worthView struct {
	Interval Interval    `json:"interval"`
	Currency string      `json:"currency"`
	Points   []pointView `json:"points"`
}

// pointView is one day. Its value is null if no statement tells of it.
type pointView struct {
	Day        string                     `json:"day"`
	Value      *string                    `json:"value"`
	Classes    map[statement.Class]string `json:"classes"`
	OldestAsOf *string                    `json:"oldest_as_of"`
}

func viewWorth(interval Interval, list []Worth) worthView {
	view := worthView{Interval: interval, Currency: "INR", Points: make([]pointView, len(list))}
	for i := range list {
		w := &list[i]
		point := pointView{Day: w.Day, Classes: make(map[statement.Class]string, len(w.Classes)), OldestAsOf: stated(w.OldestAsOf)}
		if w.Known {
			point.Value = new(statement.FormatRupees(w.Value))
		}
		for _, sum := range w.Classes {
			name := sum.Class
			if name == "" {
				name = unknownClass
			}
			point.Classes[name] = statement.FormatRupees(sum.Value)
		}
		view.Points[i] = point
	}
	return view
}

// unknownClass is the name of the class that a ClassSum does not have.
const unknownClass statement.Class = "unknown"

// changesView is a statement compared with those before it.
type changesView struct {
	PortfolioID string            `json:"portfolio_id"`
	Accounts    []comparedView    `json:"accounts"`
	Changes     []changeView      `json:"changes"`
	Unchanged   int               `json:"unchanged"`
	Value       differenceOfTotal `json:"value"`
}

type comparedView struct {
	ID                  string  `json:"id"`
	Owner               int     `json:"owner"`
	PreviousPortfolioID *string `json:"previous_portfolio_id"`
	PreviousAsOf        *string `json:"previous_as_of"`
	Ended               bool    `json:"ended"`
}

type differenceView struct {
	Before *string `json:"before"`
	After  *string `json:"after"`
	Change *string `json:"change"`
}

type differenceOfTotal struct {
	Before string `json:"before"`
	After  string `json:"after"`
	Change string `json:"change"`
}

type changeView struct {
	Change            ChangeKind      `json:"change"`
	AccountID         string          `json:"account_id"`
	Owner             int             `json:"owner"`
	HoldingID         *string         `json:"holding_id"`
	PreviousHoldingID *string         `json:"previous_holding_id"`
	Class             statement.Class `json:"class"`
	ISIN              *string         `json:"isin"`
	Name              string          `json:"name"`
	Units             differenceView  `json:"units"`
	Value             differenceView  `json:"value"`
}

func viewChanges(c *Changes) changesView {
	view := changesView{
		PortfolioID: c.PortfolioID, Accounts: make([]comparedView, len(c.Accounts)), Changes: make([]changeView, len(c.Changes)), Unchanged: c.Unchanged,
		Value: differenceOfTotal{
			statement.FormatRupees(c.Before.Value), statement.FormatRupees(c.After.Value), statement.FormatRupees(c.After.Value.Sub(c.Before.Value)),
		},
	}
	for i, a := range c.Accounts {
		view.Accounts[i] = comparedView{ID: a.ID, Owner: a.Owner, Ended: a.Ended}
		if a.Before != nil {
			view.Accounts[i].PreviousPortfolioID, view.Accounts[i].PreviousAsOf = &a.Before.PortfolioID, stated(a.Before.To)
		}
	}
	for i, change := range c.Changes {
		view.Changes[i] = viewChange(c, change)
	}
	return view
}

func viewChange(c *Changes, change Change) changeView {
	a := &c.Accounts[change.Account]
	view := changeView{
		Change: change.Kind, AccountID: a.ID, Owner: a.Owner,
		Units: viewDifference(statement.FormatUnits, change.Units), Value: viewDifference(statement.FormatRupees, change.Value),
	}
	h := change.Before
	if h != nil {
		view.PreviousHoldingID = new(HoldingID(a.Before.PortfolioID, h.Seq))
	}
	if change.After != nil {
		h = change.After
		view.HoldingID = new(HoldingID(c.PortfolioID, h.Seq))
	}
	view.Class, view.ISIN, view.Name = h.Class, stated(h.ISIN), h.Name
	return view
}

func viewDifference(format func(decimal.Decimal) string, d Difference) differenceView {
	return differenceView{amount(format, d.Before), amount(format, d.After), amount(format, d.By())}
}
