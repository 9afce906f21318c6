package console

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"casbroker/internal/fault"
	"casbroker/internal/httpapi"
)

// maxForm is more than any form of the console has, in bytes: a subject and a reason
// may grow threefold by being percent-encoded.
const maxForm = 16 << 10

var (
	errForm = fault.New(fault.Invalid, "invalid_form", "The form could not be read. Go back and send it again.")
	errTime = fault.New(fault.Invalid, "invalid_time", "Give the time as a day and a time in UTC, such as 2026-03-31T18:30.")
	errYear = fault.New(fault.Unprocessable, "invalid_year", "The year must be 9999 at the latest.").
		At(fault.Field{Pointer: "/until", Detail: "must be before the year 10000"})
)

// readForm reads the form of a POST into r.PostForm.
func readForm(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return errForm.Because(err)
	}
	return nil
}

// readTime reads a field with a time in UTC, the zero time if it is empty. A wrong one is
// a fault of form.
func readTime(form *httpapi.Params, name string) time.Time {
	text := strings.TrimSpace(form.Text(name))
	if text == "" {
		return time.Time{}
	}
	at, err := readMoment(text)
	if wrong, ok := errors.AsType[*fault.Fault](err); ok {
		form.Fail(wrong.At(fault.Field{Pointer: "/" + name, Detail: "must be a day and a time in UTC"}))
	}
	return at
}

// readMoment reads a day and a time in UTC. It fails with errYear or errTime.
func readMoment(text string) (time.Time, error) {
	for _, layout := range []string{inForm, inForm + ":05", time.RFC3339} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, nil
		}
	}
	if year, _, _ := strings.Cut(text, "-"); len(year) > 4 && strings.Trim(year, "0123456789") == "" {
		return time.Time{}, errYear
	}
	return time.Time{}, errTime
}
