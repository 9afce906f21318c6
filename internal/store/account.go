package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"casbroker/internal/fault"
	"casbroker/internal/portfolio"
)

// findOwners decides whose row and its accounts are. It returns the owners that were known
// before, too, and portfolio.ErrTooManyOwners for too many new ones.
func (s *DB) findOwners(ctx context.Context, tx *sql.Tx, row *sealedPortfolio) (map[int]knownOwner, portfolio.Owners, error) {
	known, err := s.knownOwners(ctx, tx, row.Subject, row.ID)
	if err != nil {
		return nil, portfolio.Owners{}, err
	}
	doubt := func(p portfolio.Person) bool { return len(known) > 1 || !p.HasPAN() }
	if slices.ContainsFunc(row.stated.Accounts, doubt) {
		if err := readOwnersBefore(ctx, tx, row); err != nil {
			return nil, portfolio.Owners{}, err
		}
	}
	found := portfolio.FindOwners(plainOwners(known), row.stated.Stated)
	if len(found.Known) > max(portfolio.MaxOwners, len(known)) {
		return nil, portfolio.Owners{}, portfolio.ErrTooManyOwners
	}
	return known, found, nil
}

// readOwnersBefore sets whose the accounts of row were in the latest statements that list
// them.
func readOwnersBefore(ctx context.Context, tx *sql.Tx, row *sealedPortfolio) error {
	rows, err := tx.QueryContext(ctx, `SELECT accounts FROM portfolios WHERE subject = $1 AND id <> $2 AND accounts IS NOT NULL
		ORDER BY period_to, saved_ms, id`, row.Subject, row.ID)
	if err != nil {
		return fmt.Errorf("read the accounts of portfolios: %w", err)
	}
	defer func() { _ = rows.Close() }()
	owners := map[[16]byte]int{}
	for rows.Next() {
		var packed []byte
		if err := rows.Scan(&packed); err != nil {
			return err
		}
		links, err := unpackLinks(packed)
		if err != nil {
			return err
		}
		for _, a := range links.accounts {
			owners[a.id] = a.owner
		}
	}
	for i, a := range row.stated.listed {
		row.stated.Before[i] = owners[a.id]
	}
	return rows.Err()
}

// linkAccounts sets what row tells about its accounts and their owners, and stores what is
// known of the owners with it. replaced is set if row is active in place of another one.
func (s *DB) linkAccounts(ctx context.Context, tx *sql.Tx, row *sealedPortfolio, known map[int]knownOwner, found portfolio.Owners, replaced bool) error {
	changed := false
	for _, o := range found.Known {
		if !slices.ContainsFunc(found.Stated, func(stated portfolio.KnownOwner) bool { return stated.Number == o.Number }) {
			continue
		}
		wrote, err := s.writeOwner(ctx, tx, row.Subject, known[o.Number], o.Person, o.Number)
		if err != nil {
			return err
		}
		changed = changed || wrote
	}
	if len(found.Known) > 1 && (changed || portfolio.UserOf(plainOwners(known)) != portfolio.UserOf(found.Known)) {
		if err := markOthers(ctx, tx, row.Subject, found.Known); err != nil {
			return err
		}
	}
	row.OfOther = found.OfOther
	return s.setAccounts(row, found, replaced && known[found.Owner].HasPAN())
}

// setAccounts sets the fields of row that tell about its accounts and their owners.
func (s *DB) setAccounts(row *sealedPortfolio, found portfolio.Owners, replaced bool) (err error) {
	links := newLinks(found, row.stated.listed)
	row.links, row.panHashes = links.pack(), found.StatedPAN()
	row.details = s.sealAccounts(row.ID, found, row.stated.accounts)
	row.Owners, row.Accounts, _ = s.openAccounts(row.ID, links, row.details)
	warnings := slices.Clone(row.Warnings)
	if len(found.Stated) > 1 {
		warnings = append(warnings, portfolio.SeveralOwners)
	}
	switch {
	case found.MissingPAN && replaced:
		warnings = append(warnings, portfolio.MissingPANActive)
	case found.MissingPAN:
		warnings = append(warnings, portfolio.MissingPAN)
	}
	if len(warnings) > len(row.Warnings) {
		row.Warnings = warnings
		err = s.sealPrivate(row)
	}
	addOtherOwner(&row.Portfolio)
	return err
}

// addOtherOwner adds the warning that p is of another person than the user, if it is. The
// warning is not stored: who the user is may change.
func addOtherOwner(p *portfolio.Portfolio) {
	stored := slices.DeleteFunc(slices.Clone(p.Warnings), func(w fault.Field) bool { return w.Code == portfolio.OtherOwner.Code })
	if p.OfOther {
		stored = append(stored, portfolio.OtherOwner)
	}
	if len(stored) > 0 || len(p.Warnings) > 0 {
		p.Warnings = stored
	}
}

// scanAccounts sets the owners and accounts of p from the columns that have them.
func (s *DB) scanAccounts(p *portfolio.Portfolio, packed, sealed []byte) error {
	links, err := unpackLinks(packed)
	if err != nil {
		return fmt.Errorf("%s: %w", p.ID, err)
	}
	p.Owners, p.Accounts, _ = s.openAccounts(p.ID, links, sealed)
	addOtherOwner(p)
	return nil
}
