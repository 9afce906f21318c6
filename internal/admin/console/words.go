package console

import (
	"math"
	"strconv"
	"strings"
	"time"

	"casbroker/internal/access"
	"casbroker/internal/audit"
	"casbroker/internal/token"
	"casbroker/internal/usage"
)

// How instants are written. All are UTC.
const (
	toMinute = "2006-01-02 15:04"
	toSecond = "2006-01-02 15:04:05"
	toDay    = "2 Jan"
	inForm   = "2006-01-02T15:04" // what a datetime-local field holds
)

// times writes instants at equal distances from begin to end, which they cut into parts.
// Where another day begins, its date stands in a second line.
func times(begin, end time.Time, parts int) []string {
	return written(begin, end, parts, func(at time.Time, turned bool) string {
		if turned {
			return clockOf(at) + "\n" + at.Format(toDay)
		}
		return clockOf(at)
	})
}

// written writes instants by write, which is told whether one is of another day than
// the one before it.
func written(begin, end time.Time, parts int, write func(at time.Time, turned bool) string) (list []string) {
	before := begin.UTC()
	for i := range parts + 1 {
		at := begin.Add(end.Sub(begin) * time.Duration(i) / time.Duration(parts)).UTC()
		list = append(list, write(at, at.YearDay() != before.YearDay()))
		before = at
	}
	return list
}

// stamp writes when a stretch of time began, in UTC.
func stamp(at time.Time, step usage.Step) string {
	if step == usage.Day {
		return at.UTC().Format(time.DateOnly)
	}
	return at.UTC().Format(toMinute)
}

// grouped writes n with a comma between thousands.
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

// whole writes a count that is drawn.
func whole(v float64) string { return grouped(int64(math.Round(v))) }

// millis writes a time in milliseconds.
func millis(v float64) string { return whole(v) + " ms" }

// plural writes a count and what is counted: "1 token", "2 tokens".
func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return grouped(int64(n)) + " " + one + "s"
}

// decimal writes a decimal number with a comma between thousands.
func decimal(text string) string {
	head, tail, point := strings.Cut(text, ".")
	n, err := strconv.ParseInt(head, 10, 64)
	if err != nil || strings.HasPrefix(head, "+") {
		return text
	}
	head = grouped(n)
	if point {
		return head + "." + tail
	}
	return head
}

// choice is one of a list to choose from.
type choice struct{ Value, Name string }

// states are how it may stand with a grant.
var states = []choice{
	{"", "Any"},
	{string(token.StateActive), "Active"},
	{string(token.StateExpired), "Expired"},
	{string(token.StateRevoked), "Revoked"},
}

// outcomes are how what is on record may have ended.
var outcomes = []choice{
	{"", "Any"},
	{string(audit.OK), "Done"},
	{string(audit.Refused), "Refused"},
}

// kinds are how access was changed.
var kinds = []choice{
	{string(access.Block), "Blocked"},
	{string(access.Unblock), "Block lifted"},
	{string(access.RevokeGrant), "Token revoked"},
	{string(access.RevokeUser), "All tokens revoked"},
	{string(access.RevokeAll), "Everybody's tokens revoked"},
}

// butReads is chosen instead of an action to leave out what operators read.
const butReads = "-" + string(audit.AdminRead)

// actions are what is on record, in the order of how often it is looked for.
var actions = []choice{
	{"", "Any"},
	{butReads, "Everything but reads"},
	{string(audit.UserBlock), "User blocked"},
	{string(audit.UserUnblock), "User unblocked"},
	{string(audit.TokenRevoke), "Token revoked"},
	{string(audit.RevokeUser), "User's tokens revoked"},
	{string(audit.RevokeAll), "All tokens revoked"},
	{string(audit.AccessRefuse), "Call refused"},
	{string(audit.TokenMint), "Token minted"},
	{string(audit.TokenReuse), "Token given again"},
	{string(audit.PortfolioSave), "Portfolio saved"},
	{string(audit.PortfolioDelete), "Portfolio deleted"},
	{string(audit.PortfolioExpire), "Portfolio expired"},
	{string(audit.DataExport), "User's data exported"},
	{string(audit.DataErase), "User's data erased"},
	{string(audit.AdminSignIn), "Operator signed in"},
	{string(audit.AdminSignOut), "Operator signed out"},
	{string(audit.AdminRead), "Operator read"},
	{string(audit.AuditExport), "Audit trail exported"},
	{string(audit.BrokerStart), "Broker started"},
}

// named returns the name of value among list, or value itself.
func named(list []choice, value string) string {
	for _, c := range list {
		if c.Value == value && value != "" {
			return c.Name
		}
	}
	return value
}
