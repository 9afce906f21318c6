// Package privacy exports and erases the data of a user on their request, and deletes
// data whose retention period is over. Other packages export their own data as an
// ExportSource.
package privacy

import (
	"context"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"casbroker/internal/audit"
	"casbroker/internal/fault"
)

var (
	errInProgress = fault.New(fault.Limited, "export_under_way",
		"Another export of yours is in progress; wait until it has ended.").After(10 * time.Second)
	errBusy = fault.New(fault.Unavailable, "export_busy",
		"Too many exports are in progress; try again.").After(10 * time.Second)
)

// Exporter writes all data of one kind about subject to e, as one JSON value. It holds
// only a part of the data in memory at a time.
type Exporter interface {
	Export(ctx context.Context, e *jsontext.Encoder, subject string) error
}

// ExportSource is one member of the exported JSON object.
type ExportSource struct {
	Name string
	Exporter
}

// Store erases users and stores the audit trail. After a nil error a change is durable;
// after an error nothing has changed.
type Store interface {
	// Append adds audit records of actions that change no data.
	Append(ctx context.Context, records ...audit.Record) error
	// Erase deletes all data about subject except the audit trail, to which it adds r, and
	// the times of blocks and revocations, whose reasons it deletes. A block in force is
	// kept with its reason. It revokes all tokens of subject.
	Erase(ctx context.Context, subject string, r audit.Record) (EraseResult, error)
	// Trail returns up to limit records about subject after the given one, oldest first.
	// The zero Record starts with the oldest.
	Trail(ctx context.Context, subject string, after audit.Record, limit int) ([]audit.Record, error)
}

// EraseResult counts what was deleted.
type EraseResult struct {
	Portfolios int `json:"portfolios"`
	Grants     int `json:"grants"`
	// AccessVersion is the version of the change of access that revoked the tokens.
	AccessVersion int64 `json:"-"`
}
