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

// creditsTimeout limits how long the overview waits for the vendor.
const creditsTimeout = 2 * time.Second

// spans are the periods that the overview can show; the first is the default.
var spans = []span{
	{"hour", "Last hour", usage.Minute, time.Minute, 60, 4},
	{"day", "24 hours", usage.Hour, time.Hour, 24, 4},
	{"month", "30 days", usage.Day, 24 * time.Hour, 30, 5},
}

type span struct {
	Value, Name string
	step        usage.Step
	length      time.Duration // of a step
	count       int           // of steps
	parts       int           // between the times below a chart
}

// overviewBody is the first page.
type overviewBody struct {
	Now        time.Time
	Span       span
	Spans      []span
	Live       *int // active tokens, nil if unknown
	Blocked    int64
	Components []admin.Component
	Credits    *admin.Credits // nil if unknown
	Unknown    string         // why Credits is nil
	OnPremise  bool           // there are no credits
	Charts     []chart
	Synthetic  bool   // some points are synthetic
	Problem    string // why there are no charts
}

// overview shows the current state and the usage of the span that was chosen.
func (h *Handler) overview(r request) (reply, error) {
	i := slices.IndexFunc(spans, func(s span) bool { return s.Value == r.URL.Query().Get("range") })
	ctx, s := r.Context(), spans[max(i, 0)]
	current := h.Admin.Overview(ctx)
	b := overviewBody{Now: r.now, Span: s, Spans: spans, Live: current.LiveTokens, Blocked: current.Blocked, Components: current.Health}
	b.setCredits(h.credits(ctx))
	to := r.now.UTC().Truncate(s.length).Add(s.length)
	stats, err := h.Admin.Stats(ctx, s.step, to.Add(-time.Duration(s.count)*s.length), to)
	if err != nil {
		h.Log.WarnContext(ctx, "overview shown without charts", "error", err)
		b.Problem = "The usage counts cannot be read at the moment. The page keeps trying."
	} else {
		b.setCharts(stats)
	}
	return reply{page: "overview", title: "Overview", body: b}, nil
}

// parts are the parts of the page that are refreshed.
func (b overviewBody) parts() []part {
	list := []part{{"tiles", "tiles", b}, {"health", "health", b}, {"charts-head", "charts-head", b}}
	for _, c := range b.Charts {
		list = append(list, part{"chart-" + c.ID, "chart", c})
	}
	return list
}

// Name is the label of a component.
func (overviewBody) Name(c admin.Component) string { return label(components, c.Name) }

// State is the label of a component's state.
func (overviewBody) State(c admin.Component) string {
	if c.Name == revocations {
		return label(dataStates, c.State)
	}
	return label(serviceStates, c.State)
}

// credits returns the vendor's credits, within creditsTimeout.
func (h *Handler) credits(ctx context.Context) (admin.Credits, error) {
	ctx, cancel := context.WithTimeout(ctx, creditsTimeout)
	defer cancel()
	return h.Admin.Credits(ctx)
}

// setCredits sets the credits, or why they are unknown.
func (b *overviewBody) setCredits(c admin.Credits, err error) {
	var f *fault.Fault
	switch {
	case err == nil:
		b.Credits = &c
	case errors.As(err, &f) && f.Kind != fault.Internal:
		b.Unknown = cmp.Or(f.Note, f.Detail) // operators read this page
		b.OnPremise = errors.Is(err, admin.ErrNoCredits)
	default:
		b.Unknown = "The vendor did not report the credits."
	}
}

// setCharts draws the charts of s.
func (b *overviewBody) setCharts(s usage.Stats) {
	times := chartTimes(s, b.Span.parts)
	for _, spec := range chartSpecs(s) {
		b.Charts = append(b.Charts, newChart(spec, s.Points, s.Step, times))
	}
	b.Synthetic = slices.ContainsFunc(s.Points, func(p usage.Point) bool { return p.Synthetic })
}

