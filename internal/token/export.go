package token

import (
	"context"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// GrantLister reads up to limit grants of subject after the grant after, oldest first. The
// zero Grant is before the oldest.
type GrantLister interface {
	Grants(ctx context.Context, subject string, after Grant, limit int) ([]Grant, error)
}

// Exporter writes the grants of a user into the export of the user's data.
type Exporter struct{ Grants GrantLister }

// exportPage is how many grants are held in memory at a time.
const exportPage = 500

// grantView is a grant as its subject sees it.
type grantView struct {
	ID        string    `json:"id"`
	Mode      Mode      `json:"mode"`
	IssuedAt  time.Time `json:"issued_at"`
	ExpiresAt time.Time `json:"expires_at"`
}

// Export writes all grants of subject to e as a JSON array, oldest first.
func (x Exporter) Export(ctx context.Context, e *jsontext.Encoder, subject string) error {
	if err := e.WriteToken(jsontext.BeginArray); err != nil {
		return err
	}
	var last Grant
	for {
		grants, err := x.Grants.Grants(ctx, subject, last, exportPage)
		if err != nil {
			return err
		}
		for _, g := range grants {
			if err := json.MarshalEncode(e, grantView{g.ID, g.Mode, g.IssuedAt, g.ExpiresAt}); err != nil {
				return err
			}
			last = g
		}
		if len(grants) < exportPage {
			return e.WriteToken(jsontext.EndArray)
		}
	}
}
