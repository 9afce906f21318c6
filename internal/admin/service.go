package admin

import (
	"cmp"
	"context"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"casbroker/internal/access"
	"casbroker/internal/audit"
	"casbroker/internal/auth"
	"casbroker/internal/budget"
	"casbroker/internal/fault"
	"casbroker/internal/httpapi"
	"casbroker/internal/link"
	"casbroker/internal/portfolio"
	"casbroker/internal/token"
	"casbroker/internal/usage"
	"casbroker/internal/webhook"
)

// confirmation is the text that RevokeAll requires.
const confirmation = "revoke everything"

// MaxUsers is the most users that a page can have.
const MaxUsers = 200

const (
	maxUserItems   = 50 // grants, portfolios and accounts that User returns
	maxUserHistory = 20 // changes of a user's access that User returns
)

var (
	errConfirm = fault.New(fault.Unprocessable, "not_confirmed",
		`This ends the tokens of all users. To confirm, send {"confirm":"revoke everything"}.`).
		At(fault.Field{Pointer: "/confirm", Detail: `must be "revoke everything"`})
	errText    = httpapi.ErrQuery.Withf("A search text must be at most 300 bytes of UTF-8 without a zero byte; send it percent-encoded.")
	errSubject = httpapi.ErrQuery.Withf(
		"subject must be the verifier, a colon and the id of a user, such as app:42; to search by the beginning of a subject, list users by prefix.")
	errAction = fault.New(fault.Invalid, "invalid_action",
		"action must be an action of the audit trail, such as token.mint; leave it out for all.")
	errWithout = errAction.Withf("without must be an action of the audit trail, such as admin.read; leave it out for all.")
)

// maxText limits a search text, in bytes. The longest subject is shorter.
const maxText = 300

// Service performs operator actions on behalf of the principal in ctx, which must have
// auth.RoleAdmin. All fields but Links are required. It is safe for concurrent use.
type Service struct {
	Access     *access.Service
	Grants     *token.Directory
	Users      Users
	Portfolios portfolio.MetadataReader
	Trail      *audit.Service
	Usage      *usage.Service
	Budgets    *budget.Service
	Comparer   *budget.Comparer
	Webhooks   *webhook.Service
	Links      *link.Service // nil if there are no hosted links
	Calls      CallReader
	Levels     LogLevels
	// KeepRecords is how long audit records are kept; 0 means forever.
	KeepRecords time.Duration
	Vendor      CreditsReader
	Version     string                                // of the broker
	Settings    []Setting                             // in force, without secrets
	Health      func(ctx context.Context) []Component // the state of each dependency
	Now         func() time.Time
}

// checkSubject returns errSubject unless subject has the form of a user or an operator,
// or is "" for all. Searches are audited with the subject, so no other text may get in.
func checkSubject(subject string) error {
	operator := strings.HasPrefix(subject, "admin/") && checkText(subject) == nil
	if subject == "" || operator || access.IsSubject(subject) {
		return nil
	}
	return errSubject
}

// checkText returns errText unless each text can be searched for.
func checkText(texts ...string) error {
	for _, text := range texts {
		if len(text) > maxText || !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
			return errText
		}
	}
	return nil
}

// FindGrants returns a page of grants. It returns the faults of token.Directory.List, and
// invalid_query for a malformed subject.
func (s *Service) FindGrants(ctx context.Context, f token.Filter, cursor string, limit int) (token.Page, error) {
	if err := checkSubject(f.Subject); err != nil {
		return token.Page{}, err
	}
	page, err := s.Grants.List(ctx, f, cursor, limit)
	if err != nil {
		return token.Page{}, err
	}
	return page, s.auditRead(ctx, f.Subject, "grants")
}

