package console

import (
	"strings"
	"time"

	"casbroker/internal/token"
)

const (
	// behind and ahead are what the timeline shows of the past and of the future: a
	// token that is alive expires within the hour.
	behind = 24 * time.Hour
	ahead  = time.Hour
	// lane is the height that one row of bars has.
	lane = 14
)

// timeline is the life of a user's tokens over the last day.
type timeline struct {
	Bars   []life
	Tails  bool   // one of them has a Tail
	Height int    // of all rows
	Today  string // where now is
	Edges  []string
	Says   string
	Counts []choice // how many there are of each state: the state and the words
}

// life is that of one token.
type life struct {
	rect
	Tail  *rect // when it was revoked and worked at the vendor all the same
	Link  string
	Title string
	State token.State
}

// drawTimeline draws grants, newest first, as bars that do not touch.
func drawTimeline(grants []token.Kept, now time.Time) timeline {
	begin := now.Add(-behind)
	at := func(t time.Time) float64 {
		return max(0, min(chartWidth, chartWidth*float64(t.Sub(begin))/float64(behind+ahead)))
	}
	t := timeline{Today: number(at(now)), Height: lane}
	var free []time.Time // when each row is free again, going back in time
	counts := make(map[token.State]int)
	for _, g := range grants {
		if !g.ExpiresAt.After(begin) {
			continue
		}
		counts[g.State]++
		row := 0
		for row < len(free) && !g.ExpiresAt.Before(free[row]) {
			row++
		}
		if row == len(free) {
			free = append(free, time.Time{})
		}
		free[row] = g.IssuedAt
		b := bar(g, row, at)
		t.Bars, t.Tails = append(t.Bars, b), t.Tails || b.Tail != nil
	}
	t.Height = max(len(free), 1) * lane
	t.Edges = hours(begin, behind+ahead)
	t.Counts = tally(counts)
	t.Says = "Tokens of the last 24 hours: " + words(t.Counts) + "."
	return t
}

// bar draws the life of g in a row.
func bar(g token.Kept, row int, at func(time.Time) float64) life {
	end := g.ExpiresAt
	if g.State == token.StateRevoked {
		end = g.RevokedAt
	}
	box := func(from, to time.Time) rect {
		left := at(from)
		return rect{
			X: number(left), W: number(max(at(to)-left, 2)), Y: number(float64(row*lane + 2)), H: number(lane - 4), Tint: string(g.State),
		}
	}
	s := life{rect: box(g.IssuedAt, end), Link: grantLink(g.ID), State: g.State}
	s.Title = named(states, string(g.State)) + ": " + clockOf(g.IssuedAt) + " to " + clockOf(end) + " UTC"
	if g.State == token.StateRevoked && g.Mode == token.ModeDirect {
		tail := box(end, g.ExpiresAt)
		s.Tail, s.Title = &tail, s.Title+"; at the vendor until "+clockOf(g.ExpiresAt)+" UTC"
	}
	return s
}

// hours are the instants at equal distances from begin to length later.
func hours(begin time.Time, length time.Duration) (list []string) {
	const parts = 5 // of five hours each
	for i := range parts + 1 {
		list = append(list, clockOf(begin.Add(length*time.Duration(i)/parts)))
	}
	return list
}

// tally puts counts into words, one for each state that there is.
func tally(counts map[token.State]int) (list []choice) {
	for _, s := range states {
		if n := counts[token.State(s.Value)]; n > 0 {
			list = append(list, choice{s.Value, grouped(int64(n)) + " " + strings.ToLower(s.Name)})
		}
	}
	return list
}

func words(list []choice) string {
	if len(list) == 0 {
		return "none"
	}
	var names []string
	for _, c := range list {
		names = append(names, c.Name)
	}
	return strings.Join(names, ", ")
}

func clockOf(t time.Time) string { return t.UTC().Format("15:04") }
