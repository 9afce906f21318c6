package portfolio

import (
	"context"
	"errors"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"casbroker/internal/fault"
	"casbroker/internal/statement"
)

var errInterrupted = fault.New(fault.Unavailable, "export_interrupted",
	"A portfolio was deleted while it was being exported; try again.").After(time.Second)

// How much of an account is held in memory at a time, besides one payload.
const (
	exportPage   = 20   // portfolios
	exportLedger = 1000 // transactions
)

// exportView is a portfolio with all that is kept of it. The rows stand where
// elsewhere there are only their numbers.
type exportView struct {
	summaryView
	Holdings     []holdingView  `json:"holdings"`
	Transactions ledgerView     `json:"transactions"`
	Payload      jsontext.Value `json:"payload"` // as it was received; null when it cannot be read
}

// Export writes all portfolios of subject to e as a JSON array, newest first. What
// was sealed under a key that is missing is told of without its private parts.
func (s *Service) Export(ctx context.Context, e *jsontext.Encoder, subject string) error {
	if err := e.WriteToken(jsontext.BeginArray); err != nil {
		return err
	}
	var after Position
	for {
		list, err := s.Finder.Portfolios(ctx, subject, Query{After: after, Limit: exportPage})
		if err != nil {
			return err
		}
		for _, p := range list {
			if err := s.exportOne(ctx, e, p); err != nil {
				return err
			}
			after = Position{SavedAt: p.SavedAt, ID: p.ID}
		}
		if len(list) < exportPage {
			return e.WriteToken(jsontext.EndArray)
		}
	}
}

// exportOne writes p, or nothing when it was deleted meanwhile.
func (s *Service) exportOne(ctx context.Context, e *jsontext.Encoder, p Portfolio) error {
	payload, err := s.Finder.Payload(ctx, p.Subject, p.ID)
	if errors.Is(err, ErrUnreadable) {
		p.Unreadable, payload, err = true, []byte("null"), nil
	}
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	_, rows, err := s.Finder.Portfolio(ctx, p.Subject, p.ID, 0, statement.MaxRows)
	if errors.Is(err, ErrNotFound) || err == nil && len(rows) != p.StoredRows {
		return nil
	}
	if err != nil {
		return err
	}
	return json.MarshalEncode(e, exportView{
		summaryView: viewSummary(p), Holdings: viewHoldings(p.ID, rows),
		Transactions: ledgerView{ctx, s.Finder, p}, Payload: payload,
	}, json.Deterministic(true))
}

// ledgerView is the transactions of a portfolio, read as they are written.
type ledgerView struct {
	ctx    context.Context
	finder Finder
	of     Portfolio
}

// MarshalJSONTo writes the transactions as an array, in their order. It fails
// when they were deleted before all were written.
func (l ledgerView) MarshalJSONTo(e *jsontext.Encoder) error {
	if err := e.WriteToken(jsontext.BeginArray); err != nil {
		return err
	}
	for first, n := 0, 0; ; {
		list, err := l.finder.Transactions(l.ctx, l.of.Subject, l.of.ID, AllHoldings, first, exportLedger)
		if errors.Is(err, ErrNotFound) {
			return errInterrupted
		}
		if err != nil {
			return err
		}
		for _, view := range viewTransactions(l.of.ID, list) {
			if err := json.MarshalEncode(e, view); err != nil {
				return err
			}
		}
		n += len(list)
		switch {
		case len(list) == exportLedger:
			first = list[len(list)-1].Seq + 1
		case n != l.of.TransactionCount:
			return errInterrupted
		default:
			return e.WriteToken(jsontext.EndArray)
		}
	}
}