// FindUsers returns up to limit users, 1 to MaxUsers, that match f, in byte order of their
// subjects. cursor is the Next of the previous page, "" for the first. It returns faults
// for an invalid prefix, cursor or limit.
func (s *Service) FindUsers(ctx context.Context, f UserFilter, cursor string, limit int) (UserPage, error) {
	after, ok := decodeUserCursor(cursor)
	switch {
	case !ok:
		return UserPage{}, httpapi.ErrCursor
	case limit < 1 || limit > MaxUsers:
		return UserPage{}, httpapi.BadLimit(MaxUsers)
	}
	if err := checkText(f.Prefix); err != nil {
		return UserPage{}, err
	}
	// One more than the limit shows whether there is a next page.
	list, err := s.Users.FindUsers(ctx, f, after, limit+1, s.Now())
	if err != nil {
		return UserPage{}, err
	}
	page := UserPage{Users: list}
	if len(list) > limit {
		page = UserPage{Users: list[:limit], Next: httpapi.EncodeCursor(userCursor + list[limit-1].Subject)}
	}
	return page, s.auditRead(ctx, "", "users")
}

// FindUser returns the user that text names: a subject, or the id of a user in the tokens of
// any app. If there is no such user, it returns the beginning of the subjects of those whose id
// begins with text, or text itself, and exact is false.
func (s *Service) FindUser(ctx context.Context, text string) (subject string, exact bool, err error) {
	if err := checkText(text); err != nil {
		return "", false, err
	}
	candidates := []string{text}
	if !access.IsSubject(text) {
		candidates = candidates[:0]
		for _, app := range s.Budgets.Apps {
			candidates = append(candidates, app+":"+text)
		}
	}
	subject = text
	for _, candidate := range candidates {
		list, err := s.Users.FindUsers(ctx, UserFilter{Prefix: candidate}, "", 1, s.Now())
		switch {
		case err != nil:
			return "", false, err
		case len(list) == 0:
		case list[0].Subject == candidate: // in byte order it is the first
			return candidate, true, s.auditRead(ctx, candidate, "users")
		case subject == text:
			subject = candidate
		}
	}
	return subject, false, s.auditRead(ctx, "", "users")
}

// userCursor begins the cursors of the list of users; those of other lists begin
// differently.
const userCursor = "u "

// decodeUserCursor returns the last subject of the previous page, "" for cursor "".
func decodeUserCursor(cursor string) (subject string, ok bool) {
	text, ok := httpapi.DecodeCursor(cursor)
	if !ok || text == "" {
		return "", ok
	}
	subject, ok = strings.CutPrefix(text, userCursor)
	return subject, ok && subject != "" && checkText(subject) == nil
}

// Grant returns one grant, or token.ErrNoGrant.
func (s *Service) Grant(ctx context.Context, grantID string) (token.GrantInfo, error) {
	g, err := s.Grants.Grant(ctx, grantID)
	if err != nil {
		return token.GrantInfo{}, err
	}
	return g, s.auditRead(ctx, g.Subject, g.ID)
}

// Session returns one grant and what happened under its token, or token.ErrNoGrant.
func (s *Service) Session(ctx context.Context, grantID string) (token.Session, error) {
	g, err := s.Grants.Session(ctx, grantID)
	if err != nil {
		return token.Session{}, err
	}
	return g, s.auditRead(ctx, g.Subject, g.ID)
}

// User returns what is stored about subject. For an unknown subject only Subject is set.
func (s *Service) User(ctx context.Context, subject string) (User, error) {
	block, err := s.Access.ActiveBlock(ctx, subject)
	if err != nil {
		return User{}, err
	}
	u := User{Subject: subject, Block: block}
	if u.History, err = s.Access.History(ctx, subject, maxUserHistory); err != nil {
		return User{}, err
	}
	if u.Grants, err = s.Grants.List(ctx, token.Filter{Subject: subject}, "", maxUserItems); err != nil {
		return User{}, err
	}
	if u.Portfolios, u.PortfolioCount, err = s.Portfolios.PortfolioMetadata(ctx, subject, maxUserItems); err != nil {
		return User{}, err
	}
	if u.Accounts, u.AccountCount, err = s.Portfolios.AccountMetadata(ctx, subject, maxUserItems); err != nil {
		return User{}, err
	}
	if u.Links, err = s.links(ctx, subject); err != nil {
		return User{}, err
	}
	return u, s.auditRead(ctx, subject, "user")
}

