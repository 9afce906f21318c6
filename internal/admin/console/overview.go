package console

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"casbroker/internal/admin"
	"casbroker/internal/fault"
	"casbroker/internal/usage"
)

// creditsTime bounds how long the overview waits for the vendor.
const creditsTime = 2 * time.Second

// spans are the stretches of time that the overview shows, the first unless another
// one is asked for.
var spans = []span{
	{"hour", "Last hour", usage.Minute, time.Minute, 60, 4},
	{"day", "24 hours", usage.Hour, time.Hour, 24, 4},
	{"month", "30 days", usage.Day, 24 * time.Hour, 30, 5},
}

type span struct {
	Value, Name string
	step        usage.Step
	length      time.Duration
	count       int
	parts       int // between the instants that are named
}

// overviewBody is the page that an operator sees first.
type overviewBody struct {
	Now      time.Time
	Span     span
	Spans    []span
	Live     *int // nil when not known
	Blocked  int64
	Parts    []admin.Component
	Credits  *admin.Credits // nil when not known
	Unknown  string         // why not
	Charts   []chart
	Invented bool   // a part of it is made up
	Problem  string // why there are no charts
}

// overview shows how it stands and how it was.
func (h *Handler) overview(v visit) (reply, error) {
	at := slices.IndexFunc(spans, func(s span) bool { return s.Value == v.URL.Query().Get("range") })
	ctx, s := v.Context(), spans[max(at, 0)]
	now := h.Admin.Overview(ctx)
	b := overviewBody{Now: v.now, Span: s, Spans: spans, Live: now.LiveTokens, Blocked: now.Blocked, Parts: now.Health}
	b.credit(h.credits(ctx))
	to := v.now.UTC().Truncate(s.length).Add(s.length)
	stats, err := h.Admin.Stats(ctx, s.step, to.Add(-time.Duration(s.count)*s.length), to)
	if err != nil {
		h.Log.WarnContext(ctx, "the overview has no counts", "error", err)
		b.Problem = "The counts cannot be read at the moment. The page goes on trying."
	} else {
		b.draw(stats)
	}
	return reply{page: "overview", title: "Overview", body: b}, nil
}

// Name is what people call a part.
func (overviewBody) Name(p admin.Component) string { return named(parts, p.Name) }

// State puts into words how a part does.
func (overviewBody) State(p admin.Component) string {
	if p.Name == partRevocations {
		return named(knowing, p.State)
	}
	return named(doing, p.State)
}

// credits asks how much is left at the vendor.
func (h *Handler) credits(ctx context.Context) (admin.Credits, error) {
	ctx, cancel := context.WithTimeout(ctx, creditsTime)
	defer cancel()
	return h.Admin.Credits(ctx)
}

// credit notes how much is left at the vendor, or why that is not known.
func (b *overviewBody) credit(c admin.Credits, err error) {
	var f *fault.Fault
	switch {
	case err == nil:
		b.Credits = &c
	case errors.As(err, &f) && f.Kind != fault.Internal:
		b.Unknown = cmp.Or(f.Note, f.Detail) // operators read this page
	default:
		b.Unknown = "The vendor did not say how many are left."
	}
}

// draw makes the charts of what was counted.
func (b *overviewBody) draw(s usage.Stats) {
	times := edges(s, b.Span.parts)
	for _, p := range plans(s) {
		b.Charts = append(b.Charts, draw(p, s.Points, s.Step, times))
	}
	b.Invented = slices.ContainsFunc(s.Points, func(p usage.Point) bool { return p.Synthetic })
}

