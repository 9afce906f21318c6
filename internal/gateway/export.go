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

// FileExporter writes the files of a user's forwarding addresses into the export of the
// user's data.
type FileExporter struct {
	Owned interface {
		Resources(ctx context.Context, subject string, kind Kind) ([]Resource, error)
	}
	Store interface {
		MailFiles(ctx context.Context, address string, since, now time.Time, limit int) ([]MailFile, error)
	}
	Now func() time.Time
}

// exportedFile is a file as its subject sees it.
type exportedFile struct {
	Address   string         `json:"inbound_email_id"`
	ExpiresAt time.Time      `json:"expires_at"`
	File      map[string]any `json:"file"` // null if it cannot be decrypted
}

// Export writes all files of subject's addresses to e as a JSON array, the oldest of each
// address first.
func (x FileExporter) Export(ctx context.Context, e *jsontext.Encoder, subject string) error {
	addresses, err := x.Owned.Resources(ctx, subject, Address)
	if err != nil {
		return err
	}
	if err := e.WriteToken(jsontext.BeginArray); err != nil {
		return err
	}
	for _, a := range addresses {
		if err := x.exportAddress(ctx, e, a.ID); err != nil {
			return err
		}
	}
	return e.WriteToken(jsontext.EndArray)
}

func (x FileExporter) exportAddress(ctx context.Context, e *jsontext.Encoder, address string) error {
	now := x.Now()
	for since := (time.Time{}); ; {
		files, err := x.Store.MailFiles(ctx, address, since, now, maxFiles)
		if err != nil || len(files) == 0 {
			return err
		}
		for _, f := range files {
			since = f.ReceivedAt
			view := exportedFile{Address: address, ExpiresAt: f.ExpiresAt}
			if f.Members != nil {
				view.File = f.show(now)
			}
			if err := json.MarshalEncode(e, view, json.Deterministic(true), json.FormatNilMapAsNull(true)); err != nil {
				return err
			}
		}
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
