package cli

import (
	"context"
	"net/url"
	"time"
)

// maxGrants is how many grants the broker gives at once.
const maxGrants = 200

type grantsCommand struct {
	brokerFlags
	User  named  `placeholder:"app:42" help:"Those of this user."`
	State *named `enum:"active,expired,revoked" placeholder:"STATE" help:"active, expired or revoked."`
	period
	Limit int  `default:"50" help:"How many at most."`
	JSON  bool `help:"An object on each line, for scripts."`
}

// grant is the record of an access token, as a broker gives it.
type grant struct {
	ID         string    `json:"id"`
	Subject    string    `json:"subject"`
	Mode       string    `json:"mode"`
	State      string    `json:"state"`
	IssuedAt   time.Time `json:"issued_at"`
	ExpiresAt  time.Time `json:"expires_at"`
	RevokedAt  time.Time `json:"revoked_at"`
	ValidUntil time.Time `json:"upstream_valid_until"` // at the vendor, of a revoked one
}

// Run prints the newest grants.
func (c grantsCommand) Run(ctx context.Context, t *Terminal) error {
	if c.Limit < 1 {
		return errLimit
	}
	l := list{path: "/admin/v1/grants", query: url.Values{}, member: "grants", maxPage: maxGrants}
	set(l.query, "subject", &c.User)
	set(l.query, "state", c.State)
	c.into(l.query)
	return c.signedIn(ctx, t, func(b *client) error {
		if c.JSON {
			return b.each(ctx, l, c.Limit, printLines(t.Out))
		}
		return b.each(ctx, l, c.Limit, printTable(t.Out, "GRANT SUBJECT STATE MODE ISSUED EXPIRES REVOKED VALID-UPSTREAM-UNTIL", grant.cells))
	})
}

func (g grant) cells() []string {
	return []string{
		g.ID, g.Subject, g.State, g.Mode, shown(g.IssuedAt), shown(g.ExpiresAt), shown(g.RevokedAt), shown(g.ValidUntil),
	}
}

// set puts a value into a query, unless none was given.
func set(q url.Values, name string, value *named) {
	if value != nil && *value != "" {
		q.Set(name, string(*value))
	}
}
