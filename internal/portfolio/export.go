package portfolio

import (
	"context"
	"errors"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"casbroker/internal/statement"
)

// exportPage is how many summaries of portfolios an export holds in memory at a time, in
// addition to one portfolio.
const exportPage = 20

// exportView is a portfolio with everything that is stored of it. Holdings and
// Transactions are lists here; in summaryView they are counts. What is unreadable is null.
type exportView struct {
	summaryView
	Accounts     []listedAccountView `json:"accounts"`
	Holdings     *[]holdingView      `json:"holdings"`
	Transactions transactionList     `json:"transactions"`
	Payload      jsontext.Value      `json:"payload"` // as received
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
	stored, err := s.Reader.Copy(ctx, p.Subject, p.ID)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	view := exportView{
		summaryView: viewSummary(stored.Portfolio), Accounts: viewListedAccounts(stored.Accounts),
		Transactions: transactionList{p.ID, stored.Transactions}, Payload: []byte("null"),
	}
	if stored.Holdings != nil {
		view.Holdings = new(viewHoldings(&stored.Portfolio, stored.Holdings))
	}
	if stored.Payload != nil {
		view.Payload = stored.Payload
	}
	return json.MarshalEncode(e, view, json.Deterministic(true))
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

// transactionList encodes the transactions of a portfolio, one at a time.
type transactionList struct {
	portfolioID string
	each        EachTransaction // nil for unreadable ones
}

// MarshalJSONTo writes the transactions as an array, in their order.
func (l transactionList) MarshalJSONTo(e *jsontext.Encoder) error {
	if l.each == nil {
		return e.WriteToken(jsontext.Null)
	}
	if err := e.WriteToken(jsontext.BeginArray); err != nil {
		return err
	}
	var err error
	decode := l.each(0, func(t *statement.Transaction) bool {
		err = json.MarshalEncode(e, viewTransaction(l.portfolioID, t))
		return err == nil
	})
	if err := errors.Join(err, decode); err != nil {
		return err
	}
	return e.WriteToken(jsontext.EndArray)
}
