package console

import (
	"slices"
	"strings"
	"time"

	"casbroker/internal/access"
	"casbroker/internal/admin"
	"casbroker/internal/httpapi"
	"casbroker/internal/portfolio"
	"casbroker/internal/token"
)

// pageOf is how many rows a list has.
const pageOf = 50

// usersBody is a list of users.
type usersBody struct {
	Query       string
	Blocked     bool // only those who are
	Users       []admin.UserRow
	Absent      bool   // nobody is called exactly what is looked for
	First, Next string // addresses; First is "" on the first page, Next on the last
}

// address is that of the page of the same list at cursor.
func (b usersBody) address(cursor string) string {
	blocked := ""
	if b.Blocked {
		blocked = onlyBlocked
	}
	return with(home+"users", "q", b.Query, "blocked", blocked, "cursor", cursor)
}

// Possible reports whether what is looked for can be the whole id of a user.
func (b usersBody) Possible() bool { return access.IsSubject(b.Query) }

// onlyBlocked is what the box for them sends.
const onlyBlocked = "true"

// users lists the users whose id begins with what is looked for.
func (h *Handler) users(v visit) (reply, error) {
	q := httpapi.FormParams(v.URL.Query())
	b := usersBody{Query: q.Text("q"), Blocked: q.Text("blocked") == onlyBlocked}
	cursor := q.Text("cursor")
	r := reply{page: "users", title: "Users"}
	page, err := h.Admin.FindUsers(v.Context(), admin.UserFilter{Prefix: b.Query, Blocked: b.Blocked}, cursor, pageOf)
	if err != nil {
		r.body = b
		return r, err
	}
	b.Users = page.Users
	// The one whose id is all of it comes first in the order of bytes.
	b.Absent = b.Query != "" && !b.Blocked && cursor == "" && (len(page.Users) == 0 || page.Users[0].Subject != b.Query)
	if cursor != "" {
		b.First = b.address("")
	}
	if page.Next != "" {
		b.Next = b.address(page.Next)
	}
	r.body = b
	return r, nil
}

// userBody is what operators see of one user.
type userBody struct {
	admin.User
	Now      time.Time
	Live     int
	Known    bool      // something is kept of it
	Upstream time.Time // until when revoked tokens work at the vendor; zero for none
	Timeline timeline
	More     string // where the rest of the grants is
	Trail    string // where what is on record about it is
}

// user shows one user.
func (h *Handler) user(v visit) (reply, error) {
	u, err := h.Admin.User(v.Context(), v.key)
	if err != nil {
		return reply{}, err
	}
	b := userBody{User: u, Now: v.now, Trail: with(home+"audit", "subject", u.Subject, "action", butReads)}
	b.Known = known(u)
	b.Timeline = drawTimeline(u.Grants.Grants, v.now)
	b.Live = living(u.Grants.Grants).Count
	b.Upstream = abroad(u.Grants.Grants, v.now)
	if u.Grants.Next != "" {
		b.More = with(home+"grants", "subject", u.Subject)
	}
	return reply{page: "user", title: short(u.Subject), body: b}, nil
}

// known reports whether something is kept of u.
func known(u admin.User) bool {
	return u.Block != nil || len(u.Grants.Grants) > 0 || u.PortfolioCount > 0 ||
		slices.ContainsFunc(u.History, func(c access.Change) bool { return c.Subject == u.Subject })
}

// Period puts the time that a portfolio is about into words.
func (userBody) Period(p portfolio.About) string {
	if p.Period.From == "" && p.Period.To == "" {
		return ""
	}
	return p.Period.From + " to " + p.Period.To
}

// alive are the tokens of a list that are alive.
type alive struct {
	Count int
	More  bool      // there are more than were looked at
	Until time.Time // when the last of the vendor's own expires; zero for none
}

func living(grants []token.GrantInfo) (a alive) {
	for _, g := range grants {
		if g.State != token.StateActive {
			continue
		}
		a.Count++
		if g.Mode == token.ModeDirect && g.ExpiresAt.After(a.Until) {
			a.Until = g.ExpiresAt
		}
	}
	return a
}

// abroad is until when tokens that were revoked work at the vendor, zero for none.
func abroad(grants []token.GrantInfo, now time.Time) (until time.Time) {
	for _, g := range grants {
		until = later(until, g.UpstreamUntil(now))
	}
	return until
}

// short is the beginning of a text for the title of a window, without what would turn
// the writing of what stands beside it.
func short(text string) string {
	const most = 60
	kept := []rune(strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return -1
		}
		return r
	}, text))
	if len(kept) > most {
		return string(kept[:most]) + "…"
	}
	return string(kept)
}
