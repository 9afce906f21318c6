package console

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"casbroker/internal/budget"
	"casbroker/internal/credit"
	"casbroker/internal/usage"
)

const (
	// costliest is how many users the page shows.
	costliest = 10
	// nearlyUsed is the used part of a budget from which its bar has another color.
	nearlyUsed = 0.8
	// shownDays is how many days of comparisons the page shows.
	shownDays = 7
)

// usageSpans are the periods that the page can show, in days; the first is the default.
var usageSpans = []usageSpan{{"month", "30 days", 30, 5}, {"week", "7 days", 7, 7}, {"quarter", "90 days", 90, 6}}

type usageSpan struct {
	Value, Name string
	days        int
	parts       int // between the times below the chart
}

// usageBody is the page about calls that cost credits.
type usageBody struct {
	Now     time.Time
	Span    usageSpan
	Spans   []usageSpan
	Report  budget.Report
	Chart   chart
	Budgets []budget.State
	Bars    []budgetBar // one for each of Budgets
	Raises  []budget.Raise
	Days    []comparedDay
}

// comparedDay is the comparison of a day with the vendor's usage.
type comparedDay struct {
	Day, At     time.Time
	All         budget.FeatureComparison
	Differences []budget.FeatureComparison // of features
}

// usage shows what calls have cost, and the budgets.
func (h *Handler) usage(r request) (reply, error) {
	i := slices.IndexFunc(usageSpans, func(s usageSpan) bool { return s.Value == r.URL.Query().Get("range") })
	ctx, b := r.Context(), usageBody{Now: r.now, Span: usageSpans[max(i, 0)], Spans: usageSpans}
	to := budget.Day.End(budget.Day.Start(r.now))
	var err error
	if b.Report, err = h.Admin.Costs(ctx, to.AddDate(0, 0, -b.Span.days), to, costliest); err != nil {
		return reply{}, err
	}
	list, err := h.Admin.BudgetStates(ctx)
	if err != nil {
		return reply{}, err
	}
	b.Budgets, b.Raises, b.Bars = list.Budgets, list.Raises, budgetBars(list.Budgets, r.now)
	b.Chart = costChart(b.Report, b.Span, list.Budgets)
	comparisons, err := h.Admin.Comparisons(ctx, shownDays)
	if err != nil {
		return reply{}, err
	}
	for _, c := range comparisons {
		day := comparedDay{Day: c.Day, At: c.At}
		for _, f := range c.Features {
			switch {
			case f.Feature == "":
				day.All = f
			case f.Differs:
				day.Differences = append(day.Differences, f)
			}
		}
		b.Days = append(b.Days, day)
	}
	return reply{page: "usage", title: "Usage", body: b}, nil
}

// budgetBar is how much of a budget is used, as a part of a chart.
type budgetBar struct {
	Name, Tint  string
	Used        string // width, up to chartWidth
	Elapsed     string // x of how far its period is
	Percent     int64
	Description string // for screen readers
}

// budgetBars draws how much of each budget is used, and how much of its period is over.
func budgetBars(list []budget.State, now time.Time) (bars []budgetBar) {
	for _, b := range list {
		start := b.Period.Start(now)
		elapsed := now.Sub(start).Seconds() / b.RenewsAt.Sub(start).Seconds()
		used := b.Most.Float() / max(b.Credits.Float(), credit.Amount(1).Float())
		bar := budgetBar{Name: b.Name, Tint: "tint-1", Percent: int64(100 * used)}
		switch {
		case used >= 1:
			bar.Tint = "bad"
		case used >= nearlyUsed:
			bar.Tint = "tint-2"
		}
		bar.Used, bar.Elapsed = formatCoordinate(chartWidth*min(used, 1)), formatCoordinate(chartWidth*min(elapsed, 1))
		bar.Description = fmt.Sprintf("%s: %d percent used, %d percent of the %s over", b.Name, bar.Percent, int(100*elapsed), b.Period)
		bars = append(bars, bar)
	}
	return bars
}

// costChart draws the credits of each day of r, by feature, with the budgets of a day for all.
func costChart(r budget.Report, span usageSpan, budgets []budget.State) chart {
	points := make([]usage.Point, span.days)
	index := map[string]int{}
	for i := range points {
		points[i].At = r.From.AddDate(0, 0, i)
		index[points[i].At.Format(time.DateOnly)] = i
	}
	features := slices.SortedFunc(slices.Values(r.Features), func(a, b budget.KeySum) int {
		return cmp.Or(cmp.Compare(b.Credits, a.Credits), cmp.Compare(a.Name, b.Name))
	})
	features = slices.DeleteFunc(features, func(f budget.KeySum) bool { return f.Credits == 0 })
	spec := chartSpec{id: "credits", title: "Credits by day", sum: decimal(r.Total.Credits.String()), unit: "credits", format: formatCredits}
	for _, b := range budgets {
		if b.Scope == budget.All && b.Period == budget.Day {
			spec.limits = append(spec.limits, limit{Name: "budget " + b.Name, Total: decimal(b.Credits.String()), value: b.Credits.Float()})
		}
	}
	var rest credit.Amount
	for i, f := range features {
		if i >= maxSeries {
			rest += f.Credits
			continue
		}
		spec.series = append(spec.series, series{
			Name: f.Name, Tint: "tint-" + strconv.Itoa(i+1), Total: decimal(f.Credits.String()), Values: make([]float64, span.days),
		})
	}
	if rest > 0 {
		spec.series = append(spec.series, series{Name: "others", Tint: "tint-rest", Total: decimal(rest.String()), Values: make([]float64, span.days)})
	}
	for _, d := range r.Days {
		line := slices.IndexFunc(features, func(f budget.KeySum) bool { return f.Name == d.Feature })
		if at, known := index[d.Day]; known && line >= 0 {
			spec.series[min(line, maxSeries)].Values[at] += d.Credits.Float()
		}
	}
	times := timeLabels(r.From, r.To, span.parts, func(t time.Time, _ bool) string { return t.Format(dayLayout) })
	return newChart(spec, points, usage.Day, times)
}

// formatCredits formats a value of a chart of credits.
func formatCredits(v float64) string {
	return decimal(strings.TrimSuffix(strings.TrimRight(strconv.FormatFloat(v, 'f', 3, 64), "0"), "."))
}

// Whose says whose a budget is.
func (usageBody) Whose(b budget.State) string {
	switch {
	case b.App == "":
		return label(scopes, string(b.Scope))
	case b.Scope == budget.App:
		return "App " + b.App
	default:
		return "Each user of " + b.App
	}
}

// Use says how much of a budget is used.
func (usageBody) Use(b budget.State) string {
	used := decimal(b.Most.String()) + " of " + decimal(b.Credits.String())
	switch {
	case b.Scope == budget.All || b.Scope == budget.App && b.App != "":
		return used
	case b.Holders == 0:
		return "none"
	default:
		return used + " at most; " + grouped(int64(b.Exhausted)) + " of " + grouped(int64(b.Holders)) + " used up"
	}
}
