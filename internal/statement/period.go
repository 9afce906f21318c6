package statement

import (
	"strings"
	"time"
)

// india is the time zone of the statements.
var india = time.FixedZone("IST", int((5*time.Hour+30*time.Minute)/time.Second))

// period reads the statement period from the first of its three possible places that
// states it.
func (p *parser) period(statement value) {
	for _, v := range []value{statement.member("meta"), statement.member("summary"), statement} {
		stated := v.member("statement_period")
		if !p.expect(stated, '{') {
			continue
		}
		from, to := p.periodDay(stated.member("from")), p.periodDay(stated.member("to"))
		if p.validPeriod(stated, from, to) {
			p.s.Period = &Period{from, to}
		}
		if from != "" || to != "" {
			return
		}
	}
	p.warn(value{}, codeNoPeriod, "The statement has no period.")
}

// periodDay reads the first or last day of the period, "" if it is not stated.
func (p *parser) periodDay(v value) string {
	day, ok := p.date(v)
	if !ok {
		p.fault(v, codeInvalidDate, "This must be a date such as 2026-03-31.")
	}
	return day
}

// validPeriod reports whether v, a period of these days, can be stored.
func (p *parser) validPeriod(v value, from, to string) bool {
	switch {
	case from == "" && to == "":
	case from == "" || to == "":
		p.warn(v, codeHalfPeriod, "Only one end of the period is stated; the period was left out.")
	case from > to:
		p.fault(v, codePeriodReversed, "The period must not end before it begins.")
	case to > p.today:
		p.fault(v.member("to"), codePeriodInFuture, "The period must not end after today, %s in India.", p.today)
	default:
		return true
	}
	return false
}

// timeFormats are the formats of generated_at. A time without a zone is in India.
var timeFormats = []string{
	time.RFC3339, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999", "2006-01-02T15:04", "2006-01-02 15:04",
	"02-01-2006 15:04:05", "02-Jan-2006 15:04:05",
	time.DateOnly, "02-01-2006", "02-Jan-2006",
}

// generatedAt checks the time at which the statement was made. It is stored only as
// part of the raw payload.
func (p *parser) generatedAt(v value) {
	text := strings.Trim(p.text(v), space)
	if text == "" {
		return
	}
	for _, format := range timeFormats {
		if _, err := time.ParseInLocation(format, text, india); err == nil {
			return
		}
	}
	p.warn(v, codeInvalidTime, "This is not a time such as 2026-04-02T09:30:00+05:30; it was left out.")
}
