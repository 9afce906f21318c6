package console

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"

	"casbroker/internal/usage"
)

// Layouts of times. All times are UTC.
const (
	minuteLayout = "2006-01-02 15:04"
	secondLayout = "2006-01-02 15:04:05"
	dayLayout    = "2 Jan"
	inputLayout  = "2006-01-02T15:04" // of a datetime-local field
)

func formatClock(t time.Time) string { return t.UTC().Format("15:04") }

// clockLabels returns the times of day from begin to end that divide it into parts, with
// the date in a second line where a new day begins.
func clockLabels(begin, end time.Time, parts int) []string {
	return timeLabels(begin, end, parts, func(t time.Time, newDay bool) string {
		if newDay {
			return formatClock(t) + "\n" + t.Format(dayLayout)
		}
		return formatClock(t)
	})
}

// timeLabels formats the times from begin to end that divide it into parts. format is
// told whether a time is on another day than the previous one.
func timeLabels(begin, end time.Time, parts int, format func(t time.Time, newDay bool) string) (list []string) {
	previous := begin.UTC()
	for i := range parts + 1 {
		t := begin.Add(end.Sub(begin) * time.Duration(i) / time.Duration(parts)).UTC()
		list = append(list, format(t, t.YearDay() != previous.YearDay()))
		previous = t
	}
	return list
}

// formatStep formats the beginning of a period of the length step.
func formatStep(t time.Time, step usage.Step) string {
	if step == usage.Day {
		return t.UTC().Format(time.DateOnly)
	}
	return t.UTC().Format(minuteLayout)
}

// formatInput formats t for a datetime-local field, "" for the zero time.
func formatInput(t time.Time) string {
	switch {
	case t.IsZero():
		return ""
	case t.Truncate(time.Minute).Equal(t):
		return t.UTC().Format(inputLayout)
	}
	return t.UTC().Format(inputLayout + ":05.999")
}

// formatRFC3339 formats a time of an audit record as the console writes times, or returns
// text if it is not a time.
func formatRFC3339(text string) string {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return text
	}
	return t.UTC().Format(secondLayout) + " UTC"
}

// grouped formats n with commas between thousands.
func grouped(n int64) string {
	digits := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, digits = "-", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

// formatCount formats a value of a chart of counts.
func formatCount(v float64) string { return grouped(int64(math.Round(v))) }

// formatMillis formats a duration in milliseconds.
func formatMillis(v float64) string { return formatCount(v) + " ms" }

// plural formats a count with its noun: "1 token", "2 tokens".
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return grouped(int64(n)) + " " + noun + "s"
}

// decimal formats a decimal number with commas between thousands.
func decimal(text string) string {
	whole, fraction, point := strings.Cut(text, ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || strings.HasPrefix(whole, "+") {
		return text
	}
	whole = grouped(n)
	if point {
		return whole + "." + fraction
	}
	return whole
}

// brailleBlank is a printable character that shows nothing.
const brailleBlank = 0x2800

// escapeInvisible returns text with every invisible character replaced by its name, such
// as ⟨U+200B⟩, so that different ids never look alike. It also replaces spaces that HTML
// would collapse, and the bracket that begins such a name.
func escapeInvisible(text string) string {
	var b strings.Builder
	runes := []rune(text)
	for i, r := range runes {
		collapsed := r == ' ' && (i == 0 || i == len(runes)-1 || runes[i-1] == ' ')
		if collapsed || r == '⟨' || r == brailleBlank || !unicode.IsPrint(r) ||
			unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) {
			fmt.Fprintf(&b, "⟨U+%04X⟩", r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// maxTitle limits a text in the title of a window, in characters.
const maxTitle = 60

// shortTitle returns the beginning of text for the title of a window, without characters
// that change the direction of the text around it.
func shortTitle(text string) string {
	runes := []rune(strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return -1
		}
		return r
	}, text))
	if len(runes) > maxTitle {
		return string(runes[:maxTitle]) + "…"
	}
	return string(runes)
}
