package store

import (
	"fmt"

	"github.com/go-json-experiment/json"

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

// accountDetails has what is sealed of the owners and accounts of a portfolio, in the order of
// its accountLinks.
type accountDetails struct {
	Owners   []ownerDetails   `json:"owners"`
	Accounts []listingDetails `json:"accounts"`
}

type ownerDetails struct {
	Name      string `json:"name,omitzero"`
	PANMasked string `json:"pan_masked,omitzero"`
}

type listingDetails struct {
	Number      string             `json:"number,omitzero"`
	Institution string             `json:"institution,omitzero"`
	Holders     []portfolio.Holder `json:"holders,omitzero"`
}

// accountData returns the associated data of the accountDetails of a portfolio.
func accountData(portfolioID string) string { return "portfolio/" + portfolioID + "/accounts" }

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
func (s *DB) sealAccounts(portfolioID string, found portfolio.Owners, accounts []statement.Account) ([]byte, error) {
	details := accountDetails{Owners: make([]ownerDetails, len(found.Stated)), Accounts: make([]listingDetails, len(accounts))}
	for i, o := range found.Stated {
		details.Owners[i] = ownerDetails{o.Name, o.PANMasked}
	}
	for i, a := range accounts {
		details.Accounts[i] = listingDetails{Number: a.Number, Institution: a.Institution}
		for _, h := range a.Holders {
			details.Accounts[i].Holders = append(details.Accounts[i].Holders, portfolio.Holder{Name: h.Name, PANMasked: portfolio.MaskPAN(h.PAN)})
		}
	}
	plain, err := json.Marshal(details)
	if err != nil {
		return nil, fmt.Errorf("encode accounts: %w", err)
	}
	return s.box.Seal(accountData(portfolioID), plain), nil
}

// openAccounts returns the owners and accounts of a portfolio. What is sealed of them is empty
// if it cannot be decrypted, which readable reports.
func (s *DB) openAccounts(portfolioID string, links accountLinks, sealed []byte) (
	owners []portfolio.Owner, accounts []portfolio.ListedAccount, readable bool,
) {
	var details accountDetails
	plain, err := s.box.Open(accountData(portfolioID), sealed)
	readable = err == nil && json.Unmarshal(plain, &details) == nil &&
		len(details.Owners) == len(links.owners) && len(details.Accounts) == len(links.accounts)
	if !readable {
		details = accountDetails{make([]ownerDetails, len(links.owners)), make([]listingDetails, len(links.accounts))}
	}
	counts := map[int]int{}
	accounts = make([]portfolio.ListedAccount, len(links.accounts))
	for i, a := range links.accounts {
		d := details.Accounts[i]
		counts[a.owner]++
		accounts[i] = portfolio.ListedAccount{
			ID: a.publicID(), Kind: a.kind, Owner: a.owner, Number: d.Number, Institution: d.Institution, Holders: d.Holders,
		}
	}
	owners = make([]portfolio.Owner, len(links.owners))
	for i, o := range links.owners {
		owners[i] = portfolio.Owner{Number: o.number, Name: details.Owners[i].Name, PANMasked: details.Owners[i].PANMasked, Accounts: counts[o.number]}
	}
	return owners, accounts, readable
}
