package console

import (
	"fmt"
	"strings"
	"time"

	"casbroker/internal/token"
)

const (
	// longPast is how much of the past a timeline shows, unless all tokens fit in
	// shortPast.
	longPast  = 24 * time.Hour
	shortPast = 3 * time.Hour
	// future is how much of the future it shows: active tokens expire within the hour.
	future = time.Hour
	// rowHeight is the height of a row of bars, in pixels.
	rowHeight = 18
	// minBarWidth is the width of bars that would be too narrow to see.
	minBarWidth = 5
)

// timeline shows the lifetimes of a user's tokens over the last hours.
type timeline struct {
	Title       string
	Bars        []tokenBar
	ShowsVendor bool   // a bar has AtVendor
	Height      int    // of all rows, in pixels
	NowX        string // the position of the current time
	Times       []string
	Description string   // for screen readers
	Counts      []choice // states with their counts as labels
}

// tokenBar is the lifetime of one token.
type tokenBar struct {
	rect
	AtVendor *rect // when the token was revoked and still worked at the vendor
	Link     string
	Title    string
	State    token.State
}

// newTimeline draws grants, newest first, as bars that do not overlap.
func newTimeline(grants []token.GrantInfo, now time.Time) timeline {
	past := shownPast(grants, now)
	begin := now.Add(-past)
	x := func(t time.Time) float64 {
		return max(0, min(chartWidth, chartWidth*float64(t.Sub(begin))/float64(past+future)))
	}
	t := timeline{Title: fmt.Sprintf("Tokens of the last %.0f hours", past.Hours()), NowX: formatCoordinate(x(now))}
	var rowStarts []time.Time // the start of the earliest bar in each row
	counts := make(map[token.State]int)
	for _, g := range grants {
		if !g.ExpiresAt.After(begin) {
			continue
		}
		counts[g.State]++
		row := 0
		for row < len(rowStarts) && !g.ExpiresAt.Before(rowStarts[row]) {
			row++
		}
		if row == len(rowStarts) {
			rowStarts = append(rowStarts, time.Time{})
		}
		rowStarts[row] = g.IssuedAt
		b := newTokenBar(g, row, x)
		t.Bars, t.ShowsVendor = append(t.Bars, b), t.ShowsVendor || b.AtVendor != nil
	}
	t.Height = max(len(rowStarts), 1) * rowHeight
	t.Times = clockLabels(begin, now.Add(future), timeParts[past])
	t.Counts = countLabels(counts)
	t.Description = t.Title + ": " + joinLabels(t.Counts) + "."
	return t
}

// timeParts is the number of parts between the times below a timeline. Each part has whole
// hours.
var timeParts = map[time.Duration]int{longPast: 5, shortPast: 4}

// shownPast returns shortPast if all shown tokens fit in it, longPast otherwise.
func shownPast(grants []token.GrantInfo, now time.Time) time.Duration {
	found := false
	for _, g := range grants {
		if g.ExpiresAt.After(now.Add(-longPast)) {
			if found = true; g.IssuedAt.Before(now.Add(-shortPast)) {
				return longPast
			}
		}
	}
	if found {
		return shortPast
	}
	return longPast
}

// newTokenBar draws the lifetime of g in a row; x returns the position of a time.
func newTokenBar(g token.GrantInfo, row int, x func(time.Time) float64) tokenBar {
	end := g.ExpiresAt
	if g.State == token.StateRevoked {
		end = g.RevokedAt
	}
	box := func(from, to time.Time) rect {
		left := x(from)
		return rect{
			X: formatCoordinate(left), W: formatCoordinate(max(x(to)-left, minBarWidth)),
			Y: formatCoordinate(float64(row*rowHeight + 2)), H: formatCoordinate(rowHeight - 4), Tint: string(g.State),
		}
	}
	b := tokenBar{rect: box(g.IssuedAt, end), Link: grantURL(g.ID), State: g.State}
	b.Title = label(states, string(g.State)) + ": " + g.IssuedAt.UTC().Format(minuteLayout) + " to " + formatClock(end) + " UTC"
	if g.State == token.StateRevoked && g.Mode == token.ModeDirect {
		atVendor := box(end, g.ExpiresAt)
		b.AtVendor, b.Title = &atVendor, b.Title+"; at the vendor until "+formatClock(g.ExpiresAt)+" UTC"
	}
	return b
}

// countLabels returns a label with the count of each state that occurs.
func countLabels(counts map[token.State]int) (list []choice) {
	for _, s := range states {
		if n := counts[token.State(s.Value)]; n > 0 {
			list = append(list, choice{s.Value, grouped(int64(n)) + " " + strings.ToLower(s.Label)})
		}
	}
	return list
}

func joinLabels(list []choice) string {
	if len(list) == 0 {
		return "none"
	}
	var labels []string
	for _, c := range list {
		labels = append(labels, c.Label)
	}
	return strings.Join(labels, ", ")
}
