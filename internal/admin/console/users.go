package console

import (
	"slices"
	"time"

	"casbroker/internal/access"
	"casbroker/internal/admin"
	"casbroker/internal/httpapi"
	"casbroker/internal/portfolio"
	"casbroker/internal/token"
)

// pageSize is the number of rows of a list.
const pageSize = 50

// usersBody is a list of users and its filter.
type usersBody struct {
	Query        string // beginning of the subjects, as entered
	Blocked      bool   // only blocked users
	Users        []admin.UserRow
	NoExactMatch bool   // no subject is equal to Query
	First, Next  string // URLs; First is "" on the first page, Next on the last
}

// url returns the URL of the page of the list at cursor.
func (b usersBody) url(cursor string) string {
	blocked := ""
	if b.Blocked {
		blocked = blockedValue
	}
	return withQuery(home+"users", "q", b.Query, "blocked", blocked, "cursor", cursor)
}

// Possible reports whether Query has the form of a whole subject.
func (b usersBody) Possible() bool { return access.IsSubject(b.Query) }

// blockedValue is the value of the checkbox for blocked users.
const blockedValue = "true"

// users lists the users whose subject begins with the query.
func (h *Handler) users(r request) (reply, error) {
	q := httpapi.FormParams(r.URL.Query())
	b := usersBody{Query: q.Text("q"), Blocked: q.Text("blocked") == blockedValue}
	cursor := q.Text("cursor")
	page := reply{page: "users", title: "Users"}
	found, err := h.Admin.FindUsers(r.Context(), admin.UserFilter{Prefix: b.Query, Blocked: b.Blocked}, cursor, pageSize)
	if err != nil {
		page.body = b
		return page, err
	}
	b.Users = found.Users
	// In byte order, a subject that is equal to the query comes first.
	b.NoExactMatch = b.Query != "" && !b.Blocked && cursor == "" && (len(found.Users) == 0 || found.Users[0].Subject != b.Query)
	if cursor != "" {
		b.First = b.url("")
	}
	if found.Next != "" {
		b.Next = b.url(found.Next)
	}
	page.body = b
	return page, nil
}

// userBody is what operators see about one user.
type userBody struct {
	admin.User
	Now         time.Time
	Live        int       // active tokens
	Known       bool      // something is stored about the user
	VendorUntil time.Time // until when revoked tokens work at the vendor; zero for none
	Timeline    timeline
	More        string // URL of all grants, "" if all are shown
	Trail       string // URL of the audit trail of the user
}

// user shows one user.
func (h *Handler) user(r request) (reply, error) {
	u, err := h.Admin.User(r.Context(), r.key)
	if err != nil {
		return reply{}, err
	}
	b := userBody{User: u, Now: r.now, Trail: withQuery(home+"audit", "subject", u.Subject, "action", exceptReads)}
	b.Known = isKnown(u)
	b.Timeline = newTimeline(u.Grants.Grants, r.now)
	b.Live = countLive(u.Grants.Grants).Count
	b.VendorUntil = vendorUntil(u.Grants.Grants, r.now)
	if u.Grants.Next != "" {
		b.More = withQuery(home+"grants", "subject", u.Subject)
	}
	return reply{page: "user", title: shortTitle(u.Subject), body: b}, nil
}

// isKnown reports whether something is stored about u.
func isKnown(u admin.User) bool {
	return u.Block != nil || len(u.Grants.Grants) > 0 || u.PortfolioCount > 0 ||
		slices.ContainsFunc(u.History, func(c access.Change) bool { return c.Subject == u.Subject })
}

// Period formats the period of a portfolio.
func (userBody) Period(p portfolio.Metadata) string {
	if p.Period.From == "" && p.Period.To == "" {
		return ""
	}
	return p.Period.From + " to " + p.Period.To
}

// liveTokens counts active tokens.
type liveTokens struct {
	Count int
	More  bool      // there are more than were counted
	Until time.Time // when the last of them expires at the vendor; zero for none
}

func countLive(grants []token.GrantInfo) (live liveTokens) {
	for _, g := range grants {
		if g.State != token.StateActive {
			continue
		}
		live.Count++
		if g.Mode == token.ModeDirect && g.ExpiresAt.After(live.Until) {
			live.Until = g.ExpiresAt
		}
	}
	return live
}

// vendorUntil returns until when revoked tokens work at the vendor, zero for none.
func vendorUntil(grants []token.GrantInfo, now time.Time) (until time.Time) {
	for _, g := range grants {
		until = latest(until, g.UpstreamUntil(now))
	}
	return until
}
