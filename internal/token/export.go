package token

import (
	"context"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Book reads grants: up to limit of subject past after, oldest first. The zero
// Grant is before the oldest.
type Book interface {
	Grants(ctx context.Context, subject string, after Grant, limit int) ([]Grant, error)
}

// History tells which tokens somebody was given.
type History struct{ Book Book }

// page is how many grants are held in memory at a time.
const page = 500

// grantView is a grant as its subject sees it.
type grantView struct {
	ID        string    `json:"id"`
	Mode      Mode      `json:"mode"`
	IssuedAt  time.Time `json:"issued_at"`
	ExpiresAt time.Time `json:"expires_at"`
}

// Export writes all grants of subject to e as a JSON array, oldest first.
func (h History) Export(ctx context.Context, e *jsontext.Encoder, subject string) error {
	if err := e.WriteToken(jsontext.BeginArray); err != nil {
		return err
	}
	var last Grant
	for {
		grants, err := h.Book.Grants(ctx, subject, last, page)
		if err != nil {
			return err
		}
		for _, g := range grants {
			if err := json.MarshalEncode(e, grantView{g.ID, g.Mode, g.IssuedAt, g.ExpiresAt}); err != nil {
				return err
			}
			last = g
		}
		if len(grants) < page {
			return e.WriteToken(jsontext.EndArray)
		}
	}
}
