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

// steps are the names of the page's steps and of the events of connect.js.
var steps = []string{
	"started", "resumed", "returned",
	"token", "opened", "reopened", "saved", "closed", "error", "kept", "token_retry", "widget_retry", "save_retry",
}

// widgetStep matches the names of the widget's events, in lower case.
var widgetStep = regexp.MustCompile(`^(widget|mode|asset|file|upload|parse|generator|cdsl|inbox|inbound_email|success|success_summary)_[a-z_]{1,30}$`)

// codes are those of connect.js.
var codes = []string{
	"network", "widget_not_loaded", "unauthenticated", "access_ended", "subject_blocked", "forbidden", "other_user", "rate_limited",
	"out_of_credits", "budget_exhausted", "unavailable", "invalid_password", "unreadable_statement", "generator_failed", "cdsl_fetch_failed", "inbox_failed",
	"inbound_email_failed", "too_large", "invalid_statement", "other_owner", "quota_exceeded", "unknown",
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
