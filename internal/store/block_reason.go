package store

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"

	"casbroker/internal/access"
)

// sealedReason is the reason of a row whose reason is encrypted in sealed_reason. Rows of an
// earlier release have the reason itself until SealReasons encrypts it.
const sealedReason = "(sealed)"

// unsealed is the condition of rows that an earlier release has written, or has emptied.
const unsealed = `reason <> '(sealed)' AND (reason <> '' OR sealed_reason IS NOT NULL)`

func changeData(version string) string { return "access change/" + version }
func blockData(subject string) string  { return "block/" + subject }

// reasonOfChange returns the associated data of the reason of the change with this version.
func reasonOfChange(version int64) string { return changeData(strconv.FormatInt(version, 10)) }

// sealReason returns the columns reason and sealed_reason for a reason, which may be "".
func (s *DB) sealReason(associatedData, reason string) (column string, sealed []byte) {
	if reason == "" {
		return "", nil
	}
	return sealedReason, s.box.Seal(associatedData, []byte(reason))
}

// openReason returns the reason of which these are the columns, or access.Unreadable.
func (s *DB) openReason(associatedData, column string, sealed []byte) string {
	if column != sealedReason {
		return column
	}
	plain, err := s.box.Open(associatedData, sealed)
	if err != nil {
		return access.Unreadable
	}
	return string(plain)
}

// SealReasons encrypts the reasons of blocks that an earlier release has stored in clear, and
// deletes the encrypted ones of rows that it has emptied. It returns their number. Several
// processes may do so at the same time.
func (s *DB) SealReasons(ctx context.Context) (sealed int, err error) {
	for _, c := range sealedColumns() {
		for again := c.column == "sealed_reason"; again; {
			var n int
			if n, again, err = s.sealReasons(ctx, c); err != nil {
				return sealed, fmt.Errorf("encrypt the reasons of %s: %w", c.table, err)
			}
			sealed += n
		}
	}
	if sealed > 0 {
		s.truncate(ctx)
	}
	return sealed, nil
}

// sealReasons does one batch of SealReasons in the table of c. again reports that there may be
// more.
func (s *DB) sealReasons(ctx context.Context, c sealedColumn) (n int, again bool, err error) {
	type row struct {
		key    any
		reason string
	}
	err = s.change(ctx, "encrypt reasons of blocks", func(ctx context.Context, tx *sql.Tx) error {
		n = 0
		list, err := queryAll(ctx, tx, func(scan func(...any) error) (r row, err error) {
			return r, scan(&r.key, &r.reason)
		}, c.expand(`SELECT {key}, reason FROM {table} WHERE `+unsealed+` ORDER BY {key} LIMIT $1`), batchRows)
		if err != nil {
			return err
		}
		again = len(list) == batchRows
		for _, r := range list {
			column, sealed := s.sealReason(c.associatedData(r.key), r.reason)
			result, err := tx.ExecContext(ctx, c.expand(`UPDATE {table} SET reason = $1, sealed_reason = $2 WHERE {key} = $3 AND reason = $4`),
				column, sealed, r.key, r.reason)
			if err != nil {
				return err
			}
			changed, err := result.RowsAffected()
			if err != nil {
				return err
			}
			n += int(changed)
		}
		return nil
	})
	return n, again, err
}
