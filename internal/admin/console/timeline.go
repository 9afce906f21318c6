package console

import (
	"fmt"
	"strings"
	"time"

	"casbroker/internal/token"
)

const (
	// behind is what the timeline shows of the past, unless all tokens are from lately.
	behind = 24 * time.Hour
	lately = 3 * time.Hour
	// ahead is what it shows of the future: a token that is alive expires within the hour.
	ahead = time.Hour
	// lane is the height that one row of bars has, in pixels.
	lane = 18
	// thin is the width of what is too short to be seen.
	thin = 5
)

// timeline is the life of a user's tokens over the last hours.
type timeline struct {
	Title  string // which time it shows
	Bars   []life
	Tails  bool   // one of them has a Tail
	Height int    // of all rows, in pixels
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
func drawTimeline(grants []token.GrantInfo, now time.Time) timeline {
	past := pastOf(grants, now)
	begin := now.Add(-past)
	at := func(t time.Time) float64 {
		return max(0, min(chartWidth, chartWidth*float64(t.Sub(begin))/float64(past+ahead)))
	}
	t := timeline{Title: fmt.Sprintf("Tokens of the last %.0f hours", past.Hours()), Today: number(at(now))}
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
	t.Edges = times(begin, now.Add(ahead), edgeParts[past])
	t.Counts = tally(counts)
	t.Says = t.Title + ": " + words(t.Counts) + "."
	return t
}

// edgeParts are the parts of whole hours that the times below a timeline cut it into.
var edgeParts = map[time.Duration]int{behind: 5, lately: 4}

// pastOf is how much of the past is shown: no more than there is a need for.
func pastOf(grants []token.GrantInfo, now time.Time) time.Duration {
	some := false
	for _, g := range grants {
		if g.ExpiresAt.After(now.Add(-behind)) {
			if some = true; g.IssuedAt.Before(now.Add(-lately)) {
				return behind
			}
		}
	}
	if some {
		return lately
	}
	return behind
}

// bar draws the life of g in a row.
func bar(g token.GrantInfo, row int, at func(time.Time) float64) life {
	end := g.ExpiresAt
	if g.State == token.StateRevoked {
		end = g.RevokedAt
	}
	box := func(from, to time.Time) rect {
		left := at(from)
		return rect{
			X: number(left), W: number(max(at(to)-left, thin)), Y: number(float64(row*lane + 2)), H: number(lane - 4), Tint: string(g.State),
		}
	}
	s := life{rect: box(g.IssuedAt, end), Link: grantLink(g.ID), State: g.State}
	s.Title = named(states, string(g.State)) + ": " + g.IssuedAt.UTC().Format(toMinute) + " to " + clockOf(end) + " UTC"
	if g.State == token.StateRevoked && g.Mode == token.ModeDirect {
		tail := box(end, g.ExpiresAt)
		s.Tail, s.Title = &tail, s.Title+"; at the vendor until "+clockOf(g.ExpiresAt)+" UTC"
	}
	return s
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
