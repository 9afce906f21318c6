package admin

import (
	"cmp"
	"context"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"casbroker/internal/access"
	"casbroker/internal/audit"
	"casbroker/internal/auth"
	"casbroker/internal/fault"
	"casbroker/internal/httpapi"
	"casbroker/internal/token"
	"casbroker/internal/usage"
)

// confirmation is what RevokeAll wants to hear.
const confirmation = "revoke everything"

// MaxUsers is how many users a page has at most.
const MaxUsers = 200

const (
	partOfUser    = 50 // how many of a user's grants, and portfolios, User shows
	partOfHistory = 20 // how many of the changes of a user's access
)

var (
	errConfirm = fault.New(fault.Unprocessable, "not_confirmed",
		`This ends the tokens of everybody. Send {"confirm":"revoke everything"} if that is meant.`).
		At(fault.Field{Pointer: "/confirm", Detail: `must be "revoke everything"`})
	errText = fault.New(fault.Invalid, "invalid_query",
		"What is looked for must be at most 300 bytes of UTF-8 without a zero byte; send it percent-encoded.")
	errSubject = fault.New(fault.Invalid, "invalid_query",
		"subject must be the verifier, a colon and the id of a user, such as app:42; to find users by how that begins, list users by prefix.")
	errAction = fault.New(fault.Invalid, "invalid_action", "action and without must be among the actions that are recorded, such as token.mint; leave them out for all.")
)

// maxText is more than anything that can be looked for has, in bytes.
const maxText = 300

// checkSubject fails unless subject can be looked for, or is "" for all. What is looked
// for is put on record, where nothing else is to get.
func checkSubject(subject string) error {
	admin := strings.HasPrefix(subject, "admin/") && check(subject) == nil // who signs in with a key
	if subject == "" || admin || access.IsSubject(subject) {
		return nil
	}
	return errSubject
}

// check fails unless all texts can be looked for.
func check(texts ...string) error {
	for _, text := range texts {
		if len(text) > maxText || !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
			return errText
		}
	}
	return nil
}

// FindGrants returns a page of grants. Its faults are those of token.Directory.List,
// and invalid_query for a subject that cannot be.
func (d *Service) FindGrants(ctx context.Context, f token.Filter, from string, limit int) (token.Page, error) {
	if err := checkSubject(f.Subject); err != nil {
		return token.Page{}, err
	}
	page, err := d.Grants.List(ctx, f, from, limit)
	if err != nil {
		return token.Page{}, err
	}
	return page, d.note(ctx, f.Subject, "grants")
}

// FindUsers returns up to limit users, 1 to MaxUsers, that f wants, in the order of the
// bytes of their subjects. from is the Next of the page before, "" for the first. It
// returns faults for a prefix, a from and a limit that cannot be.
func (d *Service) FindUsers(ctx context.Context, f UserFilter, from string, limit int) (UserPage, error) {
	after, ok := readPlace(from)
	switch {
	case !ok:
		return UserPage{}, httpapi.ErrCursor
	case limit < 1 || limit > MaxUsers:
		return UserPage{}, httpapi.BadLimit(MaxUsers)
	}
	if err := check(f.Prefix); err != nil {
		return UserPage{}, err
	}
	// One more than is wanted tells whether there is a next page.
	list, err := d.Users.FindUsers(ctx, f, after, limit+1, d.Now())
	if err != nil {
		return UserPage{}, err
	}
	page := UserPage{Users: list}
	if len(list) > limit {
		page = UserPage{Users: list[:limit], Next: httpapi.EncodeCursor(userMark + list[limit-1].Subject)}
	}
	return page, d.note(ctx, "", "users")
}

// userMark begins the places in the list of users, and those in no other list.
const userMark = "u "

// readPlace returns the subject at which a page of users ended, "" for from "".
func readPlace(from string) (subject string, ok bool) {
	place, ok := httpapi.DecodeCursor(from)
	if !ok || place == "" {
		return "", ok
	}
	subject, ok = strings.CutPrefix(place, userMark)
	return subject, ok && subject != "" && check(subject) == nil
}

