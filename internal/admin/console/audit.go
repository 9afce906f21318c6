package console

import (
	"cmp"
	"context"
	"io"
	"regexp"
	"strconv"
	"strings"

	"casbroker/internal/audit"
	"casbroker/internal/httpapi"
)

// auditBody is a page of the audit trail and its filter.
type auditBody struct {
	Subject, Actor, Action, Outcome, RequestID, From, To string // as entered
	Views                                                []audit.View
	First, Next                                          string // URLs; First is "" on the first page, Next on the last
	CSV, NDJSON                                          string // URLs of exports of all matching records
	All                                                  string // URL of the list with what Action leaves out, "" if that is nothing
}

// audit lists audit records, newest first.
func (h *Handler) audit(r request) (reply, error) {
	b, f, err := auditFilter(r, exceptOperatorReads)
	page := reply{page: "audit", title: "Audit trail", body: b}
	if err != nil {
		return page, err
	}
	cursor := r.URL.Query().Get("cursor")
	found, err := h.Admin.Records(r.Context(), f, cursor, pageSize)
	if err != nil {
		return page, err
	}
	for _, e := range found.Entries {
		b.Views = append(b.Views, e.View())
	}
	if cursor != "" {
		b.First = b.url(home + "audit")
	}
	if found.Next != "" {
		b.Next = b.url(home+"audit", "cursor", found.Next)
	}
	if b.Action == exceptOperatorReads || b.Action == exceptReads {
		all := b
		all.Action = everything
		b.All = all.url(home + "audit")
	}
	b.CSV, b.NDJSON = b.url(exportPath, "format", "csv"), b.url(exportPath, "format", "ndjson")
	page.body = b
	return page, nil
}

// auditFilter reads the filter of a request. action is the choice of actions if r has none.
func auditFilter(r request, action string) (auditBody, audit.Filter, error) {
	q := httpapi.FormParams(r.URL.Query())
	b := auditBody{
		Subject: q.Text("subject"), Actor: q.Text("actor"), Action: cmp.Or(q.Text("action"), action), Outcome: q.Text("outcome"),
		RequestID: q.Text("request_id"),
		From:      q.Text("from"), To: q.Text("to"),
	}
	f := audit.Filter{
		Subject: b.Subject, Actor: b.Actor, Outcome: audit.Outcome(b.Outcome), RequestID: b.RequestID, Since: readTime(q, "from"), Until: readTime(q, "to"),
	}
	switch b.Action {
	case everything:
	case exceptOperatorReads:
		f.Without = []audit.Action{audit.AdminRead}
	case exceptReads:
		f.Without = audit.Reads
	default:
		f.Action = audit.Action(b.Action)
	}
	return b, f, q.Err()
}

// url returns the URL at path with the filter and other parameters.
func (b auditBody) url(path string, pairs ...string) string {
	return withQuery(path, append(pairs, "subject", b.Subject, "actor", b.Actor, "action", b.Action, "outcome", b.Outcome, "request_id", b.RequestID,
		"from", b.From, "to", b.To)...)
}

// LeftOut says what Action leaves out.
func (b auditBody) LeftOut() string {
	if b.Action == exceptReads {
		return "Reads by users, services and operators are left out."
	}
	return "Reads by operators are left out."
}

// Filtered reports whether there is a filter.
func (b auditBody) Filtered() bool {
	return b.Subject+b.Actor+b.Outcome+b.RequestID+b.From+b.To != "" || b.Action != exceptOperatorReads
}

// export writes the records that match the filter of r, in the format that r asks for.
func (h *Handler) export(ctx context.Context, r request, w io.Writer) error {
	_, f, err := auditFilter(r, everything)
	if err != nil {
		return err
	}
	return h.Admin.Export(ctx, w, f, r.URL.Query().Get("format"))
}

// summary matches the detail of a record that stands for several: the reason of a refusal
// if they were refused, how many they are, and since when.
var summary = regexp.MustCompile(`^(?:(\S+) )?count=(\d{1,18}) since=(\S+)$`)

// Detail returns the detail of a record as a text for people, or unchanged if it has no
// such text.
func (auditBody) Detail(v audit.View) string {
	if m := summary.FindStringSubmatch(v.Detail); m != nil {
		n, err := strconv.ParseInt(m[2], 10, 64)
		if err != nil {
			return v.Detail
		}
		text := grouped(n) + " times since " + formatRFC3339(m[3])
		if n == 1 {
			text = "once since " + formatRFC3339(m[3])
		}
		if m[1] != "" {
			text = refusalText(m[1]) + ", " + text
		}
		return text
	}
	until, ok := strings.CutPrefix(v.Detail, "until=")
	switch {
	case ok && until == "lifted":
		return "until unblocked"
	case ok:
		return "until " + formatRFC3339(until)
	case v.Detail == "already":
		return "no change"
	case v.Outcome == audit.Refused:
		return refusalText(v.Detail)
	default:
		return v.Detail
	}
}

// refusalText returns the reason of a refusal, a code with the check that failed, as a text
// for people: "Invalid token: expired".
func refusalText(reason string) string {
	code, check, found := strings.Cut(reason, ":")
	if !found {
		return label(refusals, code)
	}
	return label(refusals, code) + ": " + strings.ReplaceAll(check, "_", " ")
}
