package demo

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"casbroker/internal/usage"
)

// Lengths of the generated history, for each step.
const (
	daysByDay     = 30
	daysByHour    = 2
	hoursByMinute = 2
)

// seed is fixed, so a given minute gets the same counts at every start.
const seed = 0x0CA5

var india = time.FixedZone("IST", 5*3600+30*60)

// History returns generated counts, which give the charts something to show: the 30
// days before today by day, two days by hour and two hours by minute, each with the
// current period up to the minute of now. The minutes of an hour add up to the hour,
// and the hours of a day to the day. Each period has a usage.Synthetic count; real
// counts may be added to the current hour and day.
func History(now time.Time) []usage.Count {
	now = now.UTC().Truncate(time.Minute)
	today := now.Truncate(usage.Day.Length())
	source := rand.NewPCG(seed, 0)
	g := generator{sums: map[usage.Count]amount{}, source: source, random: rand.New(source), since: map[usage.Step]time.Time{ //nolint:gosec // not a secret
		usage.Day:    today.AddDate(0, 0, -daysByDay),
		usage.Hour:   today.AddDate(0, 0, -daysByHour),
		usage.Minute: now.Truncate(time.Hour).Add(-hoursByMinute * time.Hour),
	}}
	for at := g.since[usage.Day]; at.Before(now); at = at.Add(time.Minute) {
		g.minute(at)
	}
	list := make([]usage.Count, 0, len(g.sums))
	for c, sum := range g.sums {
		if c.Series == usage.Synthetic {
			sum.n = 1
		}
		c.N, c.Took = sum.n, sum.took
		list = append(list, c)
	}
	slices.SortFunc(list, usage.Compare)
	return list
}

// generator generates the counts of one minute after another.
type generator struct {
	source *rand.PCG
	random *rand.Rand               // reads from source
	since  map[usage.Step]time.Time // when the history of each step begins
	sums   map[usage.Count]amount   // by step, period, series and label; N and Took of the keys are 0
}

type amount struct {
	n    int64
	took time.Duration
}

// minute generates the counts of the minute that starts at the given instant.
func (g *generator) minute(at time.Time) {
	g.source.Seed(seed, uint64(at.Truncate(usage.Day.Length()).Unix())) //nolint:gosec // days since 1970
	dayFactor := 0.8 + 0.4*g.random.Float64()
	failing := g.vendorFails(at)
	g.source.Seed(seed, uint64(at.Unix())) //nolint:gosec // as above
	load := dayFactor * loadAt(at)

	g.add(at, usage.Synthetic, "", 1, 0)
	g.add(at, usage.Reused, "", g.poisson(7*load), 0)
	for range g.poisson(2.2 * load) {
		g.mint(at, failing)
	}
	g.add(at, usage.Saved, usage.Created, g.poisson(0.7*load), 0)
	g.add(at, usage.Saved, usage.Repeated, g.poisson(0.1*load), 0)
	g.add(at, usage.Refused, "invalid_token", g.poisson(0.12*load+0.01), 0)
	g.add(at, usage.Refused, "unauthenticated", g.poisson(0.08*load+0.02), 0)
	g.add(at, usage.Refused, "subject_blocked", g.poisson(0.015*load), 0)
	limited := g.poisson(0.05 * load)
	g.add(at, usage.Limited, "token-user", limited, 0)
	g.add(at, usage.Refused, "rate_limited", limited, 0)
}

// vendorFails reports whether the vendor has an outage: on one day in five, for half
// an hour between 5:00 and 11:30 UTC. The source has to be seeded for the day.
func (g *generator) vendorFails(at time.Time) bool {
	if g.random.Float64() > 0.2 {
		return false
	}
	start := at.Truncate(usage.Day.Length()).Add(5*time.Hour + time.Duration(g.random.IntN(6*60))*time.Minute)
	return !at.Before(start) && at.Before(start.Add(30*time.Minute))
}

// mint generates one token request with its calls to the vendor.
func (g *generator) mint(at time.Time, failing bool) {
	failureRate := 0.004
	if failing {
		failureRate = 0.6
	}
	for range 3 { // attempts
		if g.random.Float64() >= failureRate {
			g.call(at, "ok", g.duration(280*time.Millisecond))
			g.add(at, usage.Minted, "", 1, 0)
			return
		}
		if g.random.Float64() < 0.3 {
			g.call(at, "timeout", 10*time.Second)
		} else {
			g.call(at, "failed", g.duration(120*time.Millisecond))
		}
	}
	g.add(at, usage.Failed, "", 1, 0)
}

func (g *generator) call(at time.Time, result string, d time.Duration) {
	g.add(at, usage.Called, result, 1, d)
	g.add(at, usage.Took, usage.BoundOf(d), 1, 0)
}

// add adds n and took to the minute, hour and day of at, where the history of that
// step reaches back so far.
func (g *generator) add(at time.Time, series usage.Series, label string, n int64, took time.Duration) {
	if n == 0 {
		return
	}
	for _, step := range usage.Steps {
		if at.Before(g.since[step]) {
			continue
		}
		c := usage.Count{Step: step, At: at.Truncate(step.Length()), Series: series, Label: label}
		sum := g.sums[c]
		g.sums[c] = amount{sum.n + n, sum.took + took}
	}
}

// poisson returns a Poisson-distributed number with this mean, which has to be small,
// by Knuth's algorithm.
func (g *generator) poisson(mean float64) int64 {
	limit, n := math.Exp(-mean), int64(0)
	for product := g.random.Float64(); product > limit; product *= g.random.Float64() {
		n++
	}
	return n
}

// duration returns a log-normally distributed duration with median d, in whole
// microseconds.
func (g *generator) duration(d time.Duration) time.Duration {
	return time.Duration(float64(d) * math.Exp(0.4*g.random.NormFloat64())).Truncate(time.Microsecond)
}

// loadAt returns the relative load at an instant, with the daily and weekly pattern of
// users in India: about 1 in the late morning of a working day.
func loadAt(at time.Time) float64 {
	at = at.In(india)
	hour := float64(at.Hour()) + float64(at.Minute())/60
	bell := func(middle, width float64) float64 {
		return math.Exp(-(hour - middle) * (hour - middle) / (2 * width * width))
	}
	load := 0.03 + bell(11.25, 1.6) + 0.85*bell(15.75, 1.9) + 0.4*bell(20.5, 1.4)
	if day := at.Weekday(); day == time.Saturday || day == time.Sunday {
		load *= 0.35
	}
	return load
}
