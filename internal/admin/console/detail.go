package console

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"casbroker/internal/audit"
)

// many is how a record says that it stands for many: why, if they were refused, how
// many and since when.
var many = regexp.MustCompile(`^(?:(\S+) )?count=(\d{1,18}) since=(\S+)$`)

// Detail puts the detail of a record into words where it has some that people would not
// say, and returns it as it is else.
func (auditBody) Detail(v audit.View) string {
	if m := many.FindStringSubmatch(v.Detail); m != nil {
		n, err := strconv.ParseInt(m[2], 10, 64)
		if err != nil {
			return v.Detail
		}
		said := grouped(n) + " times since " + spoken(m[3])
		if n == 1 {
			said = "once since " + spoken(m[3])
		}
		if m[1] != "" {
			said = named(refusals, m[1]) + ", " + said
		}
		return said
	}
	end, ok := strings.CutPrefix(v.Detail, "until=")
	switch {
	case ok && end == "lifted":
		return "until it is lifted"
	case ok:
		return "until " + spoken(end)
	case v.Detail == "already":
		return "was so already"
	case v.Outcome == audit.Refused:
		return named(refusals, v.Detail)
	default:
		return v.Detail
	}
}

// spoken writes an instant of a record as the console writes it.
func spoken(text string) string {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return text
	}
	return at.UTC().Format(toSecond) + " UTC"
}
