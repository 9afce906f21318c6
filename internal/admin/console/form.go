package console

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"casbroker/internal/fault"
	"casbroker/internal/httpapi"
)

// maxForm limits a form, in bytes. It has room for the longest subject and reason, which
// percent-encoding makes three times as long.
const maxForm = 16 << 10

var (
	errForm = fault.New(fault.Invalid, "invalid_form", "The form could not be read. Go back and send it again.")
	errTime = fault.New(fault.Invalid, "invalid_time", "Enter a date and a time in UTC, from 1970 on, such as 2026-03-31T18:30.")
	errYear = fault.New(fault.Unprocessable, "invalid_year", "The year must be 9999 or earlier.").
		At(fault.Field{Pointer: "/until", Detail: "must be before the year 10000"})
)

// readForm parses the form of a POST into r.PostForm.
func readForm(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return errForm.Because(err)
	}
	return nil
}

// readTime returns a field as a time in UTC, the zero time if it is empty.
func readTime(form *httpapi.Params, name string) time.Time {
	text := strings.TrimSpace(form.Text(name))
	if text == "" {
		return time.Time{}
	}
	t, err := parseInput(text)
	if invalid, ok := errors.AsType[*fault.Fault](err); ok {
		form.Fail(invalid.At(fault.Field{Pointer: "/" + name, Detail: "must be a date and a time in UTC, from 1970 on"}))
	}
	return t
}

// parseInput parses a date and a time in UTC, from 1970 on. It returns errYear or errTime.
func parseInput(text string) (time.Time, error) {
	for _, layout := range []string{inputLayout, inputLayout + ":05", time.RFC3339} {
		if t, err := time.Parse(layout, text); err == nil && !t.Before(time.Unix(0, 0)) { // the zero time means "left out"
			return t, nil
		}
	}
	if year, _, _ := strings.Cut(text, "-"); len(year) > 4 && strings.Trim(year, "0123456789") == "" {
		return time.Time{}, errYear
	}
	return time.Time{}, errTime
}
