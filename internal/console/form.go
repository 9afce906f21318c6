package console

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"casbroker/internal/fault"
)

// maxForm is more than any form of the console has, in bytes: a subject and a reason
// may grow threefold by being percent-encoded.
const maxForm = 16 << 10

var (
	errForm = fault.New(fault.Invalid, "invalid_form", "The form could not be read. Go back and send it again.")
	errTime = fault.New(fault.Invalid, "invalid_time", "Give the time as a day and a time in UTC, such as 2026-03-31T18:30.")
)

// readForm reads the form of a POST into r.PostForm.
func readForm(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return errForm.Because(err)
	}
	return nil
}

// fields reads the fields of a filter, and remembers the first that is wrong.
type fields struct {
	values url.Values
	err    error
}

func (f *fields) text(name string) string { return strings.TrimSpace(f.values.Get(name)) }

// instant reads a time in UTC, the zero time when the field is empty.
func (f *fields) instant(name string) time.Time {
	text := f.text(name)
	if text == "" {
		return time.Time{}
	}
	for _, layout := range []string{inForm, inForm + ":05", time.RFC3339} {
		if at, err := time.Parse(layout, text); err == nil {
			return at
		}
	}
	if f.err == nil {
		f.err = errTime.At(fault.Field{Pointer: "/" + name, Detail: "must be a day and a time in UTC"})
	}
	return time.Time{}
}
