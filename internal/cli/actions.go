package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// confirmation is the text that the broker requires before it revokes the tokens of all users.
const confirmation = "revoke everything"

var (
	errNoTokens  = usageError{errors.New("name the tokens with --grant, --user or --all")}
	errConfirm   = usageError{errors.New(`--all revokes the tokens of all users; to confirm, add --confirm "` + confirmation + `"`)}
	errNoConfirm = usageError{errors.New("--confirm is only for --all")}
)

// actionFlags are the flags of commands that change something.
type actionFlags struct {
	brokerFlags
	JSON bool `help:"Print the broker's answer as JSON, for scripts."`
}

// action is a request to a broker that changes something.
type action struct {
	path    string
	body    any                   // nil for none
	matches func(r result) bool   // whether r is about the object of this action
	text    func(r result) string // of r, for people
}

// run sends the action to the broker and prints the result.
func (f actionFlags) run(ctx context.Context, t *Terminal, a action) error {
	return f.signedIn(ctx, t, func(b *client) error {
		answer, err := b.ask(ctx, http.MethodPost, a.path, a.body)
		var r result
		if err == nil {
			r, err = readResult(answer, a.matches)
		}
		if errors.As(err, new(formError)) {
			return fmt.Errorf("the request may or may not have been carried out: %w; check with broker grants --user or broker audit list", err)
		}
		if err != nil {
			return err
		}
		if f.JSON {
			return printLine(t.Out, answer)
		}
		text := strings.Map(printable, a.text(r))
		if !r.UpstreamValidUntil.IsZero() {
			text += "\nThe vendor cannot revoke tokens: whoever has one can use it there until " + formatTime(r.UpstreamValidUntil) + "."
		}
		_, err = fmt.Fprintln(t.Out, text)
		return err
	})
}

type revokeCommand struct {
	Grant   name   `xor:"what" placeholder:"gr_…" help:"Revoke the token of this grant."`
	User    name   `xor:"what" placeholder:"app:42" help:"Revoke all tokens of this user."`
	All     bool   `xor:"what" help:"Revoke all tokens of all users."`
	Confirm string `placeholder:"TEXT" help:"Confirms --all: \"revoke everything\"."`
	actionFlags
}

// Run revokes the tokens that the flags name. Revoking them again is not an error.
func (c revokeCommand) Run(ctx context.Context, t *Terminal) error {
	switch {
	case c.All && c.Confirm != confirmation:
		return errConfirm
	case !c.All && c.Confirm != "":
		return errNoConfirm
	case c.All:
		return c.run(ctx, t, action{
			path:    "/admin/v1/revoke-all",
			body:    map[string]string{"confirm": c.Confirm},
			matches: func(r result) bool { return r.Subject == "" && r.GrantID == "" },
			text: func(r result) string {
				return either(r.Already, "No user had a token left to revoke.", "All tokens of all users are revoked.")
			},
		})
	case c.User != "":
		return c.run(ctx, t, action{
			path:    c.User.path() + "/revoke",
			matches: c.User.isSubject,
			text: func(r result) string {
				return either(r.Already, r.Subject+" had no token left to revoke.", "All tokens of "+r.Subject+" are revoked.")
			},
		})
	case c.Grant == "":
		return errNoTokens
	default:
		return c.run(ctx, t, action{
			path:    "/admin/v1/grants/" + c.Grant.escaped() + "/revoke",
			matches: func(r result) bool { return r.GrantID == string(c.Grant) },
			text: func(r result) string {
				return either(r.Already, "The token of "+r.GrantID+" had already ended.", "The token of "+r.GrantID+" is revoked.")
			},
		})
	}
}

type blockCommand struct {
	Subject name       `arg:"" help:"The user, such as app:42."`
	Reason  string     `placeholder:"TEXT" help:"The reason, for operators; the user does not see it."`
	Until   futureTime `placeholder:"TIME" help:"The end of the block: 2026-04-01T10:00:00Z, or 2h for two hours from now. Without it, the block has no end."`
	actionFlags
}

// Run blocks a user and revokes the user's tokens.
func (c blockCommand) Run(ctx context.Context, t *Terminal) error {
	body := struct {
		Reason string    `json:"reason"`
		Until  time.Time `json:"until,omitzero"`
	}{c.Reason, time.Time(c.Until).UTC()}
	return c.run(ctx, t, action{
		path:    c.Subject.path() + "/block",
		body:    body,
		matches: func(r result) bool { return c.Subject.isSubject(r) && r.Block != nil && r.Block.Subject == r.Subject },
		text: func(r result) string {
			until := "until unblocked"
			if !r.Block.Until.IsZero() {
				until = "until " + formatTime(r.Block.Until)
			}
			return either(r.Already, r.Subject+" was already blocked, "+until+".",
				r.Subject+" is blocked "+until+", and all its tokens are revoked.")
		},
	})
}

type unblockCommand struct {
	Subject name `arg:"" help:"The user, such as app:42."`
	actionFlags
}

// Run lifts the block of a user.
func (c unblockCommand) Run(ctx context.Context, t *Terminal) error {
	return c.run(ctx, t, action{
		path:    c.Subject.path() + "/unblock",
		matches: c.Subject.isSubject,
		text: func(r result) string {
			return either(r.Already, r.Subject+" was not blocked.",
				r.Subject+" can get tokens again; earlier ones stay revoked.")
		},
	})
}

// either returns one if first, else other.
func either(first bool, one, other string) string {
	if first {
		return one
	}
	return other
}
