package portfolio

import (
	"context"
	"slices"
	"time"

	"casbroker/internal/auth"
	"casbroker/internal/httpapi"
)

// maxPoints is how many points of time Worth has at most.
const maxPoints = 400

var errPoints = httpapi.ErrQuery.Withf("from, to and interval select more than %d points; ask for fewer.", maxPoints)

// Worth is what a user owned at the end of a day.
type Worth struct {
	Day   string // YYYY-MM-DD
	Known bool   // whether a statement tells of that day or one before
	View         // without rows and accounts
}

// Interval is a unit of the calendar.
type Interval string

// The intervals. A week ends on Sunday.
const (
	Week    Interval = "week"
	Month   Interval = "month"
	Quarter Interval = "quarter"
	Year    Interval = "year"
)

// end returns the last day of the interval that day is in.
func (i Interval) end(day time.Time) time.Time {
	year, month, _ := day.Date()
	switch i {
	case Week:
		return day.AddDate(0, 0, (7-int(day.Weekday()))%7)
	case Quarter:
		month += 2 - (month-1)%3
	case Year:
		month = time.December
	}
	return time.Date(year, month+1, 0, 0, 0, 0, 0, time.UTC)
}

// days returns the last days of the intervals from from to to, and to. It returns nil if
// there are more than maxPoints.
func (i Interval) days(from, to time.Time) []string {
	var days []string
	for day := i.end(from); len(days) <= maxPoints; day = i.end(day.AddDate(0, 0, 1)) {
		if !day.Before(to) {
			return append(days, to.Format(time.DateOnly))
		}
		days = append(days, day.Format(time.DateOnly))
	}
	return nil
}

// WorthQuery selects points of time.
type WorthQuery struct {
	From, To time.Time // days; the zero From is the day of the first statement, the zero To is today
	Interval Interval
	Selection
	Filter
}

// Worth returns what who owned at the end of each interval that q selects, and at the end
// of its last day.
func (s *Service) Worth(ctx context.Context, who auth.Principal, q WorthQuery) (list []Worth, err error) {
	s.settle(ctx, who)
	err = s.readKnown(ctx, who, q.Filter, s.Reader.AccountStatements, func(k knownAccounts) (complete bool, err error) {
		days, err := s.days(q, k.statements)
		if err != nil {
			return false, err
		}
		list, complete, err = s.worth(ctx, who, k, days, q)
		return complete, err
	})
	return list, err
}

// days returns the days that q selects of a user with these statements.
func (s *Service) days(q WorthQuery, statements []AccountStatement) ([]string, error) {
	today, err := time.Parse(time.DateOnly, dayOf(s.Now()))
	if err != nil {
		return nil, err
	}
	from, to := q.From, q.To
	if to.IsZero() {
		to = today
	}
	if from.IsZero() {
		first := to.Format(time.DateOnly)
		for i := range statements {
			if q.includes(&statements[i]) {
				first = min(first, statements[i].until())
			}
		}
		if from, err = time.Parse(time.DateOnly, first); err != nil {
			return nil, err
		}
	}
	switch {
	case to.After(today):
		return nil, httpapi.ErrQuery.Withf("to must not be after today, %s in India.", today.Format(time.DateOnly))
	case from.After(to):
		return nil, httpapi.ErrQuery.Withf("from must not be after to.")
	}
	days := q.Interval.days(from, to)
	if days == nil {
		return nil, errPoints
	}
	return days, nil
}

// worth adds up one day after the other, with the rows of no more portfolios in memory than
// one day and rowsAtOnce need. Days on which the same statements are selected are added up
// once. complete is false if a portfolio has been deleted.
func (s *Service) worth(ctx context.Context, who auth.Principal, known knownAccounts, days []string, q WorthQuery) (list []Worth, complete bool, err error) {
	counts := known.selected(days, q.Selection)
	var covered [][]Covered // of each number of selected statements
	for i, day := range days {
		if i > 0 && counts[i] == counts[i-1] {
			continue
		}
		selection := q.Selection
		selection.AsOf = day
		covered = append(covered, known.of(q.Filter, Cover(known.accounts, known.statements, selection)))
	}
	list = make([]Worth, len(days))
	rows := map[string]Rows{}
	for i, day := range days {
		if i > 0 && counts[i] == counts[i-1] {
			list[i] = list[i-1]
			list[i].Day = day
			continue
		}
		if rows, complete, err = s.nextRows(ctx, who, rows, covered); err != nil || !complete {
			return nil, complete, err
		}
		list[i] = Worth{day, len(covered[0]) > 0, Consolidate(known.owners, covered[0], rows, q.Filter)}
		list[i].Rows, list[i].Accounts = nil, nil
		covered = covered[1:]
	}
	return list, true, nil
}

// selected returns how many of the statements q selects as of each of days, which must be in
// order.
func (k knownAccounts) selected(days []string, q Selection) []int {
	counts := make([]int, len(days))
	q.AsOf = ""
	for i := range k.statements {
		if e := &k.statements[i]; q.includes(e) {
			if first, _ := slices.BinarySearch(days, e.until()); first < len(days) {
				counts[first]++
			}
		}
	}
	for i := 1; i < len(counts); i++ {
		counts[i] += counts[i-1]
	}
	return counts
}

// nextRows returns those of rows that the first of covered needs, with those that it needs
// in addition, and some of those that come next.
func (s *Service) nextRows(ctx context.Context, who auth.Principal, rows map[string]Rows, covered [][]Covered) (_ map[string]Rows, complete bool, err error) {
	next := map[string]Rows{}
	var missing []string
	for i, day := range covered {
		if i > 0 && len(missing) == 0 {
			break // all are there
		}
		for _, portfolioID := range counting(day) {
			r, here := rows[portfolioID]
			switch _, taken := next[portfolioID]; {
			case taken:
			case here:
				next[portfolioID] = r
			case i == 0 || len(missing) < rowsAtOnce:
				next[portfolioID] = Rows{}
				missing = append(missing, portfolioID)
			}
		}
	}
	read, complete, err := s.rowsOf(ctx, who, missing)
	for portfolioID, r := range read {
		next[portfolioID] = r
	}
	return next, complete, err
}
