package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"casbroker/internal/portfolio"
)

// Accounts returns the accounts of subject with their owners, and the statements that list
// them, the latest first, in one snapshot.
func (s *DB) Accounts(ctx context.Context, subject string) ([]portfolio.Account, []portfolio.Owner, []portfolio.AccountStatement, error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	read, err := s.readAccounts(ctx, s.reader, subject)
	if err != nil {
		return nil, nil, nil, s.explain(ctx, "read accounts", err)
	}
	accounts := s.latestAccounts(read.listings)
	owners := make([]portfolio.Owner, 0, len(read.owners))
	user := portfolio.UserOf(plainOwners(read.owners))
	for _, o := range plainOwners(read.owners) {
		owner := portfolio.Owner{Number: o.Number, Name: o.Name, PANMasked: o.PANMasked, User: o.Number == user}
		for i := range accounts {
			owner.Accounts += boolInt(accounts[i].Owner == o.Number)
		}
		owners = append(owners, owner)
	}
	var statements []portfolio.AccountStatement
	for _, l := range read.listings {
		statements = append(statements, l.statements()...)
	}
	return accounts, owners, statements, nil
}

// listing is what a portfolio tells about its accounts.
type listing struct {
	portfolio.AccountStatement // of the portfolio, with its owner; without an account
	accountLinks
	sealed []byte
}

// unpack sets the accounts from their column, and when the portfolio was saved.
func (l *listing) unpack(packed []byte, savedMS int64) (err error) {
	l.SavedAt, l.Unknown = instant(savedMS), packed == nil
	if l.Unknown {
		return nil
	}
	if l.accountLinks, err = unpackLinks(packed); err != nil {
		return fmt.Errorf("%s: %w", l.PortfolioID, err)
	}
	return nil
}

// statements returns an entry for each account of the listing, and one without an account if
// its owner has none in it, or none is known.
func (l listing) statements() (list []portfolio.AccountStatement) {
	owned := false
	for i, a := range l.accounts {
		entry := l.AccountStatement
		entry.AccountID, entry.Index, entry.Owner, entry.Rows = a.publicID(), i, a.owner, a.rows
		list = append(list, entry)
		owned = owned || a.owner == l.Owner
	}
	if !owned {
		list = append(list, l.AccountStatement)
	}
	return list
}

// readListings has what is stored about the accounts of a user.
type readListings struct {
	owners   map[int]knownOwner
	listings []listing // the latest first
}

// readAccounts reads the owners and listings of subject in one query, so in one snapshot.
func (s *DB) readAccounts(ctx context.Context, db querier, subject string) (read readListings, err error) {
	rows, err := db.QueryContext(ctx, `SELECT 1, id, number, sealed, NULL, '', '', 0, '', 0 FROM owners WHERE subject = $1
		UNION ALL SELECT 0, id, owner, account_details, accounts, cas_type, period_to, saved_ms, provenance,
			received_rows - stored_rows FROM portfolios WHERE subject = $1`, subject)
	if err != nil {
		return read, err
	}
	defer func() { _ = rows.Close() }()
	read.owners = map[int]knownOwner{}
	for rows.Next() {
		var l listing
		var isOwner, savedMS int64
		var packed []byte
		err := rows.Scan(&isOwner, &l.PortfolioID, &l.Owner, &l.sealed, &packed, &l.CASType, &l.To, &savedMS, &l.Provenance, &l.Rejected)
		if err != nil {
			return read, err
		}
		o := read.owners[l.Owner]
		o.Number = l.Owner
		if isOwner == 1 {
			details, _ := s.openOwner(l.PortfolioID, l.sealed)
			o.Name, o.PANMasked = details.Name, details.PANMasked
			read.owners[l.Owner] = o
			continue
		}
		o.Statements++
		read.owners[l.Owner] = o
		if err := l.unpack(packed, savedMS); err != nil {
			return read, err
		}
		read.listings = append(read.listings, l)
	}
	slices.SortFunc(read.listings, func(a, b listing) int { return b.Compare(a.AccountStatement) })
	return read, rows.Err()
}

// latestAccounts returns the accounts of listings, which are the latest first, by owner. It
// decrypts only the listings that are the latest of an account.
func (s *DB) latestAccounts(listings []listing) []portfolio.Account {
	type found struct {
		portfolio.Account
		readable bool
	}
	accounts := map[[16]byte]*found{}
	for _, l := range listings {
		var opened []portfolio.ListedAccount
		readable := false
		for i, a := range l.accounts {
			of := accounts[a.id]
			if of == nil || !of.readable {
				if opened == nil {
					_, opened, readable = s.openAccounts(l.PortfolioID, l.accountLinks, l.sealed)
				}
				if of == nil {
					of = &found{}
					of.ListedAccount = opened[i]
					accounts[a.id] = of
				}
				of.Number, of.Institution, of.Holders, of.readable = opened[i].Number, opened[i].Institution, opened[i].Holders, readable
			}
			of.Statements++
			of.FirstSeen, of.LastSeen = widen(of.FirstSeen, of.LastSeen, l.SavedAt)
		}
	}
	list := make([]portfolio.Account, 0, len(accounts))
	for _, a := range accounts {
		list = append(list, a.Account)
	}
	slices.SortFunc(list, func(a, b portfolio.Account) int {
		return cmp.Or(a.Owner-b.Owner, slices.Index(accountKinds, a.Kind)-slices.Index(accountKinds, b.Kind), cmp.Compare(a.ID, b.ID))
	})
	return list
}
