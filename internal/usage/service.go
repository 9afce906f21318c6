package usage

import (
	"context"
	"fmt"
	"time"

	"casbroker/internal/fault"
)

// maxPoints is the largest number of points in one answer: a day of minutes, or two months
// of hours.
const maxPoints = 1500

// defaultPoints is the number of points without a from.
var defaultPoints = map[Step]int{Minute: 60, Hour: 24, Day: 30}

var (
	errStep  = fault.New(fault.Invalid, "invalid_step", "step must be minute, hour or day.")
	errRange = fault.New(fault.Invalid, "invalid_range", fmt.Sprintf(
		"from must be before to, both from 1970 to 9999, and no more than %d steps apart.", maxPoints))
)

// Service reads counts. All fields are required. It is safe for concurrent use.
type Service struct {
	Store Store
	Now   func() time.Time
}

// Stats are counts by interval.
type Stats struct {
	Step   Step      `json:"step"`
	From   time.Time `json:"from"`
	To     time.Time `json:"to"`
	Points []Point   `json:"points"` // one for each interval, oldest first, empty ones included
	Total  Point     `json:"total"`  // of all points
}

// Stats returns the counts of step between from and to, in whole intervals of UTC: the ones
// that contain from and to are included. A zero to means the end of the current interval. A
// zero from means 60 minutes, 24 hours or 30 days before to. It returns the fault
// invalid_step, invalid_range (also for more than 1500 intervals), or that of the Store.
func (s *Service) Stats(ctx context.Context, step Step, from, to time.Time) (Stats, error) {
	length := step.Length()
	if length == 0 {
		return Stats{}, errStep
	}
	if to.IsZero() {
		to = s.Now().Truncate(length).Add(length)
	}
	if from.IsZero() {
		from = roundUp(to, length).Add(-time.Duration(defaultPoints[step]) * length)
	}
	if !from.Before(to) {
		return Stats{}, errRange
	}
	from, to = from.UTC().Truncate(length), roundUp(to.UTC(), length)
	n := to.Sub(from) / length // to.Sub saturates at 292 years, which is too long anyway
	if from.Year() < 1970 || to.Year() > 9999 || n > maxPoints {
		return Stats{}, errRange
	}
	counts, err := s.Store.Counts(ctx, step, from, to)
	if err != nil {
		return Stats{}, err
	}
	out := Stats{Step: step, From: from, To: to, Points: make([]Point, 0, n)}
	all := newTally(from)
	for at := from; at.Before(to); at = at.Add(length) {
		one := newTally(at)
		for ; len(counts) > 0 && counts[0].At.Before(at.Add(length)); counts = counts[1:] {
			one.add(counts[0])
			all.add(counts[0])
		}
		out.Points = append(out.Points, one.point())
	}
	out.Total = all.point()
	return out, nil
}

func roundUp(t time.Time, length time.Duration) time.Time {
	if whole := t.Truncate(length); !whole.Equal(t) {
		return whole.Add(length)
	}
	return t
}
