// Package privacy gives users all that is kept of them, deletes it when they ask
// for that, and deletes what is older than the settings let it be. What there is
// in detail is told by the rooms that keep it, through a Source of each.
package privacy

import (
	"context"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"casbroker/internal/audit"
	"casbroker/internal/fault"
)

// One export holds as much in memory as several saves.
var (
	errUnderWay = fault.New(fault.Limited, "export_under_way",
		"Another export of yours is still under way; wait for its end.").After(10 * time.Second)
	errBusy = fault.New(fault.Unavailable, "export_busy",
		"Too many exports are under way; try again.").After(10 * time.Second)
)

// Source writes everything of one kind that is kept of subject to e, as one JSON
// value. It holds a little of that in memory at a time.
type Source interface {
	Export(ctx context.Context, e *jsontext.Encoder, subject string) error
}

// Part is one member of the exported object.
type Part struct {
	Name string
	Source
}

// Keeper erases, and keeps the audit trail. When a call that changes something
// returns nil, the change is durable; when it returns an error, nothing changed.
type Keeper interface {
	// Append adds a record that tells of what changes nothing.
	Append(ctx context.Context, records ...audit.Record) error
	// Erase deletes all that is kept of subject but the audit trail, to which it adds r,
	// and when it was blocked and revoked: of that, the reasons go. A block in force stays.
	Erase(ctx context.Context, subject string, r audit.Record) (Erased, error)
	// Trail reads up to limit records about subject past after, oldest first; the
	// zero Record is before the oldest.
	Trail(ctx context.Context, subject string, after audit.Record, limit int) ([]audit.Record, error)
}

// Erased counts what was deleted of a user.
type Erased struct {
	Portfolios int `json:"portfolios"`
	Grants     int `json:"grants"`
}
