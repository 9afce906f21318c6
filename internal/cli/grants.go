package cli

import (
	"context"
	"net/url"
	"time"
)

// maxGrants is the largest page of grants.
const maxGrants = 200

type grantsCommand struct {
	brokerFlags
	User  name  `placeholder:"app:42" help:"Only those of this user."`
	State *name `enum:"active,expired,revoked" placeholder:"STATE" help:"Only those in this state: active, expired or revoked."`
	period
	Limit int  `default:"50" help:"The maximum number."`
	JSON  bool `help:"Print a JSON object per line, for scripts."`
}

// grant is the record of an access token in a broker's answer.
type grant struct {
	ID         string    `json:"id"`
	Subject    string    `json:"subject"`
	Mode       string    `json:"mode"`
	State      string    `json:"state"`
	IssuedAt   time.Time `json:"issued_at"`
	ExpiresAt  time.Time `json:"expires_at"`
	RevokedAt  time.Time `json:"revoked_at"`
	ValidUntil time.Time `json:"upstream_valid_until"` // at the vendor, for a revoked one
}

// Help explains the columns.
func (grantsCommand) Help() string {
	return "MODE is direct for a token of the vendor, gateway for one of the broker. " +
		"VALID-UPSTREAM-UNTIL is when a revoked token stops working at the vendor, which cannot revoke it."
}

// Run prints the newest grants.
func (c grantsCommand) Run(ctx context.Context, t *Terminal) error {
	if c.Limit < 1 {
		return errLimit
	}
	l := list{path: "/admin/v1/grants", query: url.Values{}, member: "grants", maxPage: maxGrants}
	set(l.query, "subject", &c.User)
	set(l.query, "state", c.State)
	c.addTo(l.query)
	return c.signedIn(ctx, t, func(b *client) error {
		if c.JSON {
			return b.each(ctx, l, c.Limit, printLines(t.Out))
		}
		return b.each(ctx, l, c.Limit, printTable(t.Out, "GRANT SUBJECT STATE MODE ISSUED EXPIRES REVOKED VALID-UPSTREAM-UNTIL", grant.cells))
	})
}

func (g grant) cells() []string {
	return []string{
		g.ID, g.Subject, g.State, g.Mode, formatTime(g.IssuedAt), formatTime(g.ExpiresAt), formatTime(g.RevokedAt), formatTime(g.ValidUntil),
	}
}

// set adds value to q unless it is missing.
func set(q url.Values, name string, value *name) {
	if value != nil && *value != "" {
		q.Set(name, string(*value))
	}
}
