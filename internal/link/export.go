package link

import (
	"context"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Exporter writes the links of a user into the export of the user's data. Its fields are
// required.
type Exporter struct {
	Store Store
	Now   func() time.Time
}

// exported is a link as its user sees it.
type exported struct {
	linkView
	Config   jsontext.Value `json:"config,omitempty"`
	Sessions []sessionView  `json:"sessions"`
}

// Export writes all links of subject to e as a JSON array, the newest first.
func (x Exporter) Export(ctx context.Context, e *jsontext.Encoder, subject string) error {
	if err := e.WriteToken(jsontext.BeginArray); err != nil {
		return err
	}
	var last Cursor
	for {
		list, err := x.Store.Links(ctx, subject, last, MaxPage, x.Now())
		if err != nil {
			return err
		}
		for _, one := range list {
			l, sessions, err := x.Store.Link(ctx, subject, one.ID, x.Now())
			if err != nil {
				return err
			}
			if err := json.MarshalEncode(e, exported{view(l), l.Config, viewSessions(sessions)}); err != nil {
				return err
			}
			last = Cursor{l.CreatedAt, l.ID}
		}
		if len(list) < MaxPage {
			return e.WriteToken(jsontext.EndArray)
		}
	}
}
