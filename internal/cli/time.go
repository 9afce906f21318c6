package cli

import (
	"errors"
	"fmt"
	"net/url"
	"time"
)

// pastTime is a time in a flag: absolute, or how long ago.
type pastTime time.Time

// UnmarshalText parses RFC 3339 or a duration before now.
func (m *pastTime) UnmarshalText(text []byte) error {
	if ago, err := time.ParseDuration(string(text)); err == nil && ago >= 0 {
		*m = pastTime(time.Now().Add(-ago))
		return checkRange(time.Time(*m))
	}
	at, err := time.Parse(time.RFC3339, string(text))
	if err != nil {
		return fmt.Errorf("want a time such as 2026-04-01T10:00:00Z, or how long ago it is, such as 24h; not %q", text)
	}
	*m = pastTime(at)
	return checkRange(at)
}

// futureTime is a time in a flag: absolute, or how long from now.
type futureTime time.Time

// UnmarshalText parses RFC 3339 or a duration from now.
func (d *futureTime) UnmarshalText(text []byte) error {
	if ahead, err := time.ParseDuration(string(text)); err == nil && ahead > 0 {
		*d = futureTime(time.Now().Add(ahead))
		return nil
	}
	at, err := time.Parse(time.RFC3339, string(text))
	if err != nil {
		return fmt.Errorf("want a time such as 2026-04-01T10:00:00Z, or how long from now, such as 2h; not %q", text)
	}
	*d = futureTime(at)
	return checkRange(at)
}

// checkRange fails for times that a broker cannot parse, because their year in UTC has five
// digits, and for times before 1970, which include the zero time that means none.
func checkRange(at time.Time) error {
	if at.Unix() < 0 || at.UTC().Year() > 9999 {
		return errors.New("want a time from 1970 to 9999, in UTC")
	}
	return nil
}

// period are the flags that limit a list to a time range.
type period struct {
	Since pastTime `placeholder:"TIME" help:"Only from this time on: 2026-04-01T10:00:00Z, or 24h for a day ago."`
	Until pastTime `placeholder:"TIME" help:"Only before this time."`
}

// addTo adds the limits that are set to a query of the broker.
func (p period) addTo(q url.Values) {
	for name, at := range map[string]time.Time{"from": time.Time(p.Since), "to": time.Time(p.Until)} {
		if !at.IsZero() {
			q.Set(name, at.UTC().Format(time.RFC3339Nano))
		}
	}
}

// formatTime returns at as RFC 3339 in UTC, "" for the zero time.
func formatTime(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.UTC().Format(time.RFC3339)
}
