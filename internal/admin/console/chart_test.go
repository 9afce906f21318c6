package console

import (
	"slices"
	"strings"
	"testing"
	"time"

	"casbroker/internal/usage"
)

var noon = time.Date(2026, 4, 1, 12, 0, 0, 0, time.UTC)

// statsOf returns minutes with these counts of minted and reused tokens.
func statsOf(counts ...[2]int64) (s usage.Stats) {
	s = usage.Stats{Step: usage.Minute, From: noon, To: noon.Add(time.Duration(len(counts)) * time.Minute)}
	for i, n := range counts {
		s.Points = append(s.Points, usage.Point{At: noon.Add(time.Duration(i) * time.Minute), Minted: n[0], Reused: n[1]})
		s.Total.Minted += n[0]
		s.Total.Reused += n[1]
	}
	return s
}

func chartOf(s usage.Stats, name string) chart {
	i := slices.IndexFunc(chartSpecs(s), func(spec chartSpec) bool { return spec.id == name })
	return newChart(chartSpecs(s)[i], s.Points, s.Step, chartTimes(s, 2))
}

func TestBarsAreStackedAndMatchTheTicks(t *testing.T) {
	t.Parallel()
	c := chartOf(statsOf([2]int64{1, 3}, [2]int64{0, 0}), "tokens")
	want := []rect{
		{X: "45", W: "410", Y: "75", H: "25", Tint: "tint-1"},
		{X: "45", W: "410", Y: "0", H: "75", Tint: "tint-2"},
	}
	if !slices.Equal(c.Bars, want) {
		t.Errorf("got the bars %+v, want %+v", c.Bars, want)
	}
	if !slices.Equal(c.Ticks, []string{"4", "2", "0"}) || !slices.Equal(c.Times, []string{"12:00", "12:01", "12:02"}) {
		t.Errorf("got the ticks %q and the times %q", c.Ticks, c.Times)
	}
	if c.Empty || c.Sum != "4" || !strings.Contains(c.Description, "minted: 1; reused: 3") {
		t.Errorf("got %q and %q", c.Sum, c.Description)
	}
	if row := c.Rows[0]; row.At != "2026-04-01 12:00" || !slices.Equal(row.Cells, []string{"1", "3", "0"}) {
		t.Errorf("got the row %+v", row)
	}
}

func TestChartWithoutValuesIsEmpty(t *testing.T) {
	t.Parallel()
	c := chartOf(statsOf([2]int64{}, [2]int64{}, [2]int64{}), "tokens")
	if !c.Empty || len(c.Bars) != 0 || len(c.Rows) != 3 || !slices.Equal(c.Ticks, []string{"2", "1", "0"}) {
		t.Errorf("got %+v, want an empty chart", c)
	}
	if none := chartOf(usage.Stats{Step: usage.Minute}, "refused"); !none.Empty {
		t.Errorf("without points: got %+v", none)
	}
}

func TestLatencyBarsOverlap(t *testing.T) {
	t.Parallel()
	s := statsOf([2]int64{})
	s.Points[0].Upstream = usage.Upstream{Calls: 3, MeanMS: 200, P95MS: 800}
	c := chartOf(s, "latency")
	if len(c.Bars) != 2 || c.Bars[0].H != "100" || c.Bars[1].H != "25" || c.Bars[1].Y != "75" || c.Ticks[0] != "800 ms" {
		t.Errorf("got the bars %+v and the ticks %q", c.Bars, c.Ticks)
	}
}

func TestSyntheticPointsAreShadedAndLabeled(t *testing.T) {
	t.Parallel()
	s := statsOf([2]int64{1, 0}, [2]int64{1, 0}, [2]int64{1, 0}, [2]int64{1, 0})
	s.Points[0].Synthetic, s.Points[1].Synthetic = true, true
	c := chartOf(s, "tokens")
	if len(c.Shades) != 1 || c.Shades[0].X != "0" || c.Shades[0].W != "500" {
		t.Errorf("got the shades %+v", c.Shades)
	}
	if !c.Rows[1].Synthetic || c.Rows[2].Synthetic || !strings.Contains(c.Hovers[1].Title, "synthetic") || strings.Contains(c.Hovers[2].Title, "synthetic") {
		t.Errorf("got the rows %+v", c.Rows)
	}
}

