package portfolio

import (
	"context"
	"time"

	"casbroker/internal/audit"
	"casbroker/internal/fault"
	"casbroker/internal/statement"
)

// ErrNoCapture: the capture was saved meanwhile, or deleted with the data of its user.
var ErrNoCapture = fault.New(fault.NotFound, "capture_not_found", "There is no such capture.")

// Capture is an answer of the vendor to a parse call of a user, as the gateway saw it. It
// is stored until it is saved as a Verified portfolio. If captures are only matched, it is
// stored for observedFor, until its user posts the same statement.
type Capture struct {
	ID      string // "ca_…"
	Subject string
	CallID  string    // of the recorded call; "" if it was not recorded
	At      time.Time // when it was seen
	Payload []byte
	// Uploaded is set if its user sent the statement to the broker: it is saved, whatever the
	// settings say of captures. Job is the id of the job that did, "" for none.
	Uploaded bool
	Job      string
	// Key is the claim of the request that it answers, nil for none. Its Idempotency-Key stays
	// claimed until the capture is saved, which completes it, dropped, or cannot be decrypted. It is not read back.
	Key *Claim
	// Delay is how long after At it becomes due.
	Delay time.Duration
	Tries int // saves that failed
}

// ObserveRequest turns a stored capture into one that is matched.
type ObserveRequest struct {
	Capture   Capture
	Statement statement.Statement // that the payload is
	Until     time.Time           // when the capture is deleted
	Record    audit.Record        // added if a stored portfolio becomes Verified
}

// CaptureStore stores captures. Store.SavePortfolio deletes the one that it saves, and
// those that it matches. Those that are matched are never due.
type CaptureStore interface {
	// KeepCapture stores a capture, which is due after its Delay.
	KeepCapture(ctx context.Context, c Capture) error
	// DueCaptures returns the ids of captures that are due at now, of one subject, or of
	// all if that is "".
	DueCaptures(ctx context.Context, subject string, now time.Time, limit int) ([]string, error)
	// Captures returns the ids of all captures of subject.
	Captures(ctx context.Context, subject string) ([]string, error)
	// Capture returns a capture, ErrNoCapture or ErrUnreadable.
	Capture(ctx context.Context, id string) (Capture, error)
	// PostponeCapture counts a failed save.
	PostponeCapture(ctx context.Context, id string, next time.Time) error
	// FreeKeyOf has a capture give up the Idempotency-Key that it has claimed.
	FreeKeyOf(ctx context.Context, id string) error
	DropCapture(ctx context.Context, id string) error
	// ObserveCapture has a capture matched from now on. If its user has the same statement
	// already, it deletes the capture, makes that portfolio Verified and returns true. It
	// may return ErrNoCapture.
	ObserveCapture(ctx context.Context, o ObserveRequest) (known bool, err error)
	// DropObserved deletes the captures that were matched until now.
	DropObserved(ctx context.Context, now time.Time) error
}

// What becomes of captures.
const (
	CaptureSaved   = "saved"   // a new portfolio
	CaptureKnown   = "known"   // the user already had this statement
	CaptureMatched = "matched" // kept to be compared with what the user posts
	CaptureRefused = "refused" // not a statement, of another person and the settings refuse those, or over the quota
	CaptureFailed  = "failed"  // not saved yet, and tried again
	CaptureLost    = "lost"    // not stored, since the database failed
	CaptureSkipped = "no_copy" // the answer was too large, or broke off, or memory was short
)
