package admin

import (
	"casbroker/internal/audit"
	"casbroker/internal/fault"
	"casbroker/internal/httpapi"
)

// defaultLimit is the number of rows on a page if the caller does not set limit.
const defaultLimit = 50

var (
	errBlocked = httpapi.ErrQuery.Withf("blocked must be true or false; leave it out for all users.")
	errOutcome = fault.New(fault.Invalid, "invalid_outcome", "outcome must be ok or refused; leave it out for all.")
)

// blockedOnly reads the parameter blocked, false if it was left out.
func blockedOnly(q *httpapi.Params) bool {
	if !q.Has("blocked") {
		return false
	}
	text := q.Text("blocked")
	if text != "true" && text != "false" {
		q.Fail(errBlocked)
	}
	return text == "true"
}

// auditFilter reads the parameters that select audit records.
func auditFilter(q *httpapi.Params) audit.Filter {
	f := audit.Filter{
		Subject: q.Text("subject"), Actor: q.Text("actor"),
		Action: audit.Action(q.Text("action")), Without: audit.Action(q.Text("without")), Outcome: audit.Outcome(q.Text("outcome")),
		Since: q.Time("from"), Until: q.Time("to"),
	}
	switch f.Outcome {
	case "", audit.OK, audit.Refused:
	default:
		q.Fail(errOutcome)
	}
	return f
}
