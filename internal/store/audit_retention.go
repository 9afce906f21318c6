package store

import (
	"context"
	"crypto/hmac"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"casbroker/internal/audit"
)

// expireRecords is how many audit records one transaction deletes.
const expireRecords = 500

// errDamagedTrail is returned when old audit records would hide damage if they were deleted.
var errDamagedTrail = errors.New("the audit trail is damaged, so its old records are kept; run broker audit verify")

// ExpireRecords deletes the audit records that were written at until or before. Of each
// chain these are the ones before the first newer record; a Stump says where the chain
// begins now. It works in small transactions, appends a record with the instant at, and
// returns how many it deleted, also when it fails halfway. It fails for a damaged chain.
func (s *DB) ExpireRecords(ctx context.Context, until, at time.Time) (total int, err error) {
	defer func() {
		if total > 0 {
			r := audit.New(ctx, at, audit.Retention, audit.AuditExpire, "", "").WithDetail(fmt.Sprint("count=", total))
			err = errors.Join(err, s.Append(ctx, r))
		}
	}()
	if total, err = s.expireUnchained(ctx, until); err != nil {
		return total, err
	}
	for number := int64(0); ; {
		heads, err := s.Heads(ctx, number, 1)
		if err != nil || len(heads) == 0 {
			return total, err
		}
		number = heads[0].Number
		n, err := s.expireChain(ctx, heads[0], until)
		if total += n; err != nil {
			return total, err
		}
	}
}

// expireUnchained deletes old records without a chain.
func (s *DB) expireUnchained(ctx context.Context, until time.Time) (total int, err error) {
	for {
		n := 0
		err := s.change(ctx, "delete old audit records", func(ctx context.Context, tx *sql.Tx) (err error) {
			n, err = changeRows(ctx, tx, `DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE writer = '' AND at_ms <= $1 ORDER BY at_ms, id LIMIT $2)`,
				millis(until), expireRecords)
			if err != nil || n == 0 {
				return err
			}
			var u audit.Unchained
			if err := tx.QueryRowContext(ctx, `SELECT records, seal FROM audit_unchained`).Scan(&u.Records, &u.Seal); err != nil {
				return err
			}
			if !hmac.Equal(u.Seal, u.Sum(s.box)) || u.Records < int64(n) {
				return errDamagedTrail
			}
			left := audit.Unchained{Records: u.Records - int64(n)}
			changed, err := changeRows(ctx, tx, `UPDATE audit_unchained SET records = $1, seal = $2 WHERE records = $3`,
				left.Records, left.Sum(s.box), u.Records)
			if err == nil && changed != 1 {
				err = errDamagedTrail
			}
			return err
		})
		if err != nil {
			return total, err
		}
		if total += n; n < expireRecords {
			return total, nil
		}
	}
}

// expireChain deletes the old records at the beginning of the chain that ends with head.
func (s *DB) expireChain(ctx context.Context, head audit.SealedHead, until time.Time) (total int, err error) {
	for stump := head.Stump; ; {
		old, err := s.Chain(ctx, head.Writer, stump.Seq+1, "", expireRecords)
		if err != nil {
			return total, err
		}
		next, err := s.shorter(head.Writer, stump, old, until)
		if err != nil || next.Seq == stump.Seq {
			return total, err
		}
		n, err := s.moveStump(ctx, head.Writer, stump, next)
		if total += n; err != nil {
			return total, err
		}
		stump = next
	}
}

// shorter returns the Stump after the first of entries, which follow stump, that were
// written at until or before. It verifies them, since deleting them deletes their damage.
func (s *DB) shorter(writer string, stump audit.Stump, entries []audit.Entry, until time.Time) (audit.Stump, error) {
	if stump.Seq != 0 && !hmac.Equal(stump.Seal, stump.Sum(s.box, writer)) {
		return stump, errDamagedTrail
	}
	next := stump
	for _, e := range entries {
		if e.At.After(until) {
			break
		}
		if e.Seq != next.Seq+1 || !e.Follows(s.box, next.MAC) {
			return stump, errDamagedTrail
		}
		next.Seq, next.MAC = e.Seq, e.MAC
	}
	next.Seal = next.Sum(s.box, writer)
	return next, nil
}

// moveStump deletes the records of writer between two stumps.
func (s *DB) moveStump(ctx context.Context, writer string, from, to audit.Stump) (n int, err error) {
	err = s.change(ctx, "delete old audit records", func(ctx context.Context, tx *sql.Tx) error {
		moved, err := changeRows(ctx, tx, `UPDATE audit_writers SET stump_seq = $1, stump_mac = $2, stump_seal = $3 WHERE writer = $4 AND stump_seq = $5`,
			to.Seq, to.MAC, to.Seal, writer, from.Seq)
		if err != nil || moved != 1 { // another replica has moved it
			return err
		}
		n, err = changeRows(ctx, tx, `DELETE FROM audit WHERE writer = $1 AND seq > $2 AND seq <= $3`, writer, from.Seq, to.Seq)
		return err
	})
	return n, err
}
