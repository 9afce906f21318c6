package console

import (
	"time"

	"casbroker/internal/httpapi"
	"casbroker/internal/token"
)

// grantsBody is a list of grants and its filter.
type grantsBody struct {
	Subject, State, From, To string // as entered
	Now                      time.Time
	Grants                   []token.GrantInfo
	First, Next              string // URLs; First is "" on the first page, Next on the last
}

// grants lists grants, newest first.
func (h *Handler) grants(r request) (reply, error) {
	q := httpapi.FormParams(r.URL.Query())
	b := grantsBody{Subject: q.Text("subject"), State: q.Text("state"), From: q.Text("from"), To: q.Text("to"), Now: r.now}
	f := token.Filter{Subject: b.Subject, State: token.State(b.State), From: readTime(q, "from"), To: readTime(q, "to")}
	page := reply{page: "grants", title: "Grants", body: b}
	if q.Err() != nil {
		return page, q.Err()
	}
	cursor := q.Text("cursor")
	found, err := h.Admin.FindGrants(r.Context(), f, cursor, pageSize)
	if err != nil {
		return page, err
	}
	b.Grants = found.Grants
	if cursor != "" {
		b.First = b.url("")
	}
	if found.Next != "" {
		b.Next = b.url(found.Next)
	}
	page.body = b
	return page, nil
}

// url returns the URL of the page of the list at cursor.
func (b grantsBody) url(cursor string) string {
	return withQuery(home+"grants", "subject", b.Subject, "state", b.State, "from", b.From, "to", b.To, "cursor", cursor)
}

// Filtered reports whether there is a filter.
func (b grantsBody) Filtered() bool { return b.Subject+b.State+b.From+b.To != "" }

// grantBody is one grant and what happened under its token.
type grantBody struct {
	token.Session
	Funnel        funnel
	WorksAtVendor bool   // although it is revoked
	Trail         string // URL of the audit trail of its user
}

// grant shows one grant.
func (h *Handler) grant(r request) (reply, error) {
	g, err := h.Admin.Session(r.Context(), r.key)
	if err != nil {
		return reply{}, err
	}
	b := grantBody{
		Session: g, Funnel: newFunnel(g), WorksAtVendor: !g.UpstreamUntil(r.now).IsZero(),
		Trail: withQuery(home+"audit", "subject", g.Subject, "action", exceptReads),
	}
	return reply{page: "grant", title: "Grant", body: b}, nil
}
