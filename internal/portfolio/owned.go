package portfolio

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"casbroker/internal/auth"
	"casbroker/internal/fault"
	"casbroker/internal/httpapi"
	"casbroker/internal/id"
)

// maxReads is how often what a user owns is read, while portfolios are being deleted.
const maxReads = 5

// rowsAtOnce is how many portfolios are decoded at a time where many are read one after
// another.
const rowsAtOnce = 20

var (
	errNoAccount = fault.New(fault.NotFound, "account_not_found", "You have no account with this id.")
	errNoOwner   = fault.New(fault.NotFound, "owner_not_found", "Your statements have no owner with this number; GET /v1/accounts lists the owners.")
	errChanging  = fault.New(fault.Unavailable, "holdings_changing",
		"Your portfolios were changed while they were being read; try again.").After(time.Second)
)

// Owned is what a user's statements tell about the user's accounts.
type Owned struct {
	Owners   []Owner             // all
	Accounts []Covered           // all that the selected statements list
	Unknown  []*AccountStatement // selected, but not in View
	View     View
	version  string // of the statements
}

// Owned returns what who owns, as the statements tell that q selects, reduced to what f
// selects. It returns a fault for a day after today, and for an owner or account that who does
// not have.
func (s *Service) Owned(ctx context.Context, who auth.Principal, q Selection, f Filter) (o Owned, err error) {
	return s.readOwned(ctx, who, q, f, s.Reader.AccountStatements)
}

// OwnedAccounts is Owned, but also the accounts that do not count have their numbers,
// institutions and holders.
func (s *Service) OwnedAccounts(ctx context.Context, who auth.Principal, q Selection, f Filter) (o Owned, err error) {
	return s.readOwned(ctx, who, q, f, s.Reader.Accounts)
}

// StatementsVersion returns the version of the statements of who, which is another one after
// each change of what who owns. It waits for statements that are being saved.
func (s *Service) StatementsVersion(ctx context.Context, who auth.Principal) (string, error) {
	s.settle(ctx, who)
	return s.Reader.StatementsVersion(ctx, who.Subject)
}

func (s *Service) readOwned(ctx context.Context, who auth.Principal, q Selection, f Filter, accounts readAccounts) (o Owned, err error) {
	if today := dayOf(s.Now()); q.AsOf > today {
		return o, httpapi.ErrQuery.Withf("as_of must not be after today, %s in India.", today)
	}
	s.settle(ctx, who)
	err = s.readKnown(ctx, who, f, accounts, func(k knownAccounts) (complete bool, err error) {
		o, complete, err = s.owned(ctx, who, k, q, f)
		return complete, err
	})
	return o, err
}

// readAccounts is a method of AccountReader.
type readAccounts func(ctx context.Context, subject string) ([]Account, []Owner, []AccountStatement, error)

// readKnown calls read with the accounts of who, until it is complete. It returns a fault if
// f names an owner or account that who does not have.
func (s *Service) readKnown(ctx context.Context, who auth.Principal, f Filter, from readAccounts, read func(knownAccounts) (complete bool, err error)) error {
	for range maxReads {
		accounts, owners, statements, err := from(ctx, who.Subject)
		if err != nil {
			return err
		}
		known := knownAccounts{owners, accounts, statements}
		if err := known.check(f); err != nil {
			return err
		}
		if complete, err := read(known); err != nil || complete {
			return err
		}
	}
	return errChanging
}

func (s *Service) owned(ctx context.Context, who auth.Principal, k knownAccounts, q Selection, f Filter) (o Owned, complete bool, err error) {
	covered := k.of(f, Cover(k.accounts, k.statements, q))
	rows, complete, err := s.rowsOf(ctx, who, counting(covered))
	if err != nil || !complete {
		return Owned{}, complete, err
	}
	describe(covered, rows)
	o = Owned{Owners: k.owners, Accounts: covered, View: Consolidate(k.owners, covered, rows, f), version: versionOf(k.statements)}
	for i := range k.statements {
		if e := &k.statements[i]; e.Unknown && q.includes(e) {
			o.Unknown = append(o.Unknown, e)
		}
	}
	return o, true, nil
}

// knownAccounts are all accounts of a user, and their statements.
type knownAccounts struct {
	owners     []Owner
	accounts   []Account
	statements []AccountStatement
}

// check returns a fault if f names an owner or an account that is not there.
func (k knownAccounts) check(f Filter) error {
	if f.Account != "" && k.account(f.Account) == nil {
		return errNoAccount
	}
	if f.Owner != 0 && !hasOwner(k.owners, f.Owner) {
		return errNoOwner
	}
	return nil
}

func hasOwner(owners []Owner, number int) bool {
	return slices.ContainsFunc(owners, func(o Owner) bool { return o.Number == number })
}

// account returns the account with this id, or nil.
func (k knownAccounts) account(accountID string) *Account {
	for i := range k.accounts {
		if k.accounts[i].ID == accountID {
			return &k.accounts[i]
		}
	}
	return nil
}

// of returns those in covered whose rows decide what f selects: all accounts of the owner,
// since one may have the units of another.
func (k knownAccounts) of(f Filter, covered []Covered) []Covered {
	owner := f.Owner
	if a := k.account(f.Account); a != nil && owner == 0 {
		owner = a.Owner
	}
	if owner == 0 {
		return covered
	}
	list := covered[:0]
	for _, c := range covered {
		if c.Owner == owner {
			list = append(list, c)
		}
	}
	return list
}

// counting returns the ids of the portfolios that count for an account in covered.
func counting(covered []Covered) []string {
	var ids []string
	known := map[string]bool{}
	for _, c := range covered {
		if id := c.Statement.PortfolioID; c.EndedOn == "" && !known[id] {
			known[id] = true
			ids = append(ids, id)
		}
	}
	return ids
}

// describe sets what is sealed of the accounts in covered that count, if they do not have it.
func describe(covered []Covered, rows map[string]Rows) {
	for _, c := range covered {
		list := rows[c.Statement.PortfolioID].Accounts
		if c.EndedOn != "" || c.Number != "" || c.Institution != "" || c.Index >= len(list) {
			continue
		}
		stated := &list[c.Index]
		c.Number, c.Institution = stated.Number, stated.Institution
		c.Holders = make([]Holder, len(stated.Holders))
		for i, h := range stated.Holders {
			c.Holders[i] = Holder{h.Name, MaskPAN(h.PAN)}
		}
	}
}

// rowsOf returns the rows of portfolios of who. complete is false if one has been deleted.
// Portfolios never change, so rows that are all there are those of any earlier moment.
func (s *Service) rowsOf(ctx context.Context, who auth.Principal, ids []string) (rows map[string]Rows, complete bool, err error) {
	if len(ids) == 0 {
		return nil, true, nil
	}
	rows, err = s.Reader.Rows(ctx, who.Subject, ids)
	return rows, len(rows) == len(ids), err
}

// versionOf returns the version of statements, as AccountReader.StatementsVersion does.
func versionOf(statements []AccountStatement) string {
	parts := make([]string, len(statements))
	for i := range statements {
		s := &statements[i]
		known := "known"
		if s.Unknown {
			known = "unknown"
		}
		parts[i] = s.PortfolioID + " " + string(s.Provenance) + " " + strconv.Itoa(s.Owner) + " " + known
	}
	slices.Sort(parts)
	return strings.Join(parts, ",")
}

// isAccountID reports whether accountID has the form of an Account's id.
func isAccountID(accountID string) bool { return id.Is("ac", accountID) }
