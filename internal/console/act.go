package console

import (
	"cmp"
	"context"
	"time"

	"casbroker/internal/access"
	"casbroker/internal/token"
)

// The reply to an act that is not done yet is a page that asks; the reply to one that
// is done leads to where it can be seen.

// blockBody asks for the reason of a block and when it ends.
type blockBody struct {
	Subject string
	Reason  string
	For     string // one of lengths
	Until   string // as it was typed
	Now     time.Time
	Lengths []choice
	Present *access.Barrier // the block that is in force, nil for none
	Tokens  alive
}

// The ways to say when a block ends.
const (
	untilLifted = "lifted"
	untilThen   = "until"
)

// lengths are how long a block may last.
var lengths = []choice{
	{"1h", "1 hour"}, {"24h", "1 day"}, {"168h", "7 days"}, {untilLifted, "Until it is lifted"}, {untilThen, "Until a day and a time"},
}

// askBlock asks whether and how to block a user.
func (h *Handler) askBlock(v visit) (reply, error) {
	return h.blockForm(v, blockBody{Subject: v.key, For: untilLifted})
}

// blockForm shows the form with what is known.
func (h *Handler) blockForm(v visit, b blockBody) (reply, error) {
	var err error
	if b.Present, err = h.Desk.Access.State(v.Context(), b.Subject); err != nil {
		return reply{}, err
	}
	if b.Tokens, err = h.alive(v.Context(), b.Subject); err != nil {
		return reply{}, err
	}
	b.Now, b.Lengths = v.now, lengths
	return reply{page: "block", title: "Block a user", body: b}, nil
}

// block blocks a user, or shows the form again with what is wrong in it.
func (h *Handler) block(v visit) (reply, error) {
	q := fields{values: v.PostForm}
	b := blockBody{Subject: v.key, Reason: q.text("reason"), For: q.text("for"), Until: q.text("until")}
	until, err := b.end(v.now)
	if err == nil {
		var done access.Result
		if done, err = h.Desk.Block(v.Context(), b.Subject, b.Reason, until); err == nil {
			return reply{to: userLink(b.Subject), note: noteOf(blocked, done)}, nil
		}
	}
	r, wrong := h.blockForm(v, b)
	return r, cmp.Or(wrong, err)
}

// end is when the block is to end, zero for when it is lifted.
func (b blockBody) end(now time.Time) (time.Time, error) {
	switch b.For {
	case untilLifted:
		return time.Time{}, nil
	case untilThen:
		at, err := time.Parse(inForm, b.Until)
		if err != nil {
			return time.Time{}, access.ErrUntil.Because(err)
		}
		return at, nil
	}
	length, err := time.ParseDuration(b.For)
	if err != nil {
		return time.Time{}, errForm.Because(err)
	}
	return now.Add(length), nil
}

// The acts that confirmBody asks about.
const (
	actUnblock     = "unblock"
	actRevokeUser  = "revoke-user"
	actRevokeGrant = "revoke-grant"
)

// confirmBody asks whether to go on.
type confirmBody struct {
	Act     string
	Subject string
	Grant   *token.Kept // of actRevokeGrant
	Back    string      // where nothing was done
	Now     time.Time
	Tokens  alive
	Present *access.Barrier // the block that is in force, nil for none
}

// askUser asks whether to do act to a user.
func (h *Handler) askUser(act, title string) step {
	return func(v visit) (reply, error) {
		b := confirmBody{Act: act, Subject: v.key, Back: userLink(v.key), Now: v.now}
		var err error
		if b.Present, err = h.Desk.Access.State(v.Context(), v.key); err != nil {
			return reply{}, err
		}
		if b.Tokens, err = h.alive(v.Context(), v.key); err != nil {
			return reply{}, err
		}
		return reply{page: "confirm", title: title, body: b}, nil
	}
}

// unblock lifts the block of a user.
func (h *Handler) unblock(v visit) (reply, error) {
	done, err := h.Desk.Unblock(v.Context(), v.key)
	return reply{to: userLink(v.key), note: noteOf(unblocked, done)}, err
}

// revokeUser ends the tokens of a user.
func (h *Handler) revokeUser(v visit) (reply, error) {
	done, err := h.Desk.RevokeUser(v.Context(), v.key)
	return reply{to: userLink(v.key), note: noteOf(userRevoked, done)}, err
}

// askGrant asks whether to end the token of one grant.
func (h *Handler) askGrant(v visit) (reply, error) {
	g, err := h.Desk.Grant(v.Context(), v.key)
	if err != nil {
		return reply{}, err
	}
	b := confirmBody{
		Act: actRevokeGrant, Subject: g.Subject, Grant: &g, Back: grantLink(g.ID), Now: v.now, Tokens: living([]token.Kept{g}),
	}
	return reply{page: "confirm", title: "Revoke a token", body: b}, nil
}

// revokeGrant ends the token of one grant.
func (h *Handler) revokeGrant(v visit) (reply, error) {
	done, err := h.Desk.RevokeGrant(v.Context(), v.key)
	return reply{to: grantLink(v.key), note: noteOf(grantRevoked, done)}, err
}

// revokeAllBody asks for the words without which not everybody's tokens end.
type revokeAllBody struct {
	Typed     string
	Tokens    alive
	Uncounted bool // Tokens does not tell how many there are
}

// askAll asks whether to end everybody's tokens.
func (h *Handler) askAll(v visit) (reply, error) { return h.allForm(v, "") }

func (h *Handler) allForm(v visit, typed string) (reply, error) {
	b := revokeAllBody{Typed: typed}
	live := h.Desk.Overview(v.Context()).LiveTokens
	if b.Uncounted = live == nil; !b.Uncounted {
		b.Tokens.Count = *live
	}
	if b.Uncounted || b.Tokens.Count > 0 {
		b.Tokens.Until = v.now.Add(token.MaxLife)
	}
	return reply{page: "revoke-all", title: "Revoke everything", body: b}, nil
}

// revokeAll ends everybody's tokens once the words were typed.
func (h *Handler) revokeAll(v visit) (reply, error) {
	q := fields{values: v.PostForm}
	typed := q.text("confirm")
	done, err := h.Desk.RevokeAll(v.Context(), typed)
	if err != nil {
		r, wrong := h.allForm(v, typed)
		return r, cmp.Or(wrong, err)
	}
	return reply{to: home, note: noteOf(allRevoked, done)}, nil
}

// alive returns which tokens of subject are alive.
func (h *Handler) alive(ctx context.Context, subject string) (alive, error) {
	page, err := h.Desk.FindGrants(ctx, token.Filter{Subject: subject, State: token.StateActive}, "", token.MaxPage)
	if err != nil {
		return alive{}, err
	}
	a := living(page.Grants)
	a.More = page.Next != ""
	return a, nil
}
