package console

import (
	"time"

	"casbroker/internal/httpapi"
	"casbroker/internal/token"
)

// grantsBody is a list of grants, and the filter that they passed.
type grantsBody struct {
	Subject, State, From, To string // as they were typed
	Now                      time.Time
	Grants                   []token.GrantInfo
	First, Next              string // addresses; First is "" on the first page, Next on the last
}

// grants lists grants, newest first.
func (h *Handler) grants(v visit) (reply, error) {
	q := httpapi.FormParams(v.URL.Query())
	b := grantsBody{Subject: q.Text("subject"), State: q.Text("state"), From: q.Text("from"), To: q.Text("to"), Now: v.now}
	f := token.Filter{Subject: b.Subject, State: token.State(b.State), From: readTime(q, "from"), To: readTime(q, "to")}
	r := reply{page: "grants", title: "Grants", body: b}
	if q.Err() != nil {
		return r, q.Err()
	}
	cursor := q.Text("cursor")
	page, err := h.Admin.FindGrants(v.Context(), f, cursor, pageOf)
	if err != nil {
		return r, err
	}
	b.Grants = page.Grants
	if cursor != "" {
		b.First = b.address("")
	}
	if page.Next != "" {
		b.Next = b.address(page.Next)
	}
	r.body = b
	return r, nil
}

// address is that of the page of the same list at cursor.
func (b grantsBody) address(cursor string) string {
	return with(home+"grants", "subject", b.Subject, "state", b.State, "from", b.From, "to", b.To, "cursor", cursor)
}

// Filtered reports whether not all grants are listed.
func (b grantsBody) Filtered() bool { return b.Subject+b.State+b.From+b.To != "" }

// grantBody is one grant.
type grantBody struct {
	token.GrantInfo
	Abroad bool // it is revoked and works at the vendor all the same
	Trail  string
}

// grant shows one grant.
func (h *Handler) grant(v visit) (reply, error) {
	g, err := h.Admin.Grant(v.Context(), v.key)
	if err != nil {
		return reply{}, err
	}
	b := grantBody{GrantInfo: g, Abroad: !g.UpstreamUntil(v.now).IsZero(), Trail: with(home+"audit", "subject", g.Subject, "action", butReads)}
	return reply{page: "grant", title: "Grant", body: b}, nil
}