// Grant returns one grant, or token.ErrNoGrant.
func (d *Service) Grant(ctx context.Context, grantID string) (token.GrantInfo, error) {
	g, err := d.Grants.Grant(ctx, grantID)
	if err != nil {
		return token.GrantInfo{}, err
	}
	return g, d.note(ctx, g.Subject, g.ID)
}

// User returns what is kept of subject, which is nothing of one who was never here.
func (d *Service) User(ctx context.Context, subject string) (User, error) {
	block, err := d.Access.ActiveBlock(ctx, subject)
	if err != nil {
		return User{}, err
	}
	u := User{Subject: subject, Block: block}
	if u.History, err = d.Access.History(ctx, subject, partOfHistory); err != nil {
		return User{}, err
	}
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
func (d *Service) Block(ctx context.Context, subject, reason string, until time.Time) (access.Result, error) {
	return d.Access.Block(ctx, auth.From(ctx), subject, reason, until)
}

// Unblock lifts the block of subject.
func (d *Service) Unblock(ctx context.Context, subject string) (access.Result, error) {
	return d.Access.Unblock(ctx, auth.From(ctx), subject)
}

// RevokeGrant ends the token of one grant, or returns access.ErrNoGrant.
func (d *Service) RevokeGrant(ctx context.Context, grantID string) (access.Result, error) {
	return d.Access.RevokeGrant(ctx, auth.From(ctx), grantID)
}

// RevokeUser ends all tokens of subject.
func (d *Service) RevokeUser(ctx context.Context, subject string) (access.Result, error) {
	return d.Access.RevokeUser(ctx, auth.From(ctx), subject)
}

// RevokeAll ends all tokens of everybody, once confirm is "revoke everything".
func (d *Service) RevokeAll(ctx context.Context, confirm string) (access.Result, error) {
	if confirm != confirmation {
		return access.Result{}, errConfirm
	}
	return d.Access.RevokeAll(ctx, auth.From(ctx))
}

// Records returns a page of the audit trail. Its faults are those of audit.Service.Find,
// and invalid_query for a filter that cannot be.
func (d *Service) Records(ctx context.Context, f audit.Filter, from string, limit int) (audit.Page, error) {
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
	for _, a := range []audit.Action{f.Action, f.Without} {
		if a != "" && !a.Known() {
			return errAction
		}
	}
	return cmp.Or(checkSubject(f.Subject), check(f.Actor, string(f.Outcome)))
}

// Export writes records of the audit trail to w, as audit.Service.Export does, and
// fails with invalid_query for a filter that cannot be.
func (d *Service) Export(ctx context.Context, w io.Writer, f audit.Filter, format string) error {
	if err := checkFilter(f); err != nil {
		return err
	}
	r := audit.New(ctx, d.Now(), auth.From(ctx).Subject, audit.AuditExport, f.Subject, format)
	return d.Trail.Export(ctx, w, f, format, r)
}

// Stats returns the counts of step from then on and before to. Its faults are those
// of usage.Service.Stats.
func (d *Service) Stats(ctx context.Context, step usage.Step, from, to time.Time) (usage.Stats, error) {
	return d.Usage.Stats(ctx, step, from, to)
}

// Overview returns how it stands now. Why something cannot be counted, Health explains.
func (d *Service) Overview(ctx context.Context) Overview {
	o := Overview{Blocked: d.Access.Watcher.Blocks(), Health: d.Health(ctx)}
	if live, err := d.Users.LiveGrants(ctx, d.Now()); err == nil {
		o.LiveTokens = &live
	}
	return o
}

// Credits returns what is left at the vendor, at most a minute old.
func (d *Service) Credits(ctx context.Context) (Credits, error) { return d.Vendor.Credits(ctx) }

// note puts on record that an operator reads about subject, "" for many; object says what.
func (d *Service) note(ctx context.Context, subject, object string) error {
	return d.Trail.Book.Append(ctx, audit.New(ctx, d.Now(), auth.From(ctx).Subject, audit.AdminRead, subject, object))
}
