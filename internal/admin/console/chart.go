package console

import (
	"math"
	"strconv"

	"casbroker/internal/usage"
)

// The coordinates of a chart. Its SVG is stretched to fit, so the labels around it are HTML,
// which is not stretched.
const (
	chartWidth  = 1000
	chartHeight = 100
	// gap is the part of a column that its bar leaves free.
	gap = 0.18
)

// series is one line of values in a chart.
type series struct {
	Name   string
	Code   string // the name in the API, "" for none
	Tint   string // the CSS class of its color
	Total  string
	Values []float64
}

// rect is a rectangle of an SVG.
type rect struct {
	X, Y, W, H string
	Tint       string
}

// hover is a column with a tooltip.
type hover struct {
	X, W  string
	Title string
}

// row has the values of one period, for the table.
type row struct {
	At        string
	Cells     []string
	Synthetic bool
}

// chart is a bar chart over time, and the same values as a table.
type chart struct {
	ID, Title   string
	Sum         string // the figure above it
	Unit        string // what Sum counts
	Description string // for screen readers
	Series      []series
	Bars        []rect
	Shades      []rect // periods of synthetic data
	Hovers      []hover
	Ticks       []string // on its left, from top to bottom
	Times       []string // below it, from left to right
	Rows        []row
	Limits      []limit
	Empty       bool // all values are 0
}

// limit is a dashed line at a value.
type limit struct {
	Name, Total string
	Y           string // "" if it is above the chart
	value       float64
}

// chartSpec describes a chart.
type chartSpec struct {
	id, title string
	sum, unit string
	series    []series
	limits    []limit
	overlaid  bool                 // bars overlap, the tallest series first, instead of being stacked
	format    func(float64) string // formats a value
}

// newChart draws the chart of s over points, with times below it.
func newChart(s chartSpec, points []usage.Point, step usage.Step, times []string) chart {
	c := chart{ID: s.id, Title: s.title, Sum: s.sum, Unit: s.unit, Series: s.series, Shades: shades(points), Times: times}
	top := s.top(len(points))
	c.Empty = top == 0
	scale := roundUp(top)
	c.Ticks = []string{s.format(scale), s.format(scale / 2), s.format(0)}
	c.Description = s.describe(len(points), step)
	for _, l := range s.limits {
		if l.value <= scale {
			l.Y = formatCoordinate(chartHeight - l.value/scale*chartHeight)
		}
		c.Limits = append(c.Limits, l)
	}
	width := chartWidth / float64(max(len(points), 1))
	for i, p := range points {
		left := float64(i) * width
		c.Bars = append(c.Bars, s.column(i, left, width, scale)...)
		r := row{At: formatStep(p.At, step), Synthetic: p.Synthetic}
		title := r.At + " UTC"
		for _, line := range s.series {
			r.Cells = append(r.Cells, s.format(line.Values[i]))
			title += "\n" + line.Name + ": " + s.format(line.Values[i])
		}
		if p.Synthetic {
			title += "\nsynthetic demo data"
		}
		c.Rows = append(c.Rows, r)
		c.Hovers = append(c.Hovers, hover{X: formatCoordinate(left), W: formatCoordinate(width), Title: title})
	}
	return c
}

// column draws the values of one period.
func (s chartSpec) column(i int, left, width, scale float64) (bars []rect) {
	base := float64(chartHeight)
	for _, line := range s.series {
		if line.Values[i] <= 0 {
			continue
		}
		height := line.Values[i] / scale * chartHeight
		y := base - height
		if s.overlaid {
			y = chartHeight - height
		}
		bars = append(bars, rect{
			X: formatCoordinate(left + width*gap/2), W: formatCoordinate(width * (1 - gap)),
			Y: formatCoordinate(y), H: formatCoordinate(height), Tint: line.Tint,
		})
		base = y
	}
	return bars
}

// top returns the height of the tallest column, in values.
func (s chartSpec) top(n int) (top float64) {
	for i := range n {
		sum := 0.0
		for _, line := range s.series {
			if s.overlaid {
				sum = max(sum, line.Values[i])
			} else {
				sum += line.Values[i]
			}
		}
		top = max(top, sum)
	}
	return top
}

// describe returns the chart as a sentence.
func (s chartSpec) describe(n int, step usage.Step) string {
	text := s.title + ", by " + string(step) + ", " + strconv.Itoa(n) + " in all"
	for _, line := range s.series {
		text += "; " + line.Name + ": " + line.Total
	}
	for _, l := range s.limits {
		text += "; " + l.Name + ": " + l.Total
	}
	return text + "."
}

// shades returns a rectangle for each run of synthetic points.
func shades(points []usage.Point) (list []rect) {
	width := chartWidth / float64(max(len(points), 1))
	for i := 0; i < len(points); i++ {
		first := i
		for i < len(points) && points[i].Synthetic {
			i++
		}
		if i > first {
			list = append(list, rect{
				X: formatCoordinate(float64(first) * width), Y: "0", W: formatCoordinate(float64(i-first) * width), H: formatCoordinate(chartHeight),
			})
		}
	}
	return list
}

// roundUp returns the smallest scale that reaches top and can be halved to a round number:
// 1, 2, 4, 6, 8 or 10 times a power of ten, and at least 2.
func roundUp(top float64) float64 {
	if top <= 0 {
		return 2
	}
	power := math.Pow(10, math.Floor(math.Log10(top)))
	for _, n := range []float64{1, 2, 4, 6, 8, 10} {
		if scale := n * power; scale >= top && scale >= 2 {
			return scale
		}
	}
	return max(10*power, 2)
}

// formatCoordinate formats a coordinate of an SVG.
func formatCoordinate(v float64) string {
	return strconv.FormatFloat(math.Round(v*100)/100, 'f', -1, 64)
}
