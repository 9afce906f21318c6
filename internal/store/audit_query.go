package store

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"github.com/pressly/goose/v3"

	"casbroker/internal/audit"
)

const entryColumns = `id, at_ms, actor, role, action, subject, object, outcome, detail,
	request_id, address, user_agent, writer, seq, origin, mac`

// entriesAtOnce is how many of many records one statement inserts.
const entriesAtOnce = 50

// insertEntry inserts one audit record, insertEntries entriesAtOnce of them.
var insertEntry, insertEntries = insertEntriesOf(1), insertEntriesOf(entriesAtOnce)

var entryColumnCount = strings.Count(entryColumns, ",") + 1

func insertEntriesOf(n int) string {
	rows := make([]string, n)
	for i := range rows {
		rows[i] = "(" + placeholders(1+i*entryColumnCount, entryColumnCount) + ")"
	}
	return `INSERT INTO audit (` + entryColumns + `) VALUES ` + strings.Join(rows, ", ")
}

// Records reads up to limit audit records that match f, newest first, after the given
// cursor; the zero Cursor is before the newest.
func (s *DB) Records(ctx context.Context, f audit.Filter, after audit.Cursor, limit int) ([]audit.Entry, error) {
	var where conditions
	where.equal("subject", f.Subject)
	where.equal("actor", f.Actor)
	where.equal("action", string(f.Action))
	for _, action := range f.Without {
		where.add("action <> ?", string(action))
	}
	if f.Outcome == audit.Refused { // without a parameter, so that the index of these records can be used
		where.add("outcome = 'refused'")
	} else {
		where.equal("outcome", string(f.Outcome))
	}
	where.equal("request_id", f.RequestID)
	if !f.Since.IsZero() {
		where.add("at_ms >= ?", millis(f.Since))
	}
	if !f.Until.IsZero() {
		where.add("at_ms < ?", millis(f.Until))
	}
	if after != (audit.Cursor{}) {
		where.add("(at_ms, id) < (?, ?)", millis(after.At), after.ID)
	}
	query := `SELECT ` + entryColumns + ` FROM audit` + where.text() + ` ORDER BY at_ms DESC, id DESC` + where.number(" LIMIT ?", limit)
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	list, err := s.entries(ctx, query, where.args...)
	return list, s.explain(ctx, "read audit records", err)
}

// entries runs query, which must select entryColumns.
func (s *DB) entries(ctx context.Context, query string, args ...any) ([]audit.Entry, error) {
	rows, err := s.reader.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var list []audit.Entry
	for rows.Next() {
		var e audit.Entry
		var atMS int64
		err := rows.Scan(&e.ID, &atMS, &e.Actor, &e.Role, &e.Action, &e.Subject, &e.Object, &e.Outcome, &e.Detail,
			&e.RequestID, &e.Address, &e.UserAgent, &e.Writer, &e.Seq, &e.Origin, &e.MAC)
		if err != nil {
			return nil, err
		}
		e.At = instant(atMS)
		list = append(list, e)
	}
	return list, rows.Err()
}

// Chain reads up to limit entries of writer's chain in their order, after the one with
// this seq and id.
func (s *DB) Chain(ctx context.Context, writer string, seq int64, id string, limit int) ([]audit.Entry, error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	list, err := s.entries(ctx, `SELECT `+entryColumns+` FROM audit
		WHERE writer = $1 AND writer <> '' AND (seq, id) > ($2, $3) ORDER BY seq, id LIMIT $4`, writer, seq, id, limit)
	return list, s.explain(ctx, "read an audit chain", err)
}

// Heads reads up to limit heads of chains in the order of their numbers, after number.
func (s *DB) Heads(ctx context.Context, number int64, limit int) ([]audit.SealedHead, error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	list, err := s.heads(ctx, number, limit)
	return list, s.explain(ctx, "read heads of audit chains", err)
}

func (s *DB) heads(ctx context.Context, number int64, limit int) ([]audit.SealedHead, error) {
	return queryAll(ctx, s.reader, func(scan func(...any) error) (h audit.SealedHead, err error) {
		return h, scan(&h.Writer, &h.Number, &h.Seq, &h.MAC, &h.Links, &h.Seal, &h.Stump.Seq, &h.Stump.MAC, &h.Stump.Seal)
	}, `SELECT writer, place, seq, mac, links, seal, stump_seq, stump_mac, stump_seal FROM audit_writers
		WHERE place > $1 ORDER BY place LIMIT $2`, number, limit)
}

// NextWriter returns the writer that follows after, in the order of their names, and
// reports whether its chain has a head. After the last writer it returns "".
func (s *DB) NextWriter(ctx context.Context, after string) (writer string, headed bool, err error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	err = s.reader.QueryRowContext(ctx, `SELECT writer, EXISTS (SELECT 1 FROM audit_writers w WHERE w.writer = a.writer)
		FROM audit a WHERE writer > $1 AND writer <> '' ORDER BY writer LIMIT 1`, after).Scan(&writer, &headed)
	if errors.Is(err, sql.ErrNoRows) {
		return "", false, nil
	}
	return writer, headed, s.explain(ctx, "read writers of audit records", err)
}

// Unchained counts the audit records without a chain, and returns how many there should be:
// the zero Unchained if that is not stored.
func (s *DB) Unchained(ctx context.Context) (found int64, sealed audit.Unchained, err error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	if err = s.reader.QueryRowContext(ctx, countUnchained).Scan(&found); err == nil {
		err = s.reader.QueryRowContext(ctx, `SELECT records, seal FROM audit_unchained`).Scan(&sealed.Records, &sealed.Seal)
	}
	if errors.Is(err, sql.ErrNoRows) {
		return found, audit.Unchained{}, nil
	}
	return found, sealed, s.explain(ctx, "count audit records", err)
}

const countUnchained = `SELECT COUNT(*) FROM audit WHERE writer = ''`

// sealUnchained returns the migration that stores how many records have no chain: those of
// before chains existed.
func (s *DB) sealUnchained() *goose.Migration {
	up := func(ctx context.Context, tx *sql.Tx) error {
		var u audit.Unchained
		if err := tx.QueryRowContext(ctx, countUnchained).Scan(&u.Records); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO audit_unchained (one, records, seal) VALUES (1, $1, $2)`, u.Records, u.Sum(s.box))
		return err
	}
	down := func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM audit_unchained`)
		return err
	}
	return goose.NewGoMigration(31, &goose.GoFunc{RunTx: up}, &goose.GoFunc{RunTx: down})
}