// chartSpecs returns the charts of s.
func chartSpecs(s usage.Stats) []chartSpec {
	t := s.Total
	succeeded := countSeries("succeeded", "good", s, func(p usage.Point) int64 { return p.Upstream.Calls - p.Upstream.Errors })
	failed := countSeries("failed", "bad", s, func(p usage.Point) int64 { return p.Upstream.Errors })
	return []chartSpec{
		{id: "tokens", title: "Access tokens", sum: grouped(t.Minted + t.Reused), unit: "issued", format: formatCount, series: []series{
			countSeries("minted", "tint-1", s, func(p usage.Point) int64 { return p.Minted }),
			countSeries("reused", "tint-2", s, func(p usage.Point) int64 { return p.Reused }),
			countSeries("failed", "bad", s, func(p usage.Point) int64 { return p.Failed }),
		}},
		withLabels(chartSpec{id: "refused", title: "Calls refused", unit: "refused", format: formatCount}, s, refusals,
			func(p usage.Point) map[string]int64 { return p.Refused }),
		withLabels(chartSpec{id: "limited", title: "Rate limits reached", unit: "calls over a limit", format: formatCount}, s, limits,
			func(p usage.Point) map[string]int64 { return p.Limited }),
		{id: "saved", title: "Portfolios saved", sum: grouped(t.Saved[usage.Created]), unit: "new", format: formatCount, series: []series{
			countSeries("new", "tint-1", s, func(p usage.Point) int64 { return p.Saved[usage.Created] }),
			countSeries("already saved", "tint-2", s, func(p usage.Point) int64 { return p.Saved[usage.Repeated] }),
		}},
		{id: "vendor", title: "Calls to the vendor", sum: grouped(t.Upstream.Calls), unit: "attempts", format: formatCount, series: []series{succeeded, failed}},
		{id: "latency", title: "Vendor latency", sum: p95(t.Upstream), unit: "at p95", format: formatMillis, overlaid: true, series: []series{
			latencySeries("p95, at most", "tint-2", s, func(u usage.Upstream) float64 { return u.P95MS }),
			latencySeries("mean", "tint-1", s, func(u usage.Upstream) float64 { return u.MeanMS }),
		}},
		durationSpec(s),
	}
}

// durations are the groups of calls to the vendor by duration. Each bound is one of the counts.
var durations = []struct {
	name, tint  string
	after, upTo time.Duration // 0 for no limit
}{
	{"up to 250 ms", "tint-3", 0, 250 * time.Millisecond},
	{"up to 1 s", "tint-1", 250 * time.Millisecond, time.Second},
	{"up to 5 s", "tint-7", time.Second, 5 * time.Second},
	{"up to 15 s", "tint-2", 5 * time.Second, 15 * time.Second},
	{"up to 30 s", "tint-5", 15 * time.Second, 30 * time.Second},
	{"longer", "bad", 30 * time.Second, 0},
}

// durationSpec returns the chart of the calls to the vendor by duration.
func durationSpec(s usage.Stats) chartSpec {
	spec := chartSpec{id: "durations", title: "Vendor calls by duration", unit: "timed", format: formatCount}
	spec.sum = grouped(usage.Between(s.Total.Upstream.Took, 0, 0))
	for _, d := range durations {
		count := func(p usage.Point) int64 { return usage.Between(p.Upstream.Took, d.after, d.upTo) }
		if count(s.Total) > 0 || d.upTo == 250*time.Millisecond {
			spec.series = append(spec.series, countSeries(d.name, d.tint, s, count))
		}
	}
	return spec
}

// p95 formats the latency of the vendor, if there were calls.
func p95(u usage.Upstream) string {
	if u.Calls == 0 {
		return "–"
	}
	return formatMillis(u.P95MS)
}

// countSeries returns the series of a count of each point.
func countSeries(name, tint string, s usage.Stats, count func(usage.Point) int64) series {
	line := series{Name: name, Tint: tint, Total: grouped(count(s.Total))}
	for _, p := range s.Points {
		line.Values = append(line.Values, float64(count(p)))
	}
	return line
}

// latencySeries returns the series of a latency of each point.
func latencySeries(name, tint string, s usage.Stats, latency func(usage.Upstream) float64) series {
	line := series{Name: name, Tint: tint, Total: formatMillis(latency(s.Total.Upstream))}
	for _, p := range s.Points {
		line.Values = append(line.Values, latency(p.Upstream))
	}
	return line
}

// maxSeries is the number of labels with a series of their own; the others share one.
const maxSeries = 5

// withLabels returns spec with a series for each of the most common labels, and one for
// all others. known has the texts of labels.
func withLabels(spec chartSpec, s usage.Stats, known []choice, counts func(usage.Point) map[string]int64) chartSpec {
	total := counts(s.Total)
	labels := slices.SortedFunc(maps.Keys(total), func(a, b string) int {
		return cmp.Or(cmp.Compare(total[b], total[a]), cmp.Compare(a, b))
	})
	var all int64
	for _, n := range total {
		all += n
	}
	spec.sum = grouped(all)
	shown := labels[:min(len(labels), maxSeries)]
	tints := tintsOf(shown, known)
	for _, code := range shown {
		line := countSeries(label(known, code), tints[code], s, func(p usage.Point) int64 { return counts(p)[code] })
		line.Code = code
		spec.series = append(spec.series, line)
	}
	if rest := labels[len(shown):]; len(rest) > 0 {
		spec.series = append(spec.series, countSeries("others", "tint-rest", s, func(p usage.Point) (n int64) {
			for _, code := range rest {
				n += counts(p)[code]
			}
			return n
		}))
	}
	return spec
}

// chartTimes returns the times below the charts of s.
func chartTimes(s usage.Stats, parts int) []string {
	if s.Step == usage.Day {
		return timeLabels(s.From, s.To, parts, func(t time.Time, _ bool) string { return t.Format(dayLayout) })
	}
	return clockLabels(s.From, s.To, parts)
}
