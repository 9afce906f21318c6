package statement

import (
	"strings"
	"time"
)

// india is where statements are made.
var india = time.FixedZone("IST", int((5*time.Hour+30*time.Minute)/time.Second))

// period reads the time that the statement is about, which may stand in three
// places; the first that states it counts.
func (p *parser) period(statement value) {
	for _, v := range []value{statement.member("meta"), statement.member("summary"), statement} {
		stated := v.member("statement_period")
		if !p.is(stated, '{') {
			continue
		}
		from, to := p.day(stated.member("from")), p.day(stated.member("to"))
		if p.consistent(stated, from, to) {
			p.s.Period = &Period{from, to}
		}
		if from != "" || to != "" {
			return
		}
	}
	p.warn(value{}, codeNoPeriod, "The statement does not say what time it is about.")
}

// day reads an end of the period.
func (p *parser) day(v value) string {
	day, ok := p.date(v)
	if !ok {
		p.wrong(v, codeInvalidDate, "This must be a date such as 2026-03-31.")
	}
	return day
}

// consistent reports whether a period can be taken.
func (p *parser) consistent(v value, from, to string) bool {
	switch {
	case from == "" && to == "":
	case from == "" || to == "":
		p.warn(v, codeHalfPeriod, "Only one end of the period is stated, so it was left out.")
	case from > to:
		p.wrong(v, codeReversed, "The period must not end before it begins.")
	case to > p.today:
		p.wrong(v.member("to"), codeFuture, "The period must not end after today, %s in India.", p.today)
	default:
		return true
	}
	return false
}

// instants are the forms of generated_at; without a zone it is India's time.
var instants = []string{
	time.RFC3339, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999", "2006-01-02T15:04", "2006-01-02 15:04",
	"02-01-2006 15:04:05", "02-Jan-2006 15:04:05",
	time.DateOnly, "02-01-2006", "02-Jan-2006",
}

// generated looks at when the statement was made, which is kept in the payload alone.
func (p *parser) generated(v value) {
	text := strings.Trim(p.text(v), space)
	if text == "" {
		return
	}
	for _, layout := range instants {
		if _, err := time.ParseInLocation(layout, text, india); err == nil {
			return
		}
	}
	p.warn(v, codeInvalidInstant, "This is no instant such as 2026-04-02T09:30:00+05:30, so it was left out.")
}
