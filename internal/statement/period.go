package statement

import (
	"cmp"
	"strings"
	"time"
)

// india is the time zone of the statements.
var india = time.FixedZone("IST", int((5*time.Hour+30*time.Minute)/time.Second))

// period reads the period of the statement from the first part that states one. Another
// one that says something else is a warning.
func (p *parser) period(statement value) {
	var counts value
	var period Period
	wrongType := false
	for _, v := range []value{statement.member("meta"), statement.member("summary"), statement} {
		stated := v.member("statement_period")
		if !p.optional(stated, '{') {
			wrongType = wrongType || stated.present()
			continue
		}
		other := Period{p.periodDay(stated.member("from")), p.periodDay(stated.member("to"))}
		switch {
		case other == Period{}:
			wrongType = wrongType || stated.member("from").present() || stated.member("to").present()
		case counts.kind() == 0:
			counts, period = stated, other
		case other != period:
			p.warn(stated, codePeriodMismatch, "This is %s, but %s, which counts, is %s.", other, counts.pointer(), period)
		}
	}
	switch {
	case counts.kind() == 0 && !wrongType: // a warning says otherwise why there is none
		p.warn(value{}, codeNoPeriod, "The statement has no period.")
	case counts.kind() != 0 && p.validPeriod(counts, period.From, period.To):
		p.s.Period = &period
	}
}

// String returns the period in words.
func (p Period) String() string {
	return cmp.Or(p.From, "an unknown day") + " to " + cmp.Or(p.To, "an unknown day")
}

// periodDay reads the first or last day of the period, "" if it is not stated. Of a time
// the day counts.
func (p *parser) periodDay(v value) string {
	day, ok := p.date(v)
	if ok {
		return day
	}
	text := strings.Trim(v.text(), space)
	for _, format := range timeFormats {
		if at, err := time.ParseInLocation(format, text, india); err == nil && at.Year() > 0 {
			p.warn(v, codeTimeForDate, "This is a time; its day counts.")
			return at.In(india).Format(time.DateOnly)
		}
	}
	p.warn(v, codeInvalidDate, "This is not a date such as 2026-03-31; it was left out.")
	return ""
}

// validPeriod reports whether v, a period of these days, can be stored.
func (p *parser) validPeriod(v value, from, to string) bool {
	switch {
	case from == "" && to == "":
	case (from == "" || to == "") && v.member("from").present() && v.member("to").present(): // there is a warning
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
