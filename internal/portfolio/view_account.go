package portfolio

import (
	"context"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"casbroker/internal/statement"
)

// statedOwnerView is an owner of a statement or of its accounts, as callers see them.
type statedOwnerView struct {
	Number    int     `json:"number"`
	Name      *string `json:"name"`
	PANMasked *string `json:"pan_masked"`
	Accounts  int     `json:"accounts"`
}

// listedAccountView is an account of a statement, as callers see it.
type listedAccountView struct {
	ID          string                `json:"id"`
	Kind        statement.AccountKind `json:"kind"`
	Number      *string               `json:"number"`
	Institution *string               `json:"institution"`
	Owner       int                   `json:"owner"`
	Holders     []holderView          `json:"holders"`
}

type holderView struct {
	Name      *string `json:"name"`
	PANMasked *string `json:"pan_masked"`
}

func viewStatedOwners(owners []Owner) []statedOwnerView {
	views := make([]statedOwnerView, len(owners))
	for i, o := range owners {
		views[i] = statedOwnerView{o.Number, stated(o.Name), stated(o.PANMasked), o.Accounts}
	}
	return views
}

func viewListedAccounts(accounts []ListedAccount) []listedAccountView {
	views := make([]listedAccountView, len(accounts))
	for i := range accounts {
		views[i] = viewListedAccount(&accounts[i])
	}
	return views
}

func viewListedAccount(a *ListedAccount) listedAccountView {
	view := listedAccountView{
		ID: a.ID, Kind: a.Kind, Number: stated(a.Number), Institution: stated(a.Institution), Owner: a.Owner,
		Holders: make([]holderView, len(a.Holders)),
	}
	for i, h := range a.Holders {
		view.Holders[i] = holderView{stated(h.Name), stated(h.PANMasked)}
	}
	return view
}

// accountOf returns the id of the account of a holding of p, nil if it is not known, and its
// owner.
func (p *Portfolio) accountOf(h *statement.Holding) (accountID *string, owner int) {
	if h.AccountIndex < 0 || h.AccountIndex >= len(p.Accounts) {
		return nil, p.Owner
	}
	a := &p.Accounts[h.AccountIndex]
	return &a.ID, a.Owner
}

// AccountExporter exports what is known about the accounts of users from all their
// statements, and about the owners.
type AccountExporter struct{ Reader AccountReader }

type exportedOwner struct {
	statedOwnerView
	User bool `json:"user"`
}

type exportedAccount struct {
	listedAccountView
	FirstSeen  time.Time `json:"first_seen"`
	LastSeen   time.Time `json:"last_seen"`
	Statements int       `json:"statements"`
}

// Export writes an object with the owners and accounts of subject to e.
func (x AccountExporter) Export(ctx context.Context, e *jsontext.Encoder, subject string) error {
	accounts, owners, _, err := x.Reader.Accounts(ctx, subject)
	if err != nil {
		return err
	}
	view := struct {
		Owners   []exportedOwner   `json:"owners"`
		Accounts []exportedAccount `json:"accounts"`
	}{make([]exportedOwner, len(owners)), make([]exportedAccount, len(accounts))}
	for i, stated := range viewStatedOwners(owners) {
		view.Owners[i] = exportedOwner{stated, owners[i].User}
	}
	for i := range accounts {
		a := &accounts[i]
		view.Accounts[i] = exportedAccount{viewListedAccount(&a.ListedAccount), a.FirstSeen, a.LastSeen, a.Statements}
	}
	return json.MarshalEncode(e, view)
}
