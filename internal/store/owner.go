package store

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"

	"casbroker/internal/id"
	"casbroker/internal/portfolio"
)

// knownOwner is an owner of a user, with its row.
type knownOwner struct {
	portfolio.KnownOwner
	row        string // the id of its row in owners; "" for none
	unreadable bool   // its name cannot be decrypted
}

// ownerDetails is what is sealed of an owner, as JSON.
type ownerDetails struct {
	Name      string `json:"name,omitzero"`
	PANMasked string `json:"pan_masked,omitzero"`
}

// ownerData returns the associated data of what is sealed of an owner.
func ownerData(rowID string) string { return "owners/" + rowID }

// knownOwners returns the owners of subject by number, as its portfolios other than except
// tell. The caller must have locked the user.
func (s *DB) knownOwners(ctx context.Context, tx *sql.Tx, subject, except string) (map[int]knownOwner, error) {
	rows, err := tx.QueryContext(ctx, `SELECT '', owner, CASE WHEN accounts IS NULL THEN pan_marks END, NULL, COUNT(*)
		FROM portfolios WHERE subject = $1 AND id <> $2 GROUP BY owner, CASE WHEN accounts IS NULL THEN pan_marks END
		UNION ALL SELECT id, number, pan_hashes, sealed, 0 FROM owners WHERE subject = $1`, subject, except)
	if err != nil {
		return nil, fmt.Errorf("read owners: %w", err)
	}
	defer func() { _ = rows.Close() }()
	known := map[int]knownOwner{}
	for rows.Next() {
		var row string
		var number, statements int
		var hashes, sealed []byte
		if err := rows.Scan(&row, &number, &hashes, &sealed, &statements); err != nil {
			return nil, err
		}
		o := known[number]
		told := portfolio.Person{PANHashes: hashes}
		if row != "" {
			o.row = row
			details, readable := s.openOwner(row, sealed)
			told.Name, told.PANMasked, o.unreadable = details.Name, details.PANMasked, !readable
		}
		o.Number, o.Person = number, o.Merge(told)
		o.Statements += statements
		known[number] = o
	}
	return known, rows.Err()
}

// openOwner decrypts what is sealed of an owner.
func (s *DB) openOwner(rowID string, sealed []byte) (details ownerDetails, readable bool) {
	plain, err := s.box.Open(ownerData(rowID), sealed)
	return details, err == nil && json.Unmarshal(plain, &details) == nil
}

// writeOwner stores what is known of an owner of subject, unless it is stored already.
func (s *DB) writeOwner(ctx context.Context, tx *sql.Tx, subject string, before knownOwner, o portfolio.Person, number int) (changed bool, err error) {
	if before.row != "" && bytes.Equal(before.PANHashes, o.PANHashes) && before.Name == o.Name && before.PANMasked == o.PANMasked {
		return false, nil
	}
	plain, err := json.Marshal(ownerDetails{o.Name, o.PANMasked})
	if err != nil {
		return false, fmt.Errorf("encode an owner: %w", err)
	}
	row, query := before.row, `UPDATE owners SET pan_hashes = $4, sealed = $5 WHERE subject = $2 AND number = $3 AND id = $1`
	if row == "" {
		row, query = id.New("ow"), `INSERT INTO owners (id, subject, number, pan_hashes, sealed) VALUES ($1, $2, $3, $4, $5)`
	}
	if _, err := tx.ExecContext(ctx, query, row, subject, number, o.PANHashes, s.box.Seal(ownerData(row), plain)); err != nil {
		return false, fmt.Errorf("write an owner: %w", err)
	}
	return true, nil
}

