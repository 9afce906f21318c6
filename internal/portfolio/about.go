package portfolio

import (
	"context"
	"time"

	"casbroker/internal/statement"
)

// About is what operators may know of a portfolio: nothing that is sealed, and no
// amount.
type About struct {
	ID           string            `json:"id"`
	SavedAt      time.Time         `json:"saved_at"`
	Provenance   Provenance        `json:"provenance"`
	CASType      statement.CASType `json:"cas_type"`
	Period       statement.Period  `json:"period,omitzero"` // zero when not stated
	Owner        int               `json:"owner"`
	Active       bool              `json:"active"`
	Holdings     int               `json:"holdings"`     // rows that are kept
	Rejected     int               `json:"rejected"`     // rows that are not
	Transactions int               `json:"transactions"` // rows that are kept
}

// Shelf tells what there is of a user without opening it: up to limit portfolios of
// subject, newest first, and how many there are in all.
type Shelf interface {
	AboutPortfolios(ctx context.Context, subject string, limit int) (list []About, all int, err error)
}
