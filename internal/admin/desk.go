package admin

import (
	"context"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"casbroker/internal/access"
	"casbroker/internal/audit"
	"casbroker/internal/auth"
	"casbroker/internal/cursor"
	"casbroker/internal/fault"
	"casbroker/internal/token"
	"casbroker/internal/usage"
)

// confirmation is what RevokeAll wants to hear.
const confirmation = "revoke everything"

// MaxUsers is how many users a page has at most.
const MaxUsers = 200

// partOfUser is how many of a user's grants, and portfolios, User shows.
const partOfUser = 50

var (
	errConfirm = fault.New(fault.Unprocessable, "not_confirmed",
		`This ends the tokens of everybody. Send {"confirm":"revoke everything"} if that is meant.`).
		At(fault.Field{Pointer: "/confirm", Detail: `must be "revoke everything"`})
	errText = fault.New(fault.Invalid, "invalid_query",
		"What is looked for must be UTF-8 without a zero byte; send it percent-encoded.")
	errCursor = fault.New(fault.Invalid, "invalid_cursor",
		"cursor must be the next_cursor of an earlier answer; leave it out for the first page.")
	errLimit = fault.New(fault.Invalid, "invalid_limit", "limit must be a whole number from 1 to 200.")
)

// check fails unless all texts can be looked for.
func check(texts ...string) error {
	for _, text := range texts {
		if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
			return errText
		}
	}
	return nil
}

// FindGrants returns a page of grants. Its faults are those of token.Register.List,
// and invalid_query for a subject that cannot be.
func (d *Desk) FindGrants(ctx context.Context, f token.Filter, from string, limit int) (token.Page, error) {
	if err := check(f.Subject); err != nil {
		return token.Page{}, err
	}
	page, err := d.Grants.List(ctx, f, from, limit)
	if err != nil {
		return token.Page{}, err
	}
	return page, d.note(ctx, f.Subject, "grants")
}

// FindUsers returns up to limit users, 1 to MaxUsers, whose subject begins with prefix,
// in the order of its bytes. from is the Next of the page before, "" for the first. It
// returns faults for a prefix, a from and a limit that cannot be.
func (d *Desk) FindUsers(ctx context.Context, prefix, from string, limit int) (UserPage, error) {
	after, ok := cursor.Read(from)
	switch {
	case !ok || check(after) != nil:
		return UserPage{}, errCursor
	case limit < 1 || limit > MaxUsers:
		return UserPage{}, errLimit
	}
	if err := check(prefix); err != nil {
		return UserPage{}, err
	}
	// One more than is wanted tells whether there is a next page.
	list, err := d.Users.FindUsers(ctx, prefix, after, limit+1, d.Now())
	if err != nil {
		return UserPage{}, err
	}
	page := UserPage{Users: list}
	if len(list) > limit {
		page = UserPage{Users: list[:limit], Next: cursor.Of(list[limit-1].Subject)}
	}
	return page, d.note(ctx, "", "users")
}

// Grant returns one grant, or token.ErrNoGrant.
func (d *Desk) Grant(ctx context.Context, grantID string) (token.Kept, error) {
	g, err := d.Grants.Grant(ctx, grantID)
	if err != nil {
		return token.Kept{}, err
	}
	return g, d.note(ctx, g.Subject, g.ID)
}

// User returns what is kept of subject, which is nothing of one who was never here.
func (d *Desk) User(ctx context.Context, subject string) (User, error) {
	block, err := d.Access.State(ctx, subject)
	if err != nil {
		return User{}, err
	}
	u := User{Subject: subject, Block: block}
	if u.Grants, err = d.Grants.List(ctx, token.Filter{Subject: subject}, "", partOfUser); err != nil {
		return User{}, err
	}
	if u.Portfolios, u.PortfolioCount, err = d.Shelf.AboutPortfolios(ctx, subject, partOfUser); err != nil {
		return User{}, err
	}
	return u, d.note(ctx, subject, "user")
}

// Block blocks subject until then, for good when until is zero. Its faults are those
// of access.Service.Block.
func (d *Desk) Block(ctx context.Context, subject, reason string, until time.Time) (access.Result, error) {
	return d.Access.Block(ctx, auth.From(ctx), subject, reason, until)
}

// Unblock lifts the block of subject.
func (d *Desk) Unblock(ctx context.Context, subject string) (access.Result, error) {
	return d.Access.Unblock(ctx, auth.From(ctx), subject)
}

// RevokeGrant ends the token of one grant, or returns access.ErrNoGrant.
func (d *Desk) RevokeGrant(ctx context.Context, grantID string) (access.Result, error) {
	return d.Access.RevokeGrant(ctx, auth.From(ctx), grantID)
}

// RevokeUser ends all tokens of subject.
func (d *Desk) RevokeUser(ctx context.Context, subject string) (access.Result, error) {
	return d.Access.RevokeUser(ctx, auth.From(ctx), subject)
}

// RevokeAll ends all tokens of everybody, once confirm is "revoke everything".
func (d *Desk) RevokeAll(ctx context.Context, confirm string) (access.Result, error) {
	if confirm != confirmation {
		return access.Result{}, errConfirm
	}
	return d.Access.RevokeAll(ctx, auth.From(ctx))
}

// Records returns a page of the audit trail. Its faults are those of audit.Service.Find,
// and invalid_query for a filter that cannot be.
func (d *Desk) Records(ctx context.Context, f audit.Filter, from string, limit int) (audit.Page, error) {
	if err := checkFilter(f); err != nil {
		return audit.Page{}, err
	}
	page, err := d.Trail.Find(ctx, f, from, limit)
	if err != nil {
		return audit.Page{}, err
	}
	return page, d.note(ctx, f.Subject, "audit")
}

func checkFilter(f audit.Filter) error {
	return check(f.Subject, f.Actor, string(f.Action), string(f.Outcome))
}

// Export writes records of the audit trail to w, as audit.Service.Export does, and
// fails with invalid_query for a filter that cannot be.
func (d *Desk) Export(ctx context.Context, w io.Writer, f audit.Filter, format string) error {
	if err := checkFilter(f); err != nil {
		return err
	}
	r := audit.New(ctx, d.Now(), auth.From(ctx).Subject, audit.AuditExport, f.Subject, format)
	return d.Trail.Export(ctx, w, f, format, r)
}

// Stats returns the counts of step from then on and before to. Its faults are those
// of usage.Service.Stats.
func (d *Desk) Stats(ctx context.Context, step usage.Step, from, to time.Time) (usage.Stats, error) {
	return d.Usage.Stats(ctx, step, from, to)
}

// Overview returns how it stands now. What cannot be counted is left at 0, which
// Health explains.
func (d *Desk) Overview(ctx context.Context) Overview {
	live, _ := d.Users.LiveGrants(ctx, d.Now())
	return Overview{LiveTokens: live, Blocked: d.Access.Watcher.Blocks(), Health: d.Health(ctx)}
}

// Credits returns what is left at the vendor, at most a minute old.
func (d *Desk) Credits(ctx context.Context) (usage.Credits, error) { return d.Purse.Credits(ctx) }

// note puts on record that an operator reads about subject, "" for many; object says what.
func (d *Desk) note(ctx context.Context, subject, object string) error {
	return d.Trail.Book.Append(ctx, audit.New(ctx, d.Now(), auth.From(ctx).Subject, audit.AdminRead, subject, object))
}