// plans says which charts there are of what was counted.
func plans(s usage.Stats) []plan {
	t := s.Total
	calls := counted("answered well", "good", s, func(p usage.Point) int64 { return p.Upstream.Calls - p.Upstream.Errors })
	errs := counted("failed", "bad", s, func(p usage.Point) int64 { return p.Upstream.Errors })
	return []plan{
		{id: "tokens", title: "Access tokens", sum: grouped(t.Minted + t.Reused), of: "handed out", show: whole, series: []series{
			counted("minted", "tint-1", s, func(p usage.Point) int64 { return p.Minted }),
			counted("given again", "tint-2", s, func(p usage.Point) int64 { return p.Reused }),
			counted("could not be had", "bad", s, func(p usage.Point) int64 { return p.Failed }),
		}},
		labelled(plan{id: "refused", title: "Calls refused", of: "turned away", show: whole}, s, refusals,
			func(p usage.Point) map[string]int64 { return p.Refused }),
		labelled(plan{id: "limited", title: "Limits reached", of: "calls past a limit", show: whole}, s, limits,
			func(p usage.Point) map[string]int64 { return p.Limited }),
		{id: "saved", title: "Portfolios saved", sum: grouped(t.Saved[usage.Created]), of: "new", show: whole, series: []series{
			counted("new", "tint-1", s, func(p usage.Point) int64 { return p.Saved[usage.Created] }),
			counted("there already", "tint-2", s, func(p usage.Point) int64 { return p.Saved[usage.Repeated] }),
		}},
		{id: "vendor", title: "Calls to the vendor", sum: grouped(t.Upstream.Calls), of: "tries", show: whole, series: []series{calls, errs}},
		{id: "latency", title: "Time the vendor took", sum: took(t.Upstream), of: "at p95", show: millis, overlaid: true, series: []series{
			measured("p95, at most", "tint-2", s, func(u usage.Upstream) float64 { return u.P95MS }),
			measured("mean", "tint-1", s, func(u usage.Upstream) float64 { return u.MeanMS }),
		}},
	}
}

// took writes how long most calls took, if there were any.
func took(u usage.Upstream) string {
	if u.Calls == 0 {
		return "–"
	}
	return millis(u.P95MS)
}

// counted is the series of what get finds in each point.
func counted(name, tint string, s usage.Stats, get func(usage.Point) int64) series {
	line := series{Name: name, Tint: tint, Total: grouped(get(s.Total))}
	for _, p := range s.Points {
		line.Values = append(line.Values, float64(get(p)))
	}
	return line
}

// measured is the series of how long the calls took.
func measured(name, tint string, s usage.Stats, get func(usage.Upstream) float64) series {
	line := series{Name: name, Tint: tint, Total: millis(get(s.Total.Upstream))}
	for _, p := range s.Points {
		line.Values = append(line.Values, get(p.Upstream))
	}
	return line
}

// mostLabels is how many labels have a series; those of the rest are drawn as one.
const mostLabels = 5

// labelled is p with a series for each of the commonest labels, and one for the rest.
// The known labels have names.
func labelled(p plan, s usage.Stats, known []choice, get func(usage.Point) map[string]int64) plan {
	total := get(s.Total)
	labels := slices.SortedFunc(maps.Keys(total), func(a, b string) int {
		return cmp.Or(cmp.Compare(total[b], total[a]), cmp.Compare(a, b))
	})
	var all int64
	for _, n := range total {
		all += n
	}
	p.sum = grouped(all)
	shown := labels[:min(len(labels), mostLabels)]
	tints := tintsOf(shown, known)
	for _, label := range shown {
		line := counted(named(known, label), tints[label], s, func(p usage.Point) int64 { return get(p)[label] })
		line.Code = label
		p.series = append(p.series, line)
	}
	if rest := labels[len(shown):]; len(rest) > 0 {
		p.series = append(p.series, counted("others", "tint-rest", s, func(p usage.Point) (n int64) {
			for _, label := range rest {
				n += get(p)[label]
			}
			return n
		}))
	}
	return p
}

// edges are instants from the beginning to the end of s, which they cut into parts.
func edges(s usage.Stats, parts int) []string {
	if s.Step == usage.Day {
		return written(s.From, s.To, parts, func(at time.Time, _ bool) string { return at.Format(toDay) })
	}
	return times(s.From, s.To, parts)
}
