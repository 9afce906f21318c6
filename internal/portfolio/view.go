package portfolio

import (
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/shopspring/decimal"

	"casbroker/internal/fault"
	"casbroker/internal/statement"
)

// summaryView is a portfolio without its rows, as callers see it.
type summaryView struct {
	ID           string                  `json:"id"`
	Created      *bool                   `json:"created,omitzero"`
	Active       bool                    `json:"active"`
	Owner        int                     `json:"owner"`
	Owners       []statedOwnerView       `json:"owners"`
	Readable     bool                    `json:"readable"`
	Provenance   Provenance              `json:"provenance"`
	CASType      statement.CASType       `json:"cas_type"`
	Period       *statement.Period       `json:"period"`
	Investor     investorView            `json:"investor"`
	TotalValue   *string                 `json:"total_value"` // null if it is unreadable
	Currency     string                  `json:"currency"`
	Holdings     map[statement.Class]int `json:"holdings"`
	ReceivedRows int                     `json:"received_rows"`
	StoredRows   int                     `json:"stored_rows"`
	Complete     bool                    `json:"complete"`
	Transactions int                     `json:"transactions"`
	Rejected     []fault.Field           `json:"rejected"`
	Warnings     []fault.Field           `json:"warnings"`
	SavedAt      instant                 `json:"saved_at"`
	Differs      bool                    `json:"differs_from_observed"`
	Differences  []string                `json:"differences,omitzero"`
	Metadata     jsontext.Value          `json:"metadata"`
}

type investorView struct {
	Name      *string `json:"name"`
	PANMasked *string `json:"pan_masked"`
}

// holdingView is a holding as callers see it. Amounts are exact: units without trailing
// zeros, rupees with at least two decimal places.
type holdingView struct {
	ID          string          `json:"id"`
	Class       statement.Class `json:"class"`
	ISIN        *string         `json:"isin"`
	Name        string          `json:"name"`
	Account     *string         `json:"account"`
	AccountID   *string         `json:"account_id"`
	Owner       int             `json:"owner"`
	Institution *string         `json:"institution"`
	Category    *string         `json:"category"`
	Units       *string         `json:"units"`
	Price       *string         `json:"price"`
	Value       *string         `json:"value"`
	Cost        *string         `json:"cost"`
	Gain        *string         `json:"gain"`
	SumAssured  *string         `json:"sum_assured"`
}

// transactionView is a transaction of a holding as callers see it.
type transactionView struct {
	ID        string  `json:"id"`
	HoldingID string  `json:"holding_id"`
	Date      *string `json:"date"`
	Type      *string `json:"type"`
	// Description is as sent; null for portfolios that were saved without it.
	Description *string `json:"description"`
	Units       *string `json:"units"`
	NAV         *string `json:"nav"`
	Amount      *string `json:"amount"`
	Balance     *string `json:"balance"`
}

type portfolioPage struct {
	Portfolios []summaryView `json:"portfolios"`
	NextCursor *string       `json:"next_cursor"`
}

type transactionPage struct {
	Transactions []transactionView `json:"transactions"`
	NextCursor   *string           `json:"next_cursor"`
}

func viewSummary(p Portfolio) summaryView {
	view := summaryView{
		ID: p.ID, Active: p.Active, Owner: p.Owner, Owners: viewStatedOwners(p.Owners), Readable: !p.Unreadable, Provenance: p.Provenance, CASType: p.CASType, Period: p.Period,
		Investor: investorView{Name: stated(p.Investor.Name), PANMasked: stated(p.Investor.PANMasked)},
		Currency: "INR", Holdings: p.Counts,
		ReceivedRows: p.ReceivedRows, StoredRows: p.StoredRows, Complete: p.Complete(), Transactions: p.TransactionCount,
		Rejected: p.Rejected, Warnings: p.Warnings, SavedAt: instant(p.SavedAt),
		Differs: p.Differs, Differences: p.Differences, Metadata: p.Metadata,
	}
	if !p.Unreadable {
		view.TotalValue = new(statement.FormatRupees(p.TotalValue))
	}
	return view
}

// viewHoldings returns holdings of p.
func viewHoldings(p *Portfolio, holdings []statement.Holding) []holdingView {
	views := make([]holdingView, len(holdings))
	for i := range holdings {
		views[i] = viewHolding(p.ID, &holdings[i])
		views[i].AccountID, views[i].Owner = p.accountOf(&holdings[i])
	}
	return views
}

func viewHolding(portfolioID string, h *statement.Holding) holdingView {
	return holdingView{
		ID: HoldingID(portfolioID, h.Seq), Class: h.Class, Name: h.Name,
		ISIN: stated(h.ISIN), Account: stated(h.Account), Institution: stated(h.Institution), Category: stated(h.Category),
		Units: amount(statement.FormatUnits, h.Units), Price: amount(statement.FormatRupees, h.Price), Value: amount(statement.FormatRupees, h.Value),
		Cost: amount(statement.FormatRupees, h.Cost), Gain: amount(statement.FormatRupees, h.Gain), SumAssured: amount(statement.FormatRupees, h.SumAssured),
	}
}

func viewTransactions(portfolioID string, transactions []statement.Transaction) []transactionView {
	views := make([]transactionView, len(transactions))
	for i := range transactions {
		views[i] = viewTransaction(portfolioID, &transactions[i])
	}
	return views
}

func viewTransaction(portfolioID string, t *statement.Transaction) transactionView {
	return transactionView{
		ID: TransactionID(portfolioID, t.Seq), HoldingID: HoldingID(portfolioID, t.Holding),
		Date: stated(t.Date), Type: stated(t.Type), Description: stated(t.Description), Units: amount(statement.FormatUnits, t.Units), NAV: amount(statement.FormatRupees, t.NAV),
		Amount: amount(statement.FormatRupees, t.Amount), Balance: amount(statement.FormatUnits, t.Balance),
	}
}

// renderSaved returns the body of the answer to a save.
func renderSaved(p Portfolio, created bool) ([]byte, error) {
	view := viewSummary(p)
	view.Created = &created
	return render(view)
}

// rendererOf is renderSaved for a save of st. The answer also warns of metadata of st that
// is not kept, when the portfolio that st is was saved before.
func rendererOf(st *statement.Statement) func(p Portfolio, created bool) ([]byte, error) {
	return func(p Portfolio, created bool) ([]byte, error) {
		if !created {
			p.Warnings = slices.Concat(p.Warnings, st.MetadataWarnings())
		}
		return renderSaved(p, created)
	}
}

// render encodes view as JSON. Equal values give equal bytes.
func render(view any) ([]byte, error) { return json.Marshal(view, json.Deterministic(true)) }

// stated returns nil for a text that the statement does not have.
func stated(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// amount returns nil for a number that the statement does not have.
func amount(format func(decimal.Decimal) string, d decimal.NullDecimal) *string {
	if !d.Valid {
		return nil
	}
	s := format(d.Decimal)
	return &s
}

// instant is a time as callers see it, always with three digits of milliseconds.
type instant time.Time

// MarshalText returns the time in the form of RFC 3339.
func (i instant) MarshalText() ([]byte, error) {
	return time.Time(i).AppendFormat(nil, "2006-01-02T15:04:05.000Z07:00"), nil
}
