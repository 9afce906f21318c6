package console

import (
	"errors"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"casbroker/internal/access"
	"casbroker/internal/fault"
	"casbroker/internal/httpapi"
)

// blockBody asks for the reason of a block and when it ends.
type blockBody struct {
	standing
	Reason  string
	For     string // one of lengths
	Until   string // as it was typed
	Lengths []choice
}

// The ways to say when a block ends.
const (
	untilLifted = "lifted"
	untilThen   = "until"
)

// lengths are how long a block may last.
var lengths = []choice{
	{"1h", "1 hour"}, {"24h", "1 day"}, {"168h", "7 days"}, {untilLifted, "Until it is lifted"}, {untilThen, "Until a day and a time"},
}

var errTwoEnds = fault.New(fault.Unprocessable, "two_ends",
	"A day and a time were typed, and how long the block lasts was chosen as well. Choose “Until a day and a time”, or empty that field.").
	At(fault.Field{Pointer: "/until", Detail: "must be empty unless the block ends then"})

// askBlock asks whether and how to block a user, or how to change the block in force.
func (h *Handler) askBlock(v visit) (reply, error) {
	b := blockBody{For: untilLifted}
	var err error
	if b.standing, err = h.standing(v, v.key); err != nil {
		return reply{}, err
	}
	if b.Present != nil {
		b.Reason = b.Present.Reason
		if b.Until = typed(b.Present.Until); b.Until != "" {
			b.For = untilThen
		}
	}
	return b.form(), nil
}

// form is the page that asks.
func (b blockBody) form() reply {
	b.Lengths = lengths
	title := "Block a user"
	if b.Present != nil {
		title = "Change a block"
	}
	return reply{page: "block", title: title, body: b}
}

// block blocks a user, or shows the form again with what is wrong in it.
func (h *Handler) block(v visit) (reply, error) {
	q := httpapi.FormParams(v.PostForm)
	b := blockBody{Reason: strings.TrimSpace(q.Text("reason")), For: q.Text("for"), Until: q.Text("until")}
	until, err := h.end(v, b)
	if err == nil {
		var done access.Result
		if done, err = h.Admin.Block(v.Context(), v.key, b.Reason, until); err == nil {
			return reply{to: userLink(v.key), note: noteOf(blocked, done)}, nil
		}
	}
	var wrong error
	if b.standing, wrong = h.standing(v, v.key); wrong != nil {
		return reply{}, wrong
	}
	return b.form(), oversize(err, b.Reason)
}

// end is when the block is to end, zero for when it is lifted.
func (h *Handler) end(v visit, b blockBody) (time.Time, error) {
	if !slices.ContainsFunc(lengths, func(c choice) bool { return c.Value == b.For }) {
		return time.Time{}, errForm
	}
	if b.For == untilThen {
		at, err := readMoment(b.Until)
		if err != nil && !errors.Is(err, errYear) {
			err = access.ErrUntil.Because(err)
		}
		return at, err
	}
	if b.Until != "" {
		// What the form was filled with, nobody has typed.
		present, err := h.Admin.Access.ActiveBlock(v.Context(), v.key)
		if err != nil {
			return time.Time{}, err
		}
		if present == nil || b.Until != typed(present.Until) {
			return time.Time{}, errTwoEnds
		}
	}
	if b.For == untilLifted {
		return time.Time{}, nil
	}
	length, err := time.ParseDuration(b.For)
	// A whole minute is easier to read, and to change.
	return v.now.Add(length + time.Minute - 1).Truncate(time.Minute), err
}

// oversize returns err, and of a reason that is too long says how long it is.
func oversize(err error, reason string) error {
	var f *fault.Fault
	if !errors.As(err, &f) || f.Code != "invalid_reason" || !utf8.ValidString(reason) {
		return err
	}
	return f.Withf("The reason has %s, which take %s; it may take at most 500 bytes. A letter of Devanagari takes three.",
		plural(utf8.RuneCountInString(reason), "letter"), plural(len(reason), "byte"))
}

// typed is at as it stands in a field for a day and a time, "" for the zero time.
func typed(at time.Time) string {
	switch {
	case at.IsZero():
		return ""
	case at.Truncate(time.Minute).Equal(at):
		return at.UTC().Format(inForm)
	}
	return at.UTC().Format(inForm + ":05.999")
}

// Verb says what the form does.
func (b blockBody) Verb() string {
	if b.Present != nil {
		return "Change the block"
	}
	return "Block the user"
}
