package ingest

import (
	"context"
	stdjson "encoding/json"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// jobView is a job as callers see it.
type jobView struct {
	ID          string         `json:"id"`
	State       State          `json:"state"`
	CreatedAt   time.Time      `json:"created_at"`
	EndedAt     *time.Time     `json:"ended_at"`
	PortfolioID *string        `json:"portfolio_id"`
	Created     *bool          `json:"created"` // of the portfolio
	Problem     jsontext.Value `json:"problem"`
}

func viewJob(j Job) jobView {
	v := jobView{ID: j.ID, State: j.State, CreatedAt: j.CreatedAt}
	if !j.EndedAt.IsZero() {
		v.EndedAt = &j.EndedAt
	}
	if j.State == Done {
		v.PortfolioID, v.Created = &j.PortfolioID, &j.Created
	}
	if stdjson.Valid(j.Problem) {
		v.Problem = j.Problem
	}
	return v
}

// Exporter writes a user's jobs into the export of the user's data.
type Exporter struct{ Store JobStore }

// Export writes the jobs of subject to e as a JSON array, the oldest first.
func (x Exporter) Export(ctx context.Context, e *jsontext.Encoder, subject string) error {
	list, err := x.Store.Jobs(ctx, subject)
	if err != nil {
		return err
	}
	views := make([]jobView, len(list))
	for i, j := range list {
		views[i] = viewJob(j)
	}
	return json.MarshalEncode(e, views)
}
