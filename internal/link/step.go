package link

import (
	"regexp"
	"slices"
	"time"

	"casbroker/internal/fault"
)

const (
	// maxSteps is how many steps of a session are stored.
	maxSteps = 100
	// maxReported is how many one request can report.
	maxReported = 20
)

// other is stored instead of a name or a code that is not one of those below.
const other = "other"

// steps are those that the page reports itself, and the events of connect.js.
var steps = []string{
	"started", "resumed", "returned",
	"token", "opened", "reopened", "saved", "closed", "error", "token_retry", "widget_retry", "save_retry", "upload_retry",
}

// widgetStep matches the names of the widget's events, in lower case.
var widgetStep = regexp.MustCompile(`^(widget|mode|asset|file|upload|parse|generator|cdsl|inbox|inbound_email|success|success_summary)_[a-z_]{1,30}$`)

// codes are those of connect.js, and of the page's own calls.
var codes = []string{
	"network", "widget_not_loaded", "unauthenticated", "authentication", "subject_blocked", "forbidden", "other_user",
	"rate_limited", "insufficient_credits", "budget_exhausted", "unavailable", "invalid_password", "invalid_pdf", "not_a_statement",
	"statement_not_parsed", "parse_error", "generator_error", "cdsl_fetch_error", "inbox_error", "inbound_email_error",
	"file_too_large", "too_large", "invalid_statement", "other_owner", "quota_exceeded", "unknown",
	ErrExpired.Code, ErrRevoked.Code, ErrUsed.Code, ErrCompleted.Code,
}

var errSteps = fault.New(fault.Unprocessable, "invalid_steps", "steps must be a list of 1 to 20 steps.").
	At(fault.Field{Pointer: "/steps", Detail: "must be 1 to 20 steps"})

// stored returns the steps as they are stored: at at, and with known names and codes only, so
// that no personal data gets in.
func stored(reported []Step, at time.Time) []Step {
	list := make([]Step, len(reported))
	for i, s := range reported {
		if !slices.Contains(steps, s.Name) && !widgetStep.MatchString(s.Name) {
			s.Name = other
		}
		if s.Code != "" && !slices.Contains(codes, s.Code) {
			s.Code = other
		}
		list[i] = Step{s.Name, s.Code, at}
	}
	return list
}
