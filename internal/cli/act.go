package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

// confirmation is what the broker wants to hear before it ends everybody's tokens.
const confirmation = "revoke everything"

var (
	errWhat      = usageError{errors.New("which tokens? Give --grant, --user or --all")}
	errConfirm   = usageError{errors.New(`--all ends the tokens of everybody; say --confirm "` + confirmation + `" if that is meant`)}
	errNoConfirm = usageError{errors.New("--confirm goes with --all")}
)

// named is a word that stands in a path: it is not empty.
type named string

// UnmarshalText takes any text but none.
func (n *named) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		return errors.New("want a name, not nothing")
	}
	*n = named(text)
	return nil
}

// escaped is n as a part of a path. Dots that would lead elsewhere are no names.
func (n named) escaped() string {
	if n == "." || n == ".." {
		return strings.ReplaceAll(string(n), ".", "%2E")
	}
	return url.PathEscape(string(n))
}

// outcome is what a broker says that an act came to.
type outcome struct {
	Already bool   `json:"already"`
	Subject string `json:"subject"`
	GrantID string `json:"grant_id"`
	Block   *struct {
		Until time.Time `json:"until"`
	} `json:"block"`
	UpstreamValidUntil time.Time `json:"upstream_valid_until"`
}

// actFlags are shared by the commands that change something.
type actFlags struct {
	brokerFlags
	JSON bool `help:"What the broker answers, for scripts."`
}

// act asks the broker to do something, and prints what it came to in the words of say.
func (f actFlags) act(ctx context.Context, t *Terminal, path string, body any, say func(outcome) string) error {
	return f.signedIn(ctx, t, func(b *client) error {
		answer, err := b.ask(ctx, http.MethodPost, path, body)
		if err != nil {
			return err
		}
		var o outcome
		if err := json.Unmarshal(answer, &o); err != nil {
			return fmt.Errorf("it is done, but %w", unreadable(err))
		}
		if f.JSON {
			return printLine(t.Out, answer)
		}
		text := strings.Map(printable, say(o))
		if !o.UpstreamValidUntil.IsZero() {
			text += "\nThe vendor has no call to revoke a token: whoever holds one can use it there until " + shown(o.UpstreamValidUntil) + "."
		}
		_, err = fmt.Fprintln(t.Out, text)
		return err
	})
}

type revokeCommand struct {
	Grant   named  `xor:"what" placeholder:"gr_…" help:"The token of this grant."`
	User    named  `xor:"what" placeholder:"app:42" help:"All tokens of this user."`
	All     bool   `xor:"what" help:"All tokens of everybody."`
	Confirm string `placeholder:"TEXT" help:"With --all: \"revoke everything\"."`
	actFlags
}

// Run revokes what the flags say. Doing it again is no error.
func (c revokeCommand) Run(ctx context.Context, t *Terminal) error {
	switch {
	case c.All && c.Confirm != confirmation:
		return errConfirm
	case !c.All && c.Confirm != "":
		return errNoConfirm
	case c.All:
		return c.act(ctx, t, "/admin/v1/revoke-all", map[string]string{"confirm": c.Confirm}, func(o outcome) string {
			return either(o.Already, "Nobody had a token left to revoke.", "All tokens of everybody are revoked.")
		})
	case c.User != "":
		return c.act(ctx, t, "/admin/v1/users/"+c.User.escaped()+"/revoke", nil, func(o outcome) string {
			return either(o.Already, o.Subject+" had no token left to revoke.", "All tokens of "+o.Subject+" are revoked.")
		})
	case c.Grant == "":
		return errWhat
	default:
		return c.act(ctx, t, "/admin/v1/grants/"+c.Grant.escaped()+"/revoke", nil, func(o outcome) string {
			return either(o.Already, "The token of "+o.GrantID+" had ended already.", "The token of "+o.GrantID+" is revoked.")
		})
	}
}

type blockCommand struct {
	Subject named    `arg:"" help:"The user, such as app:42."`
	Reason  string   `placeholder:"TEXT" help:"Why; for operators, the user does not see it."`
	Until   deadline `placeholder:"TIME" help:"When it ends by itself: 2026-04-01T10:00:00Z, or 2h for two hours from now. Without, it lasts until it is lifted."`
	actFlags
}

// Run blocks a user, which revokes the user's tokens too.
func (c blockCommand) Run(ctx context.Context, t *Terminal) error {
	body := struct {
		Reason string    `json:"reason"`
		Until  time.Time `json:"until,omitzero"`
	}{c.Reason, time.Time(c.Until).UTC()}
	return c.act(ctx, t, "/admin/v1/users/"+c.Subject.escaped()+"/block", body, func(o outcome) string {
		until := "until that is lifted"
		if o.Block != nil && !o.Block.Until.IsZero() {
			until = "until " + shown(o.Block.Until)
		}
		return either(o.Already, o.Subject+" was blocked already, "+until+".",
			o.Subject+" is blocked "+until+", and all its tokens are revoked.")
	})
}

type unblockCommand struct {
	Subject named `arg:"" help:"The user, such as app:42."`
	actFlags
}

// Run lifts the block of a user.
func (c unblockCommand) Run(ctx context.Context, t *Terminal) error {
	return c.act(ctx, t, "/admin/v1/users/"+c.Subject.escaped()+"/unblock", nil, func(o outcome) string {
		return either(o.Already, o.Subject+" was not blocked.",
			o.Subject+" may have tokens again; those from before stay revoked.")
	})
}

func either(first bool, one, other string) string {
	if first {
		return one
	}
	return other
}
