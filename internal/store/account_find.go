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
	return s.accounts(ctx, subject, "account_details", s.latestAccounts)
}

// AccountStatements is Accounts, but the accounts have no number, institution and holders. It
// neither reads nor decrypts what is sealed of accounts, which is most of what is stored of
// them.
func (s *DB) AccountStatements(ctx context.Context, subject string) ([]portfolio.Account, []portfolio.Owner, []portfolio.AccountStatement, error) {
	return s.accounts(ctx, subject, "NULL", entriesOf)
}

// StatementsVersion returns the ids of the portfolios of subject, in order, each with its
// provenance, its owner and whether its accounts are known: what portfolio.AccountReader says.
func (s *DB) StatementsVersion(ctx context.Context, subject string) (version string, err error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	err = s.reader.QueryRowContext(ctx, `SELECT COALESCE(STRING_AGG(version, ',' ORDER BY version), '') FROM (
		SELECT id || ' ' || provenance || ' ' || owner || CASE WHEN accounts IS NULL THEN ' unknown' ELSE ' known' END AS version
		FROM portfolios WHERE subject = $1) AS list`, subject).Scan(&version)
	return version, s.explain(ctx, "read the version of portfolios", err)
}

// accounts reads the accounts of subject with the column of what is sealed of them, and has
// open collect them.
func (s *DB) accounts(
	ctx context.Context, subject, details string, open func([]listing) ([]portfolio.Account, []portfolio.AccountStatement),
) ([]portfolio.Account, []portfolio.Owner, []portfolio.AccountStatement, error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	read, err := s.readAccounts(ctx, s.reader, subject, details)
	if err != nil {
		return nil, nil, nil, s.explain(ctx, "read accounts", err)
	}
	accounts, statements := open(read.listings)
	owners := make([]portfolio.Owner, 0, len(read.owners))
	user := portfolio.UserOf(plainOwners(read.owners))
	for _, o := range plainOwners(read.owners) {
		owner := portfolio.Owner{Number: o.Number, Name: o.Name, PANMasked: o.PANMasked, User: o.Number == user}
		for i := range accounts {
			owner.Accounts += boolInt(accounts[i].Owner == o.Number)
		}
		owners = append(owners, owner)
	}
	return accounts, owners, statements, nil
}

// listing is what a portfolio tells about its accounts.
type listing struct {
	portfolio.AccountStatement // without entries
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

// readListings has what is stored about the accounts of a user.
type readListings struct {
	owners   map[int]knownOwner
	listings []listing // the latest first
}

// readAccounts reads the owners and listings of subject in one query, so in one snapshot.
func (s *DB) readAccounts(ctx context.Context, db querier, subject, details string) (read readListings, err error) {
	rows, err := db.QueryContext(ctx, `SELECT 1, id, number, sealed, NULL, '', '', 0, '', 0 FROM owners WHERE subject = $1
		UNION ALL SELECT 0, id, owner, `+details+`, accounts, cas_type, period_to, saved_ms, provenance,
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
	slices.SortFunc(read.listings, func(a, b listing) int { return b.Compare(&a.AccountStatement) })
	return read, rows.Err()
}

// latestAccounts returns the accounts of listings, which are the latest first, by owner, and
// the listings with their entries. It decrypts only the listings that are the latest of an
// account.
func (s *DB) latestAccounts(listings []listing) ([]portfolio.Account, []portfolio.AccountStatement) {
	accounts, statements := entriesOf(listings)
	readable := make([]bool, len(accounts))
	for i := range listings {
		l, entries := &listings[i], statements[i].Entries
		var opened []portfolio.ListedAccount
		isReadable := false
		for n, e := range entries {
			if readable[e.Account] {
				continue
			}
			if opened == nil {
				_, opened, isReadable = s.openAccounts(l.PortfolioID, l.accountLinks, l.sealed)
			}
			a := &accounts[e.Account]
			a.Number, a.Institution, a.Holders, readable[e.Account] = opened[n].Number, opened[n].Institution, opened[n].Holders, isReadable
		}
	}
	return accounts, statements
}

// entriesOf returns the accounts of listings, which are the latest first, by owner, without
// what is sealed, and the listings with their entries.
func entriesOf(listings []listing) ([]portfolio.Account, []portfolio.AccountStatement) {
	total := 0
	for i := range listings {
		total += len(listings[i].accounts)
	}
	var accounts []portfolio.Account
	index := map[[16]byte]int{}
	all := make([]portfolio.AccountEntry, 0, total)
	statements := make([]portfolio.AccountStatement, len(listings))
	var before []accountLink // of the previous listing: most list the same accounts in the same order
	var beforeEntries []portfolio.AccountEntry
	for i := range listings {
		l := &listings[i]
		first := len(all)
		for n, a := range l.accounts {
			var at int
			if n < len(before) && before[n].id == a.id {
				at = beforeEntries[n].Account
			} else if known, ok := index[a.id]; ok {
				at = known
			} else {
				at = len(accounts)
				index[a.id] = at
				accounts = append(accounts, portfolio.Account{ListedAccount: portfolio.ListedAccount{ID: a.publicID(), Kind: a.kind, Owner: a.owner}})
			}
			of := &accounts[at]
			of.Statements++
			of.FirstSeen, of.LastSeen = widen(of.FirstSeen, of.LastSeen, l.SavedAt)
			all = append(all, portfolio.AccountEntry{Account: at, Owner: a.owner, Rows: a.rows})
		}
		statements[i] = l.AccountStatement
		statements[i].Entries = all[first:len(all):len(all)]
		before, beforeEntries = l.accounts, statements[i].Entries
	}
	sortAccounts(accounts, all)
	return accounts, statements
}

// sortAccounts sorts accounts by owner, kind and id, and changes the entries to match.
func sortAccounts(accounts []portfolio.Account, entries []portfolio.AccountEntry) {
	order := make([]int, len(accounts))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int {
		a, b := &accounts[i], &accounts[j]
		return cmp.Or(a.Owner-b.Owner, slices.Index(accountKinds, a.Kind)-slices.Index(accountKinds, b.Kind), cmp.Compare(a.ID, b.ID))
	})
	sorted, places := make([]portfolio.Account, len(accounts)), make([]int, len(accounts))
	for place, i := range order {
		sorted[place], places[i] = accounts[i], place
	}
	copy(accounts, sorted)
	for i := range entries {
		entries[i].Account = places[entries[i].Account]
	}
}
