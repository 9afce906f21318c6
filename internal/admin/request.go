package admin

import (
	"net/http"
	"time"

	"casbroker/internal/access"
	"casbroker/internal/audit"
	"casbroker/internal/budget"
	"casbroker/internal/credit"
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
		Action: audit.Action(q.Text("action")), Outcome: audit.Outcome(q.Text("outcome")),
		RequestID: q.Text("request_id"), Since: q.Time("from"), Until: q.Time("to"),
	}
	if without := q.Text("without"); without != "" {
		f.Without = []audit.Action{audit.Action(without)}
	}
	switch f.Outcome {
	case "", audit.OK, audit.Refused:
	default:
		q.Fail(errOutcome)
	}
	return f
}

// blockRequest is the body of a request to block a user.
type blockRequest struct {
	Reason string
	Until  time.Time // zero: until the block is lifted
}

func readBlock(w http.ResponseWriter, r *http.Request) (blockRequest, error) {
	req, err := read[struct {
		Reason string     `json:"reason"`
		Until  *time.Time `json:"until"`
	}](w, r, `{"reason": "stolen phone", "until": "2036-04-01T10:00:00Z"}`)
	switch {
	case httpapi.IsTypeError(err, "/until"):
		return blockRequest{}, access.ErrUntil
	case err != nil:
		return blockRequest{}, err
	case req.Until == nil:
		return blockRequest{Reason: req.Reason}, nil
	case req.Until.IsZero(): // the zero time must not become a block without an end
		return blockRequest{}, access.ErrUntil
	}
	return blockRequest{req.Reason, *req.Until}, nil
}

func readConfirm(w http.ResponseWriter, r *http.Request) (string, error) {
	req, err := read[struct {
		Confirm string `json:"confirm"`
	}](w, r, `{"confirm": "revoke everything"}`)
	return req.Confirm, err
}

// readRaise reads a request to raise a budget, which the path names.
func readRaise(w http.ResponseWriter, r *http.Request) (budget.Raise, error) {
	req, err := read[struct {
		Credits credit.Amount `json:"credits"`
		Until   time.Time     `json:"until"`
		Subject string        `json:"subject"`
		App     string        `json:"app"`
	}](w, r, `{"credits": "5", "until": "2036-04-01T10:00:00Z", "subject": "app:42"}`)
	switch {
	case httpapi.IsTypeError(err, "/until"):
		return budget.Raise{}, budget.ErrUntil
	case httpapi.IsTypeError(err, "/credits"):
		return budget.Raise{}, budget.ErrCredits
	}
	return budget.Raise{Credits: req.Credits, Until: req.Until, Subject: req.Subject, App: req.App}, err
}

// readDay reads a request about a day, the zero time if it names none.
func readDay(w http.ResponseWriter, r *http.Request) (day time.Time, err error) {
	req, err := read[struct {
		Day string `json:"day"`
	}](w, r, `{"day": "2026-04-01"}`)
	if err != nil || req.Day == "" {
		return day, err
	}
	if day, err = time.Parse(time.DateOnly, req.Day); err != nil {
		return day, budget.ErrDay
	}
	return day, nil
}

// readEmpty fails for a body with members, which the route would ignore.
func readEmpty(w http.ResponseWriter, r *http.Request) error {
	_, err := read[struct{}](w, r, "{}")
	return err
}

// read reads an optional body; example is a valid one for error texts. 4 KiB is more than
// any request needs.
func read[T any](w http.ResponseWriter, r *http.Request, example string) (T, error) {
	return httpapi.ReadBody[T](w, r, httpapi.BodyRules{MaxBytes: 4 << 10, Example: example})
}