// Block blocks subject until the given time, or until the block is lifted if until is
// zero. It returns the faults of access.Service.Block.
func (s *Service) Block(ctx context.Context, subject, reason string, until time.Time) (access.Result, error) {
	return s.Access.Block(ctx, auth.From(ctx), subject, reason, until)
}

// Unblock lifts the block of subject.
func (s *Service) Unblock(ctx context.Context, subject string) (access.Result, error) {
	return s.Access.Unblock(ctx, auth.From(ctx), subject)
}

// RevokeGrant ends the token of one grant, or returns access.ErrNoGrant.
func (s *Service) RevokeGrant(ctx context.Context, grantID string) (access.Result, error) {
	return s.Access.RevokeGrant(ctx, auth.From(ctx), grantID)
}

// RevokeUser ends all tokens of subject.
func (s *Service) RevokeUser(ctx context.Context, subject string) (access.Result, error) {
	return s.Access.RevokeUser(ctx, auth.From(ctx), subject)
}

// RevokeAll ends all tokens of all users if confirm is "revoke everything".
func (s *Service) RevokeAll(ctx context.Context, confirm string) (access.Result, error) {
	if confirm != confirmation {
		return access.Result{}, errConfirm
	}
	return s.Access.RevokeAll(ctx, auth.From(ctx))
}

// Records returns a page of the audit trail. It returns the faults of audit.Service.Find,
// and invalid_query or invalid_action for an invalid filter.
func (s *Service) Records(ctx context.Context, f audit.Filter, cursor string, limit int) (audit.Page, error) {
	if err := checkFilter(f); err != nil {
		return audit.Page{}, err
	}
	page, err := s.Trail.Find(ctx, f, cursor, limit)
	if err != nil {
		return audit.Page{}, err
	}
	return page, s.auditRead(ctx, f.Subject, "audit")
}

func checkFilter(f audit.Filter) error {
	switch {
	case f.Action != "" && !f.Action.Known():
		return errAction
	case slices.ContainsFunc(f.Without, func(a audit.Action) bool { return !a.Known() }):
		return errWithout
	}
	return cmp.Or(checkSubject(f.Subject), checkText(f.Actor, string(f.Outcome), f.RequestID))
}

// Export writes records of the audit trail to w. It returns the errors of
// audit.Service.Export, and invalid_query or invalid_action for an invalid filter.
func (s *Service) Export(ctx context.Context, w io.Writer, f audit.Filter, format string) error {
	if err := checkFilter(f); err != nil {
		return err
	}
	r := audit.New(ctx, s.Now(), auth.From(ctx).Subject, audit.AuditExport, f.Subject, format)
	return s.Trail.Export(ctx, w, f, format, r)
}

// Stats returns the counts of each step from from, inclusive, to to, exclusive. It returns
// the faults of usage.Service.Stats.
func (s *Service) Stats(ctx context.Context, step usage.Step, from, to time.Time) (usage.Stats, error) {
	return s.Usage.Stats(ctx, step, from, to)
}

// Overview returns the current state. If tokens cannot be counted, Health says why.
func (s *Service) Overview(ctx context.Context) Overview {
	o := Overview{Blocked: s.Access.Watcher.Blocks(), Health: s.Health(ctx)}
	if live, err := s.Users.LiveGrants(ctx, s.Now()); err == nil {
		o.LiveTokens = &live
	}
	return o
}

// Credits returns the vendor's credits, at most a minute old.
func (s *Service) Credits(ctx context.Context) (Credits, error) { return s.Vendor.Credits(ctx) }

// auditRead records that an operator reads about subject, "" for several users; object
// names what was read.
func (s *Service) auditRead(ctx context.Context, subject, object string) error {
	return s.Trail.Store.Append(ctx, audit.New(ctx, s.Now(), auth.From(ctx).Subject, audit.AdminRead, subject, object))
}