func TestMostCommonLabelsHaveSeriesAndOthersShareOne(t *testing.T) {
	t.Parallel()
	s := statsOf([2]int64{})
	s.Points[0].Refused = map[string]int64{"a": 1, "b": 9, "c": 8, "d": 7, "e": 6, "f": 5, "g": 2}
	s.Total.Refused = s.Points[0].Refused
	c := chartOf(s, "refused")
	var names []string
	for _, line := range c.Series {
		names = append(names, line.Name+" "+line.Total)
	}
	if !slices.Equal(names, []string{"b 9", "c 8", "d 7", "e 6", "f 5", "others 3"}) || c.Sum != "38" {
		t.Errorf("got the sum %s and the series %q", c.Sum, names)
	}
}

func TestLabelHasTheSameColorInEveryChart(t *testing.T) {
	t.Parallel()
	tints := func(refused map[string]int64) map[string]string {
		s := statsOf([2]int64{})
		s.Points[0].Refused, s.Total.Refused = refused, refused
		found := make(map[string]string)
		for _, line := range chartOf(s, "refused").Series {
			found[line.Code] = line.Tint
		}
		return found
	}
	all := tints(map[string]int64{"rate_limited": 9, "invalid_token": 8, "unauthenticated": 7, "new_reason": 6, "other_reason": 5})
	for _, some := range []map[string]int64{
		{"rate_limited": 1}, {"invalid_token": 1, "rate_limited": 9}, {"unauthenticated": 3, "new_reason": 4}, {"other_reason": 1, "new_reason": 1},
	} {
		for code, tint := range tints(some) {
			if all[code] != tint {
				t.Errorf("%s: got %s alone and %s among others", code, tint, all[code])
			}
		}
	}
	seen := make(map[string]string)
	for code, tint := range all {
		if seen[tint] != "" {
			t.Errorf("%s and %s both have %s", code, seen[tint], tint)
		}
		seen[tint] = code
	}
}

func TestRefusalsAreLabeledAndKeepTheirCode(t *testing.T) {
	t.Parallel()
	s := statsOf([2]int64{})
	s.Points[0].Refused = map[string]int64{"subject_blocked": 2, "new_reason": 1}
	s.Total.Refused = s.Points[0].Refused
	lines := chartOf(s, "refused").Series
	if lines[0].Name != "user blocked" || lines[0].Code != "subject_blocked" || lines[1].Name != "new_reason" || lines[1].Code != "new_reason" {
		t.Errorf("got the series %+v", lines)
	}
}

func TestScaleEndsAtRoundNumber(t *testing.T) {
	t.Parallel()
	for top, want := range map[float64]float64{0: 2, 0.4: 2, 1: 2, 3: 4, 7: 8, 9: 10, 10: 10, 11: 20, 61: 80, 99: 100, 101: 200, 1001: 2000} {
		if got := roundUp(top); got != want {
			t.Errorf("for %v: got %v, want %v", top, got, want)
		}
	}
}

func TestSafeNextAllowsOnlyPagesOfTheConsole(t *testing.T) {
	t.Parallel()
	for _, good := range []string{
		"/console/", "/console/users", "/console/users/app%2F1%20%F0%9F%98%80?x=1", "/console/audit?subject=a%5Cb", "/console/?range=day",
	} {
		if got := safeNext(good); got != good {
			t.Errorf("%q: got %q", good, got)
		}
	}
	for _, bad := range []string{
		"", "/", "//evil.example", "//evil.example/console/", "/console", "/consoles/", "https://evil.example/console/", `/console/\evil.example`,
		`\console/`, "/console/../v1/me", "/console/%2e%2e/v1", "/console/..", "javascript:alert(1)", "/console/\n//evil", " /console/users",
		"/console/\tx", "/console/sign-in", "/console/sign-in?next=/console/", "/console/%zz", "/console/users\x00",
	} {
		if got := safeNext(bad); got != home {
			t.Errorf("%q: got %q", bad, got)
		}
	}
}

func TestDecimalGroupsThousands(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"0": "0", "1500": "1,500", "1234567.25": "1,234,567.25", "-1000": "-1,000", "100": "100", "many": "many", "": "", "+1000": "+1000",
	} {
		if got := decimal(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
