package console

import (
	"cmp"
	"strings"
	"time"

	"casbroker/internal/access"
	"casbroker/internal/httpapi"
	"casbroker/internal/link"
	"casbroker/internal/token"
)

// An action has two routes: GET shows a page that asks for confirmation, POST carries the
// action out and redirects to a page that shows the result.

// The actions that confirmBody asks about.
const (
	actUnblock     = "unblock"
	actRevokeUser  = "revoke-user"
	actRevokeGrant = "revoke-grant"
	actRevokeLink  = "revoke-link"
)

// userStatus is what a confirmation page shows about a user.
type userStatus struct {
	Subject     string
	ActiveBlock *access.ActiveBlock // nil for none
	Tokens      liveTokens
	Known       bool // something is stored about the user
}

// status returns the status of subject.
func (h *Handler) status(r request, subject string) (userStatus, error) {
	u, err := h.Admin.User(r.Context(), subject)
	if err != nil {
		return userStatus{}, err
	}
	// Active grants are not always among the newest.
	page, err := h.Admin.Grants.List(r.Context(), token.Filter{Subject: subject, State: token.StateActive}, "", token.MaxPage)
	if err != nil {
		return userStatus{}, err
	}
	s := userStatus{Subject: subject, ActiveBlock: u.Block, Tokens: countLive(page.Grants), Known: isKnown(u)}
	s.Tokens.More = page.Next != ""
	s.Tokens.Until = latest(s.Tokens.Until, vendorUntil(u.Grants.Grants, r.now))
	return s, nil
}

// latest returns the later time.
func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// confirmBody is a page that asks for confirmation.
type confirmBody struct {
	userStatus
	Act   string
	Grant *token.GrantInfo // of actRevokeGrant, else nil
	Link  *link.Link       // of actRevokeLink, else nil
	Back  string           // URL of the page to return to
}

// Idle reports whether the action will change nothing.
func (b confirmBody) Idle() bool {
	switch b.Act {
	case actUnblock:
		return b.ActiveBlock == nil
	case actRevokeLink:
		return b.Link.State.Ended()
	default:
		return b.Tokens.Count == 0
	}
}

// confirmUser returns the page that asks for confirmation of act on a user.
func (h *Handler) confirmUser(act, title string) pageFunc {
	return func(r request) (reply, error) {
		s, err := h.status(r, r.key)
		if err != nil {
			return reply{}, err
		}
		return reply{page: "confirm", nav: "users", title: title, body: confirmBody{userStatus: s, Act: act, Back: userURL(r.key)}}, nil
	}
}

// unblock lifts the block of a user.
func (h *Handler) unblock(r request) (reply, error) {
	result, err := h.Admin.Unblock(r.Context(), r.key)
	return reply{redirect: userURL(r.key), notice: resultNotice(unblocked, result)}, err
}

// revokeUser revokes the tokens of a user.
func (h *Handler) revokeUser(r request) (reply, error) {
	result, err := h.Admin.RevokeUser(r.Context(), r.key)
	return reply{redirect: userURL(r.key), notice: resultNotice(userRevoked, result)}, err
}

// confirmGrant asks for confirmation to revoke the token of one grant.
func (h *Handler) confirmGrant(r request) (reply, error) {
	g, err := h.Admin.Grant(r.Context(), r.key)
	if err != nil {
		return reply{}, err
	}
	b := confirmBody{Act: actRevokeGrant, Grant: &g, Back: grantURL(g.ID)}
	if b.ActiveBlock, err = h.Admin.Access.ActiveBlock(r.Context(), g.Subject); err != nil {
		return reply{}, err
	}
	one := []token.GrantInfo{g}
	b.Subject, b.Tokens = g.Subject, countLive(one)
	b.Tokens.Until = latest(b.Tokens.Until, vendorUntil(one, r.now))
	return reply{page: "confirm", nav: "grants", title: "Revoke a token", body: b}, nil
}

// revokeGrant revokes the token of one grant.
func (h *Handler) revokeGrant(r request) (reply, error) {
	result, err := h.Admin.RevokeGrant(r.Context(), r.key)
	return reply{redirect: grantURL(r.key), notice: resultNotice(grantRevoked, result)}, err
}

// confirmLink asks for confirmation to revoke a hosted link.
func (h *Handler) confirmLink(r request) (reply, error) {
	l, err := h.Admin.Link(r.Context(), r.key)
	if err != nil {
		return reply{}, err
	}
	b := confirmBody{userStatus: userStatus{Subject: l.Subject}, Act: actRevokeLink, Link: &l, Back: userURL(l.Subject)}
	return reply{page: "confirm", nav: "users", title: "Revoke a hosted link", body: b}, nil
}

// revokeLink revokes a hosted link.
func (h *Handler) revokeLink(r request) (reply, error) {
	l, already, err := h.Admin.RevokeLink(r.Context(), r.key)
	return reply{redirect: userURL(l.Subject), notice: actionResult{action: linkRevoked, already: already}}, err
}

// revokeAllBody asks for the words that confirm the revocation of all tokens.
type revokeAllBody struct {
	Typed     string
	Tokens    liveTokens
	Uncounted bool // the number of tokens is not available
}

// Idle reports whether the action will change nothing.
func (b revokeAllBody) Idle() bool { return !b.Uncounted && b.Tokens.Count == 0 }

// confirmAll asks for confirmation to revoke all tokens.
func (h *Handler) confirmAll(r request) (reply, error) { return h.revokeAllForm(r, "") }

func (h *Handler) revokeAllForm(r request, typed string) (reply, error) {
	b := revokeAllBody{Typed: typed}
	live := h.Admin.Overview(r.Context()).LiveTokens
	if b.Uncounted = live == nil; !b.Uncounted {
		b.Tokens.Count = *live
	}
	b.Tokens.Until = r.now.Add(token.MaxTTL)
	if b.Idle() {
		page, err := h.Admin.Grants.List(r.Context(), token.Filter{State: token.StateRevoked, From: r.now.Add(-token.MaxTTL)}, "", token.MaxPage)
		if err != nil {
			return reply{}, err
		}
		b.Tokens.Until = vendorUntil(page.Grants, r.now)
	}
	return reply{page: "revoke-all", title: "Revoke everything", body: b}, nil
}

// revokeAll revokes all tokens if the form has the confirming words.
func (h *Handler) revokeAll(r request) (reply, error) {
	form := httpapi.FormParams(r.PostForm)
	typed := strings.TrimSpace(form.Text("confirm"))
	result, err := h.Admin.RevokeAll(r.Context(), typed)
	if err != nil {
		page, formErr := h.revokeAllForm(r, typed)
		return page, cmp.Or(formErr, err)
	}
	return reply{redirect: home, notice: resultNotice(allRevoked, result)}, nil
}
