package console

import (
	"cmp"
	"errors"
	"math"
	"net/http"
	"time"

	"casbroker/internal/fault"
)

// trouble is what went wrong, in words for operators.
type trouble struct {
	Title     string
	Detail    string
	Code      string
	RequestID string
	Wait      time.Duration // before it is worth another try; 0 for not known
	Passing   bool          // it may be well by itself
	fields    map[string]bool
}

// problemBody is a page that shows nothing but trouble.
type problemBody struct {
	Again  string   // what may be opened once more, "" for nothing
	Resend bool     // Form may be sent once more
	Form   []choice // the names and values that were sent
}

var errMethod = fault.New(fault.NotAllowed, "method_not_allowed", "What was sent cannot be sent to this address. Use the pages of the console.")

// plain says for operators what the details of some faults say for programs.
var plain = map[string]string{
	"invalid_cursor":   "This place in the list cannot be found. Begin with the newest.",
	"invalid_state":    "Choose one of the states that are offered.",
	"invalid_subject":  "A user is named by the app's verifier, a colon and the id in its tokens, such as demo:42; at most 289 bytes. Look for the user to see how the id is written.",
	"invalid_until":    "The block must end in the future. Give a day and a time in UTC, or choose how long it lasts.",
	"not_confirmed":    "Nothing was done. Type the words exactly as they stand there.",
	"grant_not_found":  "There is no grant with this id.",
	"cross_origin":     "The request came from a page of another site, so nothing was done. Use the pages of the console.",
	"no_such_path":     "There is no page at this address.",
	"insecure_sign_in": "The key would cross the network unprotected. Open the console over https, or on the machine that the broker runs on.",
	"rate_limited":     "There were too many requests in a short time.",
}

// titles says in a few words what kind of trouble a status stands for.
var titles = map[int]string{
	http.StatusBadRequest:          "This cannot be read",
	http.StatusUnauthorized:        "Not signed in",
	http.StatusForbidden:           "Not allowed",
	http.StatusNotFound:            "Not found",
	http.StatusMethodNotAllowed:    "This cannot be sent here",
	http.StatusUnprocessableEntity: "This cannot be done",
	http.StatusTooManyRequests:     "Too many requests",
	http.StatusServiceUnavailable:  "Not available at the moment",
}

// troubleOf puts err, which is answered with status, into words.
func troubleOf(err error, status int, requestID string) *trouble {
	t := &trouble{Title: cmp.Or(titles[status], "Something went wrong"), RequestID: requestID, fields: make(map[string]bool)}
	t.Passing = status >= http.StatusInternalServerError || status == http.StatusTooManyRequests
	var f *fault.Fault
	if !errors.As(err, &f) || f.Kind == fault.Internal {
		t.Detail = "The broker made a mistake. Its log says more under the id of this request."
		if status == http.StatusNotFound {
			t.Detail = plain["no_such_path"]
		}
		return t
	}
	t.Code, t.Wait, t.Detail = f.Code, f.RetryAfter, cmp.Or(plain[f.Code], f.Detail)
	if status == http.StatusTooManyRequests {
		t.Detail += " " + waiting(f.RetryAfter)
	}
	for _, field := range f.Fields {
		t.fields[field.Pointer] = true
	}
	return t
}

// waiting says how long to wait, 0 for not known.
func waiting(d time.Duration) string {
	switch {
	case d <= 0:
		return "Wait a moment and try again."
	case d <= 2*time.Minute:
		return "Wait " + plural(int(math.Ceil(d.Seconds())), "second") + " and try again."
	}
	return "Wait " + plural(int(math.Ceil(d.Minutes())), "minute") + " and try again."
}
