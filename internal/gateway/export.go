package gateway

import (
	"context"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Exporter writes what a user has at the vendor into the export of the user's data.
type Exporter struct {
	Owned interface {
		Resources(ctx context.Context, subject string, kind Kind) ([]Resource, error)
	}
}

// resourceView is a resource as its subject sees it.
type resourceView struct {
	Kind      Kind      `json:"kind"`
	ID        string    `json:"id,omitempty"`
	CreatedAt time.Time `json:"created_at"`
}

// Export writes all resources of subject to e as a JSON array, oldest first. Neither the
// token nor the handle of a mailbox is in it.
func (x Exporter) Export(ctx context.Context, e *jsontext.Encoder, subject string) error {
	list, err := x.Owned.Resources(ctx, subject, "")
	if err != nil {
		return err
	}
	views := make([]resourceView, len(list))
	for i, r := range list {
		views[i] = resourceView{r.Kind, r.ID, r.CreatedAt}
	}
	return json.MarshalEncode(e, views)
}
