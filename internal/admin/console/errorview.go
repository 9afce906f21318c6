package console

import (
	"cmp"
	"errors"
	"math"
	"net/http"
	"time"

	"casbroker/internal/fault"
)

// errorView is an error as a page shows it to operators.
type errorView struct {
	Title     string
	Detail    string
	Note      string // advice for operators, "" for none; shown to signed-in operators only
	Code      string
	RequestID string
	Wait      time.Duration // before a retry is useful; 0 if unknown
	Temporary bool          // a retry may succeed
	fields    map[string]bool
}

// problemBody is the body of a page that shows only an error.
type problemBody struct {
	Retry  string // URL of the page to open again, "" for none
	Resend bool   // Form may be sent again
	Form   []formField
}

// formField is a field of a form that was sent.
type formField struct{ Name, Value string }

var errMethod = fault.New(fault.NotAllowed, "method_not_allowed", "This address does not accept what was sent. Use the pages of the console.")

// details replaces the details of faults that are worded for programs.
var details = map[string]string{
	"invalid_cursor":   "This page of the list cannot be found. Begin with the newest.",
	"invalid_state":    "Choose one of the states in the list.",
	"invalid_subject":  "A user id is the app's verifier, a colon and the id in its tokens, such as demo:42; at most 289 bytes. Search for the user to see how the id is written.",
	"invalid_until":    "It must end in the future. Enter a date and a time in UTC, or choose a duration if there is a choice.",
	"invalid_level":    "Choose one of the levels.",
	"not_confirmed":    "Nothing was changed. Type the words exactly as shown.",
	"grant_not_found":  "There is no grant with this id.",
	"cross_origin":     "The request came from a page of another site, so nothing was done. Use the pages of the console.",
	"no_such_path":     "There is no page at this address.",
	"insecure_sign_in": "The key would cross the network unencrypted. Open the console over https, or on the machine that runs the broker.",
	"rate_limited":     "There were too many requests in a short time.",
}

// codeTitles are the titles of errors whose status does not say enough, by code.
var codeTitles = map[string]string{
	"wrong_key":     "Sign-in failed",
	"not_confirmed": "Not confirmed",
}

// titles are the titles of other errors, by status.
var titles = map[int]string{
	http.StatusBadRequest:          "Invalid request",
	http.StatusUnauthorized:        "Not signed in",
	http.StatusForbidden:           "Not allowed",
	http.StatusNotFound:            "Not found",
	http.StatusMethodNotAllowed:    "Method not allowed",
	http.StatusUnprocessableEntity: "Check your input",
	http.StatusTooManyRequests:     "Too many requests",
	http.StatusServiceUnavailable:  "Temporarily unavailable",
}

// newErrorView returns the view of err, which is answered with status.
func newErrorView(err error, status int, requestID string) *errorView {
	v := &errorView{Title: cmp.Or(titles[status], "Something went wrong"), RequestID: requestID, fields: make(map[string]bool)}
	v.Temporary = status >= http.StatusInternalServerError || status == http.StatusTooManyRequests
	var f *fault.Fault
	if !errors.As(err, &f) || f.Kind == fault.Internal {
		v.Detail = "An internal error occurred. The broker's log has more under the request id."
		if status == http.StatusNotFound {
			v.Detail = details["no_such_path"]
		}
		return v
	}
	v.Title = cmp.Or(codeTitles[f.Code], v.Title)
	v.Code, v.Wait, v.Detail, v.Note = f.Code, f.RetryAfter, cmp.Or(details[f.Code], f.Detail), f.Note
	if status == http.StatusTooManyRequests {
		v.Detail += " " + waitText(f.RetryAfter)
	}
	for _, field := range f.Fields {
		v.fields[field.Pointer] = true
	}
	return v
}

// waitText says how long to wait before a retry, 0 if unknown.
func waitText(d time.Duration) string {
	switch {
	case d <= 0:
		return "Wait a moment and try again."
	case d <= 2*time.Minute:
		return "Wait " + plural(int(math.Ceil(d.Seconds())), "second") + " and try again."
	}
	return "Wait " + plural(int(math.Ceil(d.Minutes())), "minute") + " and try again."
}