// forgetOwners decides again what is known of the owners of subject, after a portfolio is
// deleted: only what the others tell. An owner that none tells of is deleted. It also marks
// the portfolios of other people than the user again.
func (s *DB) forgetOwners(ctx context.Context, tx *sql.Tx, subject string) error {
	told, unreadable, err := s.statedOwners(ctx, tx, subject)
	if err != nil {
		return err
	}
	known, err := s.knownOwners(ctx, tx, subject, "")
	if err != nil {
		return err
	}
	for number, before := range known {
		p := told[number]
		switch {
		case before.row == "", unreadable[number]:
		case p == nil:
			_, err = tx.ExecContext(ctx, `DELETE FROM owners WHERE id = $1`, before.row)
		default:
			_, err = s.writeOwner(ctx, tx, subject, before, *p, number)
		}
		if err != nil {
			return fmt.Errorf("forget an owner: %w", err)
		}
	}
	return s.markOthers(ctx, tx, subject)
}

// sweepOwners deletes the owners of users without portfolios. They are left if a release that
// did not know owners erased a user.
func (s *DB) sweepOwners(ctx context.Context) error {
	return s.change(ctx, "delete owners of nobody", func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM owners WHERE NOT EXISTS (SELECT 1 FROM portfolios p WHERE p.subject = owners.subject)`)
		return err
	})
}

// statedOwners returns what the portfolios of subject state of each owner, by number, and the
// numbers of those that portfolios tell of that cannot be decrypted.
func (s *DB) statedOwners(ctx context.Context, tx *sql.Tx, subject string) (told map[int]*portfolio.Person, unreadable map[int]bool, err error) {
	rows, err := tx.QueryContext(ctx, `SELECT id, accounts, account_details FROM portfolios WHERE subject = $1 AND accounts IS NOT NULL`, subject)
	if err != nil {
		return nil, nil, fmt.Errorf("read the owners of portfolios: %w", err)
	}
	defer func() { _ = rows.Close() }()
	told, unreadable = map[int]*portfolio.Person{}, map[int]bool{}
	for rows.Next() {
		var portfolioID string
		var packed, sealed []byte
		if err := rows.Scan(&portfolioID, &packed, &sealed); err != nil {
			return nil, nil, err
		}
		links, err := unpackLinks(packed)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", portfolioID, err)
		}
		owners, _, readable := s.openAccounts(portfolioID, links, sealed)
		for i, o := range owners {
			if told[o.Number] == nil {
				told[o.Number] = &portfolio.Person{}
			}
			*told[o.Number] = told[o.Number].Merge(portfolio.Person{Name: o.Name, PANMasked: o.PANMasked, PANHashes: links.owners[i].panHashes})
			unreadable[o.Number] = unreadable[o.Number] || !readable
		}
	}
	return told, unreadable, rows.Err()
}

// markOthers marks the portfolios of subject whose owner contradicts the user, and only
// those.
func (s *DB) markOthers(ctx context.Context, tx *sql.Tx, subject string) error {
	known, err := s.knownOwners(ctx, tx, subject, "")
	if err != nil {
		return err
	}
	return markOthers(ctx, tx, subject, plainOwners(known))
}

func markOthers(ctx context.Context, tx *sql.Tx, subject string, known []portfolio.KnownOwner) error {
	user := portfolio.UserOf(known)
	for _, o := range known {
		i := slices.IndexFunc(known, func(o portfolio.KnownOwner) bool { return o.Number == user })
		other := i >= 0 && portfolio.Contradicts(known[i].PANHashes, o.PANHashes)
		_, err := tx.ExecContext(ctx, `UPDATE portfolios SET of_other = $1 WHERE subject = $2 AND owner = $3 AND of_other <> $1`,
			boolInt(other), subject, o.Number)
		if err != nil {
			return fmt.Errorf("mark portfolios of other owners: %w", err)
		}
	}
	return nil
}

// plainOwners returns owners by number.
func plainOwners(known map[int]knownOwner) []portfolio.KnownOwner {
	list := make([]portfolio.KnownOwner, 0, len(known))
	for _, o := range known {
		list = append(list, o.KnownOwner)
	}
	slices.SortFunc(list, func(a, b portfolio.KnownOwner) int { return a.Number - b.Number })
	return list
}
