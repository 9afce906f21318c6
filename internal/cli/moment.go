package cli

import (
	"errors"
	"fmt"
	"net/url"
	"time"
)

// moment is an instant as people write it, or how long ago it was.
type moment time.Time

// UnmarshalText reads an instant, or how long ago it is.
func (m *moment) UnmarshalText(text []byte) error {
	if ago, err := time.ParseDuration(string(text)); err == nil && ago >= 0 {
		*m = moment(time.Now().Add(-ago))
		return inReach(time.Time(*m))
	}
	at, err := time.Parse(time.RFC3339, string(text))
	if err != nil {
		return fmt.Errorf("want a time such as 2026-04-01T10:00:00Z, or how long ago it is, such as 24h; not %q", text)
	}
	*m = moment(at)
	return inReach(at)
}

// deadline is an instant as people write it, or how long it is until then.
type deadline time.Time

// UnmarshalText reads an instant, or how far off it is.
func (d *deadline) UnmarshalText(text []byte) error {
	if ahead, err := time.ParseDuration(string(text)); err == nil && ahead > 0 {
		*d = deadline(time.Now().Add(ahead))
		return nil
	}
	at, err := time.Parse(time.RFC3339, string(text))
	if err != nil {
		return fmt.Errorf("want a time such as 2026-04-01T10:00:00Z, or how long from now, such as 2h; not %q", text)
	}
	*d = deadline(at)
	return inReach(at)
}

// inReach fails for an instant that a broker would not read, since its year in UTC has
// five digits, and for those long gone: one of them is the zero time, which means none.
func inReach(at time.Time) error {
	if at.Unix() < 0 || at.UTC().Year() > 9999 {
		return errors.New("want a time from 1970 to 9999, in UTC")
	}
	return nil
}

// period is a part of time, by flags.
type period struct {
	Since moment `placeholder:"TIME" help:"From then on: 2026-04-01T10:00:00Z, or 24h for a day ago."`
	Until moment `placeholder:"TIME" help:"Before then."`
}

// into puts the bounds that are set into a query, as the broker calls them.
func (p period) into(q url.Values) {
	for name, at := range map[string]time.Time{"from": time.Time(p.Since), "to": time.Time(p.Until)} {
		if !at.IsZero() {
			q.Set(name, at.UTC().Format(time.RFC3339Nano))
		}
	}
}

// shown is how an instant is printed, "" for none.
func shown(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.UTC().Format(time.RFC3339)
}
