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

// How much an export holds in memory at a time, in addition to one payload.
const (
	exportPage         = 20   // portfolios
	exportTransactions = 1000 // transactions
)

// exportView is a portfolio with everything that is stored of it. Holdings and
// Transactions are lists here; in summaryView they are counts.
type exportView struct {
	summaryView
	Accounts     []listedAccountView `json:"accounts"`
	Holdings     []holdingView       `json:"holdings"`
	Transactions transactionList     `json:"transactions"`
	Payload      jsontext.Value      `json:"payload"` // as received; null if it is unreadable
}

// Export writes all portfolios of subject to e as a JSON array, newest first. Unreadable
// portfolios are written without their encrypted data.
func (s *Service) Export(ctx context.Context, e *jsontext.Encoder, subject string) error {
	if err := e.WriteToken(jsontext.BeginArray); err != nil {
		return err
	}
	var after Cursor
	for {
		list, err := s.Reader.Portfolios(ctx, subject, Query{After: after, Limit: exportPage})
		if err != nil {
			return err
		}
		for _, p := range list {
			if err := s.exportOne(ctx, e, p); err != nil {
				return err
			}
			after = Cursor{SavedAt: p.SavedAt, ID: p.ID}
		}
		if len(list) < exportPage {
			return e.WriteToken(jsontext.EndArray)
		}
	}
}

// exportOne writes p, or nothing if p has been deleted in the meantime.
func (s *Service) exportOne(ctx context.Context, e *jsontext.Encoder, p Portfolio) error {
	payload, err := s.Reader.Payload(ctx, p.Subject, p.ID)
	if errors.Is(err, ErrUnreadable) {
		p.Unreadable, payload, err = true, []byte("null"), nil
	}
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	_, rows, err := s.Reader.Portfolio(ctx, p.Subject, p.ID, 0, statement.MaxRows)
	if errors.Is(err, ErrNotFound) || err == nil && len(rows) != p.StoredRows {
		return nil
	}
	if err != nil {
		return err
	}
	return json.MarshalEncode(e, exportView{
		summaryView: viewSummary(p), Accounts: viewListedAccounts(p.Accounts), Holdings: viewHoldings(&p, rows),
		Transactions: transactionList{ctx, s.Reader, p}, Payload: payload,
	}, json.Deterministic(true))
}

// captureView is a capture that is not saved as a portfolio.
type captureView struct {
	ID      string         `json:"id"`
	At      time.Time      `json:"captured_at"`
	Payload jsontext.Value `json:"payload"` // null if it is unreadable or not a JSON object
}

// Export writes the captures of subject to e as a JSON array: those that cannot be saved
// yet, and those that are matched.
func (c *Captures) Export(ctx context.Context, e *jsontext.Encoder, subject string) error {
	ids, err := c.Store.Captures(ctx, subject)
	if err != nil {
		return err
	}
	if err := e.WriteToken(jsontext.BeginArray); err != nil {
		return err
	}
	for _, captureID := range ids {
		capture, err := c.Store.Capture(ctx, captureID)
		switch {
		case errors.Is(err, ErrNoCapture):
			continue
		case err != nil && !errors.Is(err, ErrUnreadable):
			return err
		}
		view := captureView{ID: capture.ID, At: capture.At, Payload: capture.Payload}
		if view.Payload.Kind() != '{' || !view.Payload.IsValid() {
			view.Payload = []byte("null")
		}
		if err := json.MarshalEncode(e, view); err != nil {
			return err
		}
	}
	return e.WriteToken(jsontext.EndArray)
}

// transactionList encodes the transactions of a portfolio, reading one page at a time.
type transactionList struct {
	ctx    context.Context
	reader Reader
	of     Portfolio
}

// MarshalJSONTo writes the transactions as an array, in their order. It fails if they
// are deleted before all are written.
func (l transactionList) MarshalJSONTo(e *jsontext.Encoder) error {
	if err := e.WriteToken(jsontext.BeginArray); err != nil {
		return err
	}
	for first, n := 0, 0; ; {
		list, err := l.reader.Transactions(l.ctx, l.of.Subject, l.of.ID, AllHoldings, first, exportTransactions)
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
		case len(list) == exportTransactions:
			first = list[len(list)-1].Seq + 1
		case n != l.of.TransactionCount:
			return errInterrupted
		default:
			return e.WriteToken(jsontext.EndArray)
		}
	}
}
