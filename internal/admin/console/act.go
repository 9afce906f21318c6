package console

import (
	"cmp"
	"strings"
	"time"

	"casbroker/internal/access"
	"casbroker/internal/httpapi"
	"casbroker/internal/token"
)

// The reply to an act that is not done yet is a page that asks; the reply to one that
// is done leads to where it can be seen.

// The acts that confirmBody asks about.
const (
	actUnblock     = "unblock"
	actRevokeUser  = "revoke-user"
	actRevokeGrant = "revoke-grant"
)

// standing is how it stands with a user, as far as a page that asks tells.
type standing struct {
	Subject string
	Present *access.ActiveBlock // the block that is in force, nil for none
	Tokens  alive
	Known   bool // something is kept of the user
}

// standing returns how it stands with subject.
func (h *Handler) standing(v visit, subject string) (standing, error) {
	u, err := h.Admin.User(v.Context(), subject)
	if err != nil {
		return standing{}, err
	}
	// Those that are alive need not be among the newest.
	page, err := h.Admin.Grants.List(v.Context(), token.Filter{Subject: subject, State: token.StateActive}, "", token.MaxPage)
	if err != nil {
		return standing{}, err
	}
	s := standing{Subject: subject, Present: u.Block, Tokens: living(page.Grants), Known: known(u)}
	s.Tokens.More = page.Next != ""
	s.Tokens.Until = later(s.Tokens.Until, abroad(u.Grants.Grants, v.now))
	return s, nil
}

// later is the later of two instants.
func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// confirmBody asks whether to go on.
type confirmBody struct {
	standing
	Act   string
	Grant *token.GrantInfo // of actRevokeGrant, else nil
	Back  string           // where nothing was done
}

// Idle reports whether nothing will change.
func (b confirmBody) Idle() bool {
	if b.Act == actUnblock {
		return b.Present == nil
	}
	return b.Tokens.Count == 0
}

// askUser asks whether to do act to a user.
func (h *Handler) askUser(act, title string) step {
	return func(v visit) (reply, error) {
		s, err := h.standing(v, v.key)
		if err != nil {
			return reply{}, err
		}
		return reply{page: "confirm", part: "users", title: title, body: confirmBody{standing: s, Act: act, Back: userLink(v.key)}}, nil
	}
}

// unblock lifts the block of a user.
func (h *Handler) unblock(v visit) (reply, error) {
	done, err := h.Admin.Unblock(v.Context(), v.key)
	return reply{to: userLink(v.key), note: noteOf(unblocked, done)}, err
}

// revokeUser ends the tokens of a user.
func (h *Handler) revokeUser(v visit) (reply, error) {
	done, err := h.Admin.RevokeUser(v.Context(), v.key)
	return reply{to: userLink(v.key), note: noteOf(userRevoked, done)}, err
}

// askGrant asks whether to end the token of one grant.
func (h *Handler) askGrant(v visit) (reply, error) {
	g, err := h.Admin.Grant(v.Context(), v.key)
	if err != nil {
		return reply{}, err
	}
	b := confirmBody{Act: actRevokeGrant, Grant: &g, Back: grantLink(g.ID)}
	if b.Present, err = h.Admin.Access.ActiveBlock(v.Context(), g.Subject); err != nil {
		return reply{}, err
	}
	one := []token.GrantInfo{g}
	b.Subject, b.Tokens = g.Subject, living(one)
	b.Tokens.Until = later(b.Tokens.Until, abroad(one, v.now))
	return reply{page: "confirm", part: "grants", title: "Revoke a token", body: b}, nil
}

// revokeGrant ends the token of one grant.
func (h *Handler) revokeGrant(v visit) (reply, error) {
	done, err := h.Admin.RevokeGrant(v.Context(), v.key)
	return reply{to: grantLink(v.key), note: noteOf(grantRevoked, done)}, err
}

// revokeAllBody asks for the words without which not everybody's tokens end.
type revokeAllBody struct {
	Typed     string
	Tokens    alive
	Uncounted bool // Tokens does not tell how many there are
}

// Idle reports whether nothing will change.
func (b revokeAllBody) Idle() bool { return !b.Uncounted && b.Tokens.Count == 0 }

// askAll asks whether to end everybody's tokens.
func (h *Handler) askAll(v visit) (reply, error) { return h.allForm(v, "") }

func (h *Handler) allForm(v visit, typed string) (reply, error) {
	b := revokeAllBody{Typed: typed}
	live := h.Admin.Overview(v.Context()).LiveTokens
	if b.Uncounted = live == nil; !b.Uncounted {
		b.Tokens.Count = *live
	}
	b.Tokens.Until = v.now.Add(token.MaxTTL)
	if b.Idle() {
		page, err := h.Admin.Grants.List(v.Context(), token.Filter{State: token.StateRevoked, From: v.now.Add(-token.MaxTTL)}, "", token.MaxPage)
		if err != nil {
			return reply{}, err
		}
		b.Tokens.Until = abroad(page.Grants, v.now)
	}
	return reply{page: "revoke-all", title: "Revoke everything", body: b}, nil
}

// revokeAll ends everybody's tokens once the words were typed.
func (h *Handler) revokeAll(v visit) (reply, error) {
	q := httpapi.FormParams(v.PostForm)
	typed := strings.TrimSpace(q.Text("confirm"))
	done, err := h.Admin.RevokeAll(v.Context(), typed)
	if err != nil {
		r, wrong := h.allForm(v, typed)
		return r, cmp.Or(wrong, err)
	}
	return reply{to: home, note: noteOf(allRevoked, done)}, nil
}
