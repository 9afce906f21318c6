package admin

import (
	"net/url"
	"slices"
	"strconv"
	"time"

	"casbroker/internal/audit"
	"casbroker/internal/fault"
)

// usualLimit is how many rows a page has when the caller does not say.
const usualLimit = 50

var (
	errQuery = fault.New(fault.Invalid, "invalid_query",
		"The query string cannot be read, or has a parameter twice; send each once, percent-encoded.")
	errTime = fault.New(fault.Invalid, "invalid_time",
		"A time must be as in RFC 3339 and from 1970 on, such as 2026-04-01T10:00:00Z; send a + in it as %2B.")
	errBlocked = fault.New(fault.Invalid, "invalid_query", "blocked must be true or false; leave it out for all users.")
	errOutcome = fault.New(fault.Invalid, "invalid_outcome", "outcome must be ok or refused; leave it out for all.")
)

// query is what a request asks for. The first value that cannot be read stays in err.
type query struct {
	values url.Values
	err    error
}

// queryOf reads a query string of which nothing may be lost: it fails for what is not
// known, and for what stands there twice.
func queryOf(u *url.URL, known []string) (*query, error) {
	values, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, errQuery // the cause repeats what was sent
	}
	for name, list := range values {
		if len(list) > 1 {
			return nil, errQuery
		}
		if !slices.Contains(known, name) {
			return nil, unknown(known)
		}
	}
	return &query{values: values}, nil
}

// unknown is the fault of a parameter that is not one of those known here.
func unknown(known []string) error {
	if len(known) == 0 {
		return errQuery.Withf("This call takes no query parameters.")
	}
	return errQuery.Withf("This call takes no query parameters but %q.", known)
}

// fail keeps the first fault.
func (q *query) fail(err error) {
	if q.err == nil {
		q.err = err
	}
}

// text is a parameter as it is, "" when it is left out.
func (q *query) text(name string) string { return q.values.Get(name) }

// limit is how many rows are wanted, at most most.
func (q *query) limit(most int) int {
	text := q.text("limit")
	if text == "" {
		return usualLimit
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		q.fail(errLimit.Withf("limit must be a whole number from 1 to %d.", most))
	}
	return n
}

// instant is a time, zero when it is left out.
func (q *query) instant(name string) time.Time {
	text := q.text(name)
	if text == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil || t.Before(time.Unix(0, 0)) { // which also keeps the zero time from meaning none
		q.fail(errTime)
	}
	return t.UTC()
}

// blocked is whether only users who are blocked are wanted.
func (q *query) blocked() bool {
	if !q.values.Has("blocked") {
		return false
	}
	text := q.text("blocked")
	if text != "true" && text != "false" {
		q.fail(errBlocked)
	}
	return text == "true"
}

// filter is which audit records are wanted.
func (q *query) filter() audit.Filter {
	f := audit.Filter{
		Subject: q.text("subject"), Actor: q.text("actor"),
		Action: audit.Action(q.text("action")), Without: audit.Action(q.text("without")), Outcome: audit.Outcome(q.text("outcome")),
		Since: q.instant("from"), Until: q.instant("to"),
	}
	switch f.Outcome {
	case "", audit.OK, audit.Refused:
	default:
		q.fail(errOutcome)
	}
	return f
}
