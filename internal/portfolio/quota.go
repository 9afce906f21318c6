package portfolio

import (
	"context"
	"fmt"

	"casbroker/internal/fault"
)

// ErrQuota: the user has as many statements as this service keeps for one user.
var ErrQuota = fault.New(fault.Conflict, "quota_exceeded",
	"You have as many statements as are kept for one user; delete some that you no longer need, then send this one again.")

// Quota bounds what is stored for one user. Zero stands for no limit.
type Quota struct {
	Statements int
	Bytes      int64 // of the stored statements, compressed
}

// Stored is what is stored for one user.
type Stored struct {
	Statements int
	Bytes      int64
	Oldest     string // the id of the portfolio that the user needs least: not active, with the earliest period
}

// Check returns an ErrQuota that names a statement to delete unless one more of size bytes
// may be stored.
func (q Quota) Check(s Stored, size int64) error {
	switch {
	case q.Statements > 0 && s.Statements >= q.Statements:
		return ErrQuota.Withf("You have %d statements, which is the most that are kept for one user. Nothing was saved. %s", s.Statements, s.advice())
	case q.Bytes > 0 && s.Bytes+size > q.Bytes:
		return ErrQuota.Withf("Your %d statements take %s, and with this one they would take more than the %s that are kept for one user. Nothing was saved. %s",
			s.Statements, mebibytes(s.Bytes), mebibytes(q.Bytes), s.advice())
	default:
		return nil
	}
}

func (s Stored) advice() string {
	if s.Oldest == "" {
		return "This one is too large."
	}
	return "Delete statements that you no longer need, such as " + s.Oldest + ", which is the oldest, then send this one again."
}

func mebibytes(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

// CheckQuota returns ErrQuota if no statement of subject, however small, would be saved.
func (s *Service) CheckQuota(ctx context.Context, subject string) error {
	if s.Quota == (Quota{}) {
		return nil
	}
	stored, err := s.Reader.Stored(ctx, subject)
	if err != nil {
		return err
	}
	return s.Quota.Check(stored, 0)
}
