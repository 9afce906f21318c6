package demo

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"casbroker/internal/usage"
)

// How far back the made-up past goes.
const (
	pastDays    = 30
	pastHours   = 2 // days of hours
	pastMinutes = 2 // hours of minutes
)

// seed makes each minute the same, whenever the demo is started.
const seed = 0x0CA5

var india = time.FixedZone("IST", 5*3600+30*60)

// History returns counts that are made up, for charts to have something to show: the
// 30 days before today by day, two days by hour and two hours by minute, each up to the
// minute in which now is. The minutes of an hour add up to it, and the hours of a
// day to that. Each stretch is marked with usage.Invented; in the hour and the day
// that run, true counts may come on top.
func History(now time.Time) []usage.Count {
	now = now.UTC().Truncate(time.Minute)
	today := now.Truncate(usage.Day.Length())
	source := rand.NewPCG(seed, 0)
	p := past{sums: map[usage.Count]amount{}, source: source, chance: rand.New(source), since: map[usage.Step]time.Time{ //nolint:gosec // nothing to guess
		usage.Day:    today.AddDate(0, 0, -pastDays),
		usage.Hour:   today.AddDate(0, 0, -pastHours),
		usage.Minute: now.Truncate(time.Hour).Add(-pastMinutes * time.Hour),
	}}
	for at := p.since[usage.Day]; at.Before(now); at = at.Add(time.Minute) {
		p.minute(at)
	}
	list := make([]usage.Count, 0, len(p.sums))
	for c, sum := range p.sums {
		if c.Series == usage.Invented {
			sum.n = 1
		}
		c.N, c.Took = sum.n, sum.took
		list = append(list, c)
	}
	slices.SortFunc(list, usage.Compare)
	return list
}

// past is the counts made up so far.
type past struct {
	source *rand.PCG
	chance *rand.Rand // of source
	since  map[usage.Step]time.Time
	sums   map[usage.Count]amount // the key tells of what, and has no numbers
}

type amount struct {
	n    int64
	took time.Duration
}

// minute makes up what was done in the minute that began at.
func (p *past) minute(at time.Time) {
	p.source.Seed(seed, uint64(at.Truncate(usage.Day.Length()).Unix())) //nolint:gosec // days since 1970
	mood := 0.8 + 0.4*p.chance.Float64()
	ill := p.trouble(at)
	p.source.Seed(seed, uint64(at.Unix())) //nolint:gosec // as above
	busy := mood * pace(at)

	p.add(at, usage.Invented, "", 1, 0)
	p.add(at, usage.Reused, "", p.about(7*busy), 0)
	for range p.about(2.2 * busy) {
		p.mint(at, ill)
	}
	p.add(at, usage.Saved, usage.Created, p.about(0.7*busy), 0)
	p.add(at, usage.Saved, usage.Repeated, p.about(0.1*busy), 0)
	p.add(at, usage.Refused, "invalid_token", p.about(0.12*busy+0.01), 0)
	p.add(at, usage.Refused, "unauthenticated", p.about(0.08*busy+0.02), 0)
	p.add(at, usage.Refused, "subject_blocked", p.about(0.015*busy), 0)
	limited := p.about(0.05 * busy)
	p.add(at, usage.Limited, "token-user", limited, 0)
	p.add(at, usage.Refused, "rate_limited", limited, 0)
}

// trouble reports whether the vendor is unwell: on some days, in one half-hour of
// the working day. The day was seeded.
func (p *past) trouble(at time.Time) bool {
	if p.chance.Float64() > 0.2 {
		return false
	}
	began := at.Truncate(usage.Day.Length()).Add(5*time.Hour + time.Duration(p.chance.IntN(6*60))*time.Minute)
	return !at.Before(began) && at.Before(began.Add(30*time.Minute))
}

// mint makes up one token that was asked for, with the calls that it took.
func (p *past) mint(at time.Time, ill bool) {
	fails := 0.004
	if ill {
		fails = 0.6
	}
	for range 3 { // attempts
		if p.chance.Float64() >= fails {
			p.call(at, "ok", p.around(280*time.Millisecond))
			p.add(at, usage.Minted, "", 1, 0)
			return
		}
		if p.chance.Float64() < 0.3 {
			p.call(at, "timeout", 10*time.Second)
		} else {
			p.call(at, "failed", p.around(120*time.Millisecond))
		}
	}
	p.add(at, usage.Failed, "", 1, 0)
}

func (p *past) call(at time.Time, outcome string, d time.Duration) {
	p.add(at, usage.Called, outcome, 1, d)
	p.add(at, usage.Took, usage.BoundOf(d), 1, 0)
}

// add adds to the minute, the hour and the day, as far back as each is told.
func (p *past) add(at time.Time, series usage.Series, label string, n int64, took time.Duration) {
	if n == 0 {
		return
	}
	for _, step := range usage.Steps {
		if at.Before(p.since[step]) {
			continue
		}
		c := usage.Count{Step: step, At: at.Truncate(step.Length()), Series: series, Label: label}
		sum := p.sums[c]
		p.sums[c] = amount{sum.n + n, sum.took + took}
	}
}

// about returns how often something happens that happens mean times on average, by
// Knuth's method for small ones.
func (p *past) about(mean float64) int64 {
	limit, n := math.Exp(-mean), int64(0)
	for left := p.chance.Float64(); left > limit; left *= p.chance.Float64() {
		n++
	}
	return n
}

// around returns a time near d, seldom much longer, in whole microseconds.
func (p *past) around(d time.Duration) time.Duration {
	return time.Duration(float64(d) * math.Exp(0.4*p.chance.NormFloat64())).Truncate(time.Microsecond)
}

// pace is how busy people in India are with their money: about 1 in the late morning
// of a working day.
func pace(at time.Time) float64 {
	at = at.In(india)
	hour := float64(at.Hour()) + float64(at.Minute())/60
	bell := func(middle, width float64) float64 {
		return math.Exp(-(hour - middle) * (hour - middle) / (2 * width * width))
	}
	busy := 0.03 + bell(11.25, 1.6) + 0.85*bell(15.75, 1.9) + 0.4*bell(20.5, 1.4)
	if day := at.Weekday(); day == time.Saturday || day == time.Sunday {
		busy *= 0.35
	}
	return busy
}
