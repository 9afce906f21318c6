package console

import (
	"context"
	"io"

	"casbroker/internal/audit"
	"casbroker/internal/httpapi"
)

// auditBody is a part of the audit trail, and the filter that it passed.
type auditBody struct {
	Subject, Actor, Action, Outcome, From, To string // as they were typed
	Views                                     []audit.View
	First, Next                               string // addresses; First is "" on the first page, Next on the last
	CSV, NDJSON                               string // addresses of all that passed
}

// trail lists what is on record, newest first.
func (h *Handler) trail(v visit) (reply, error) {
	b, f, err := filterOf(v)
	r := reply{page: "audit", title: "Audit trail", body: b}
	if err != nil {
		return r, err
	}
	cursor := v.URL.Query().Get("cursor")
	page, err := h.Admin.Records(v.Context(), f, cursor, pageOf)
	if err != nil {
		return r, err
	}
	for _, e := range page.Entries {
		b.Views = append(b.Views, e.View())
	}
	if cursor != "" {
		b.First = b.address(home + "audit")
	}
	if page.Next != "" {
		b.Next = b.address(home+"audit", "cursor", page.Next)
	}
	b.CSV, b.NDJSON = b.address(home+"audit/export", "format", "csv"), b.address(home+"audit/export", "format", "ndjson")
	r.body = b
	return r, nil
}

// filterOf reads which records are wanted.
func filterOf(v visit) (auditBody, audit.Filter, error) {
	q := httpapi.FormParams(v.URL.Query())
	b := auditBody{
		Subject: q.Text("subject"), Actor: q.Text("actor"), Action: q.Text("action"), Outcome: q.Text("outcome"),
		From: q.Text("from"), To: q.Text("to"),
	}
	f := audit.Filter{
		Subject: b.Subject, Actor: b.Actor, Outcome: audit.Outcome(b.Outcome), Since: readTime(q, "from"), Until: readTime(q, "to"),
	}
	if b.Action == butReads {
		f.Without = audit.AdminRead
	} else {
		f.Action = audit.Action(b.Action)
	}
	return b, f, q.Err()
}

// address is at with the filter and further parameters.
func (b auditBody) address(at string, pairs ...string) string {
	return with(at, append(pairs, "subject", b.Subject, "actor", b.Actor, "action", b.Action, "outcome", b.Outcome,
		"from", b.From, "to", b.To)...)
}

// Filtered reports whether not all of the trail is listed.
func (b auditBody) Filtered() bool {
	return b.Subject+b.Actor+b.Action+b.Outcome+b.From+b.To != ""
}

// export writes the records that v wants, in the format that it wants.
func (h *Handler) export(ctx context.Context, v visit, w io.Writer) error {
	_, f, err := filterOf(v)
	if err != nil {
		return err
	}
	return h.Admin.Export(ctx, w, f, v.URL.Query().Get("format"))
}
