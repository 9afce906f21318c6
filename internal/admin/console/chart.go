package console

import (
	"math"
	"strconv"

	"casbroker/internal/usage"
)

// The space that a chart is drawn in. It is stretched to the place that it gets, so
// what is written beside it is HTML, which is not.
const (
	chartWidth  = 1000
	chartHeight = 100
	// gap is the part of a stretch of time that its bar leaves free.
	gap = 0.18
)

// series is one kind of thing that a chart shows.
type series struct {
	Name   string
	Code   string // what the API calls it, "" for what it has no word for
	Tint   string // the class that colours it
	Total  string
	Values []float64
}

// rect is a rectangle of an SVG.
type rect struct {
	X, Y, W, H string
	Tint       string
}

// spot is a column of a chart that can be pointed at.
type spot struct {
	X, W  string
	Title string
}

// row is what a chart shows of one stretch of time, in words.
type row struct {
	At       string
	Cells    []string
	Invented bool
}

// chart is a picture of counts by time, and the same in words.
type chart struct {
	ID, Title string
	Sum       string // the figure above it
	Of        string // what that counts
	Says      string // the picture in a sentence
	Series    []series
	Bars      []rect
	Shades    []rect // stretches that are made up
	Spots     []spot
	Marks     []string // beside it, from top to bottom
	Edges     []string // below it, from left to right
	Rows      []row
	Empty     bool // nothing was counted
}

// plan is what a chart is made of.
type plan struct {
	id, title string
	sum, of   string
	series    []series
	overlaid  bool                 // the series lie before one another, largest first, not on one another
	show      func(float64) string // writes a value
}

// draw makes the chart of p over the stretches of time in points, with edges below it.
func draw(p plan, points []usage.Point, step usage.Step, edges []string) chart {
	c := chart{ID: p.id, Title: p.title, Sum: p.sum, Of: p.of, Series: p.series, Shades: shades(points), Edges: edges}
	top := p.top(len(points))
	c.Empty = top == 0
	scale := ceiling(top)
	c.Marks = []string{p.show(scale), p.show(scale / 2), p.show(0)}
	c.Says = p.says(len(points), step)
	width := chartWidth / float64(max(len(points), 1))
	for i, at := range points {
		left := float64(i) * width
		c.Bars = append(c.Bars, p.column(i, left, width, scale)...)
		r := row{At: stamp(at.At, step), Invented: at.Synthetic}
		title := r.At + " UTC"
		for _, s := range p.series {
			r.Cells = append(r.Cells, p.show(s.Values[i]))
			title += "\n" + s.Name + ": " + p.show(s.Values[i])
		}
		if at.Synthetic {
			title += "\ndemo data, made up"
		}
		c.Rows = append(c.Rows, r)
		c.Spots = append(c.Spots, spot{X: number(left), W: number(width), Title: title})
	}
	return c
}

// column draws the values of one stretch of time.
func (p plan) column(i int, left, width, scale float64) (bars []rect) {
	base := float64(chartHeight)
	for _, s := range p.series {
		if s.Values[i] <= 0 {
			continue
		}
		height := s.Values[i] / scale * chartHeight
		y := base - height
		if p.overlaid {
			y = chartHeight - height
		}
		bars = append(bars, rect{
			X: number(left + width*gap/2), W: number(width * (1 - gap)), Y: number(y), H: number(height), Tint: s.Tint,
		})
		base = y
	}
	return bars
}

// top is the highest point of all bars.
func (p plan) top(n int) (top float64) {
	for i := range n {
		sum := 0.0
		for _, s := range p.series {
			if p.overlaid {
				sum = max(sum, s.Values[i])
			} else {
				sum += s.Values[i]
			}
		}
		top = max(top, sum)
	}
	return top
}

// says puts the picture into words.
func (p plan) says(n int, step usage.Step) string {
	words := p.title + ", by " + string(step) + ", " + strconv.Itoa(n) + " in all"
	for _, s := range p.series {
		words += "; " + s.Name + ": " + s.Total
	}
	return words + "."
}

// shades are the stretches of points that a demo made up, neighbours as one.
func shades(points []usage.Point) (list []rect) {
	width := chartWidth / float64(max(len(points), 1))
	for i := 0; i < len(points); i++ {
		first := i
		for i < len(points) && points[i].Synthetic {
			i++
		}
		if i > first {
			list = append(list, rect{X: number(float64(first) * width), Y: "0", W: number(float64(i-first) * width), H: number(chartHeight)})
		}
	}
	return list
}

// ceiling is the least number that reaches top and whose half is a round one, too:
// 2, 4, 6, 8 or 10 times a power of ten.
func ceiling(top float64) float64 {
	if top <= 0 {
		return 2
	}
	power := math.Pow(10, math.Floor(math.Log10(top)))
	for _, n := range []float64{1, 2, 4, 6, 8, 10} {
		if reached := n * power; reached >= top && reached >= 2 {
			return reached
		}
	}
	return max(10*power, 2)
}

// number writes a coordinate.
func number(v float64) string {
	return strconv.FormatFloat(math.Round(v*100)/100, 'f', -1, 64)
}
