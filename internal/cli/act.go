package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// confirmation is what the broker wants to hear before it ends everybody's tokens.
const confirmation = "revoke everything"

var (
	errWhat      = usageError{errors.New("which tokens? Give --grant, --user or --all")}
	errConfirm   = usageError{errors.New(`--all ends the tokens of everybody; say --confirm "` + confirmation + `" if that is meant`)}
	errNoConfirm = usageError{errors.New("--confirm goes with --all")}
)

// actFlags are shared by the commands that change something.
type actFlags struct {
	brokerFlags
	JSON bool `help:"What the broker answers, for scripts."`
}

// deed is something that a broker is asked to do.
type deed struct {
	path  string
	body  any                  // nil for none
	fits  func(o outcome) bool // whether o is an answer to this
	words func(o outcome) string
}

// act asks the broker for a deed, and prints what it came to.
func (f actFlags) act(ctx context.Context, t *Terminal, d deed) error {
	return f.signedIn(ctx, t, func(b *client) error {
		answer, err := b.ask(ctx, http.MethodPost, d.path, d.body)
		var o outcome
		if err == nil {
			o, err = readOutcome(answer, d.fits)
		}
		if errors.As(err, new(formError)) {
			return fmt.Errorf("what was asked may be done, or not: %w; look with broker grants --user or broker audit list", err)
		}
		if err != nil {
			return err
		}
		if f.JSON {
			return printLine(t.Out, answer)
		}
		text := strings.Map(printable, d.words(o))
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
		return c.act(ctx, t, deed{
			path: "/admin/v1/revoke-all",
			body: map[string]string{"confirm": c.Confirm},
			fits: func(o outcome) bool { return o.Subject == "" && o.GrantID == "" },
			words: func(o outcome) string {
				return either(o.Already, "Nobody had a token left to revoke.", "All tokens of everybody are revoked.")
			},
		})
	case c.User != "":
		return c.act(ctx, t, deed{
			path: c.User.path() + "/revoke",
			fits: c.User.is,
			words: func(o outcome) string {
				return either(o.Already, o.Subject+" had no token left to revoke.", "All tokens of "+o.Subject+" are revoked.")
			},
		})
	case c.Grant == "":
		return errWhat
	default:
		return c.act(ctx, t, deed{
			path: "/admin/v1/grants/" + c.Grant.escaped() + "/revoke",
			fits: func(o outcome) bool { return o.GrantID == string(c.Grant) },
			words: func(o outcome) string {
				return either(o.Already, "The token of "+o.GrantID+" had ended already.", "The token of "+o.GrantID+" is revoked.")
			},
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
	return c.act(ctx, t, deed{
		path: c.Subject.path() + "/block",
		body: body,
		fits: func(o outcome) bool { return c.Subject.is(o) && o.Block != nil && o.Block.Subject == o.Subject },
		words: func(o outcome) string {
			until := "until that is lifted"
			if !o.Block.Until.IsZero() {
				until = "until " + shown(o.Block.Until)
			}
			return either(o.Already, o.Subject+" was blocked already, "+until+".",
				o.Subject+" is blocked "+until+", and all its tokens are revoked.")
		},
	})
}

type unblockCommand struct {
	Subject named `arg:"" help:"The user, such as app:42."`
	actFlags
}

// Run lifts the block of a user.
func (c unblockCommand) Run(ctx context.Context, t *Terminal) error {
	return c.act(ctx, t, deed{
		path: c.Subject.path() + "/unblock",
		fits: c.Subject.is,
		words: func(o outcome) string {
			return either(o.Already, o.Subject+" was not blocked.",
				o.Subject+" may have tokens again; those from before stay revoked.")
		},
	})
}

func either(first bool, one, other string) string {
	if first {
		return one
	}
	return other
}
