package store

import (
	"fmt"

	"casbroker/internal/portfolio"
	"casbroker/internal/secret"
	"casbroker/internal/statement"
)

// statedAccounts is what a statement tells about its accounts and their owners.
type statedAccounts struct {
	portfolio.Stated
	accounts []statement.Account
	listed   []accountLink // without owners
}

// accountData returns the associated data of the accountDetails of a portfolio.
func accountData(portfolioID string) string { return "portfolio/" + portfolioID + "/accounts" }

// countOwners returns portfolio.ErrTooManyStated if st names too many people as owners.
func countOwners(st *statement.Statement) error {
	owners := map[statement.Holder]bool{}
	for i := range st.Accounts {
		if owners[st.Accounts[i].Owner] = true; len(owners) > portfolio.MaxOwners {
			return portfolio.ErrTooManyStated
		}
	}
	return nil
}

// stateAccounts returns what st, which is portfolio portfolioID of subject, tells about its
// accounts.
func (s *DB) stateAccounts(subject, portfolioID string, st *statement.Statement) statedAccounts {
	hash := s.panHasher(subject)
	a := statedAccounts{
		Stated: portfolio.Stated{
			Investor: newPerson(statement.Holder{Name: st.Investor.Name, PAN: st.PAN}, hash),
			Accounts: make([]portfolio.Person, len(st.Accounts)), Before: make([]int, len(st.Accounts)),
		},
		accounts: st.Accounts, listed: make([]accountLink, len(st.Accounts)),
	}
	for i, account := range st.Accounts {
		a.Accounts[i] = newPerson(account.Owner, hash)
		a.listed[i] = accountLink{id: s.accountID(subject, portfolioID, i, account), kind: account.Kind}
	}
	for i := range st.Holdings {
		if n := st.Holdings[i].AccountIndex; n >= 0 && n < len(a.listed) {
			a.listed[n].rows++
		}
	}
	return a
}

func newPerson(h statement.Holder, hash func(secret.Text) []byte) portfolio.Person {
	return portfolio.Person{Name: h.Name, PANMasked: portfolio.MaskPAN(h.PAN), PANHashes: hash(h.PAN)}
}

// accountID returns the keyed hash that identifies an account among those of subject. An
// account that its statement does not identify is only equal to itself.
func (s *DB) accountID(subject, portfolioID string, index int, a statement.Account) [16]byte {
	key := fmt.Appendf(nil, "%q %q key %q", subject, a.Kind, a.Key)
	if a.Key == "" {
		key = fmt.Appendf(nil, "%q %q account %d of %q", subject, a.Kind, index, portfolioID)
	}
	return [16]byte(s.box.Digest("account", key))
}

// panHasher returns panHashes of subject, which remembers its results.
func (s *DB) panHasher(subject string) func(secret.Text) []byte {
	known := map[secret.Text][]byte{}
	return func(pan secret.Text) []byte {
		hashes, ok := known[pan]
		if !ok {
			hashes = s.panHashes(subject, pan)
			known[pan] = hashes
		}
		return hashes
	}
}

// sealAccounts seals what a portfolio states of its accounts and their owners.
func (s *DB) sealAccounts(portfolioID string, found portfolio.Owners, accounts []statement.Account) []byte {
	details := accountDetails{make([]portfolio.Holder, len(found.Stated)), make([]listingDetails, len(accounts))}
	for i, o := range found.Stated {
		details.owners[i] = portfolio.Holder{Name: o.Name, PANMasked: o.PANMasked}
	}
	for i, a := range accounts {
		holders := make([]portfolio.Holder, len(a.Holders))
		for j, h := range a.Holders {
			holders[j] = portfolio.Holder{Name: h.Name, PANMasked: portfolio.MaskPAN(h.PAN)}
		}
		details.accounts[i] = listingDetails{a.Number, a.Institution, holders}
	}
	return s.box.Seal(accountData(portfolioID), details.pack())
}

// openAccounts returns the owners and accounts of a portfolio. What is sealed of them is empty
// if it cannot be decrypted, which readable reports.
func (s *DB) openAccounts(portfolioID string, links accountLinks, sealed []byte) (
	owners []portfolio.Owner, accounts []portfolio.ListedAccount, readable bool,
) {
	var details accountDetails
	plain, err := s.box.Open(accountData(portfolioID), sealed)
	if readable = err == nil; readable {
		details, readable = unpackDetails(plain)
	}
	if readable = readable && len(details.owners) == len(links.owners) && len(details.accounts) == len(links.accounts); !readable {
		details = accountDetails{make([]portfolio.Holder, len(links.owners)), make([]listingDetails, len(links.accounts))}
	}
	owners, accounts = make([]portfolio.Owner, len(links.owners)), make([]portfolio.ListedAccount, len(links.accounts))
	for i, o := range links.owners {
		owners[i] = portfolio.Owner{Number: o.number, Name: details.owners[i].Name, PANMasked: details.owners[i].PANMasked}
	}
	for i, a := range links.accounts {
		d := &details.accounts[i]
		accounts[i] = portfolio.ListedAccount{
			ID: a.publicID(), Kind: a.kind, Owner: a.owner, Number: d.number, Institution: d.institution, Holders: d.holders,
		}
		for j := range owners {
			owners[j].Accounts += boolInt(owners[j].Number == a.owner)
		}
	}
	return owners, accounts, readable
}
