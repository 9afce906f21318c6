package portfolio

import (
	"context"
	"slices"

	"casbroker/internal/auth"
)

// AccountHistory is an account with the statements that list it.
type AccountHistory struct {
	Covered
	Counted    *ViewAccount      // nil if the account has ended
	Statements []ListedStatement // the latest first
}

// ListedStatement is a statement that lists an account.
type ListedStatement struct {
	*AccountStatement
	Owner int // of the account, as this statement tells
	Sum       // of the account's rows, or what it states if it lists no rows
}

// AccountHistory returns an account of who with all its statements.
func (s *Service) AccountHistory(ctx context.Context, who auth.Principal, accountID string) (h AccountHistory, err error) {
	if !isAccountID(accountID) {
		return h, errNoAccount
	}
	s.settle(ctx, who)
	f := Filter{Account: accountID}
	err = s.readKnown(ctx, who, f, s.Reader.Accounts, func(k knownAccounts) (complete bool, err error) {
		o, complete, err := s.owned(ctx, who, k, Selection{}, f)
		if err != nil || !complete {
			return complete, err
		}
		h = AccountHistory{}
		for _, c := range o.Accounts {
			if c.ID == accountID {
				h.Covered = c
			}
		}
		if len(o.View.Accounts) > 0 {
			h.Counted = &o.View.Accounts[0]
		}
		h.Statements, complete, err = s.listedBy(ctx, who, k, accountID)
		return complete, err
	})
	return h, err
}

// listedBy returns the statements that list an account, the latest first. complete is false
// if one has been deleted.
func (s *Service) listedBy(ctx context.Context, who auth.Principal, k knownAccounts, accountID string) (list []ListedStatement, complete bool, err error) {
	var entries []Covered
	for i := range k.statements {
		of := &k.statements[i]
		for index, e := range of.Entries {
			if a := &k.accounts[e.Account]; a.ID == accountID {
				entries = append(entries, Covered{Account: a, Statement: of, Index: index})
			}
		}
	}
	slices.SortFunc(entries, func(a, b Covered) int { return b.Statement.Compare(a.Statement) })
	for some := range slices.Chunk(entries, rowsAtOnce) {
		rows, complete, err := s.rowsOf(ctx, who, counting(some))
		if err != nil || !complete {
			return nil, complete, err
		}
		for _, a := range countedAccounts(some, rows) {
			list = append(list, ListedStatement{a.Statement, a.Statement.Entries[a.Index].Owner, a.sum()})
		}
	}
	return list, true, nil
}
