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

// blockBody is the form that blocks a user or changes the block.
type blockBody struct {
	userStatus
	Reason  string
	For     string // the value of one of lengths
	Until   string // as entered
	Lengths []choice
}

// The choices that are not durations.
const (
	untilLifted = "lifted"
	untilTime   = "until"
)

// lengths are the durations of a block.
var lengths = []choice{
	{"1h", "1 hour"}, {"24h", "1 day"}, {"168h", "7 days"}, {untilLifted, "Until unblocked"}, {untilTime, "Until a date and time"},
}

var errTwoEnds = fault.New(fault.Unprocessable, "two_ends",
	"The form has both a duration and a date. Choose “Until a date and time”, or empty that field.").
	At(fault.Field{Pointer: "/until", Detail: "must be empty unless the block ends then"})

// blockForm shows the form, filled with the current block if there is one.
func (h *Handler) blockForm(r request) (reply, error) {
	b := blockBody{For: untilLifted}
	var err error
	if b.userStatus, err = h.status(r, r.key); err != nil {
		return reply{}, err
	}
	if b.ActiveBlock != nil {
		b.Reason = b.ActiveBlock.Reason
		if b.Until = formatInput(b.ActiveBlock.Until); b.Until != "" {
			b.For = untilTime
		}
	}
	return b.page(), nil
}

// page returns the page with the form.
func (b blockBody) page() reply {
	b.Lengths = lengths
	title := "Block a user"
	if b.ActiveBlock != nil {
		title = "Change a block"
	}
	return reply{page: "block", title: title, body: b}
}

// block blocks a user, or shows the form again with an error.
func (h *Handler) block(r request) (reply, error) {
	form := httpapi.FormParams(r.PostForm)
	b := blockBody{Reason: strings.TrimSpace(form.Text("reason")), For: form.Text("for"), Until: form.Text("until")}
	until, err := h.blockEnd(r, b)
	if err == nil {
		var result access.Result
		if result, err = h.Admin.Block(r.Context(), r.key, b.Reason, until); err == nil {
			return reply{redirect: userURL(r.key), notice: resultNotice(blocked, result)}, nil
		}
	}
	var statusErr error
	if b.userStatus, statusErr = h.status(r, r.key); statusErr != nil {
		return reply{}, statusErr
	}
	return b.page(), explainReason(err, b.Reason)
}

// blockEnd returns when the block ends, zero for none.
func (h *Handler) blockEnd(r request, b blockBody) (time.Time, error) {
	if !slices.ContainsFunc(lengths, func(c choice) bool { return c.Value == b.For }) {
		return time.Time{}, errForm.Withf("Choose how long the block lasts.")
	}
	if b.For == untilTime {
		t, err := parseInput(b.Until)
		if err != nil && !errors.Is(err, errYear) {
			err = access.ErrUntil.Because(err)
		}
		return t, err
	}
	if b.Until != "" {
		// A time that the form was filled with was not entered by the operator.
		active, err := h.Admin.Access.ActiveBlock(r.Context(), r.key)
		if err != nil {
			return time.Time{}, err
		}
		if active == nil || b.Until != formatInput(active.Until) {
			return time.Time{}, errTwoEnds
		}
	}
	if b.For == untilLifted {
		return time.Time{}, nil
	}
	length, err := time.ParseDuration(b.For)
	// A whole minute is easier to read and to change.
	return r.now.Add(length + time.Minute - 1).Truncate(time.Minute), err
}

// explainReason returns err, with the length of the reason if that is too long.
func explainReason(err error, reason string) error {
	var f *fault.Fault
	if !errors.As(err, &f) || f.Code != "invalid_reason" || !utf8.ValidString(reason) {
		return err
	}
	return f.Withf("The reason has %s in %s; the limit is 500 bytes. A Devanagari letter takes three.",
		plural(utf8.RuneCountInString(reason), "letter"), plural(len(reason), "byte"))
}

// Verb is the label of the button.
func (b blockBody) Verb() string {
	if b.ActiveBlock != nil {
		return "Change the block"
	}
	return "Block the user"
}
