package secret

import (
	"log/slog"
	"net/url"
	"strings"
)

// URL is an address that may hold credentials. It prints without them: what stands
// before an @, and a query that speaks of a password, are hidden; a URL that cannot
// be read is hidden whole.
type URL string

// Reveal returns the whole URL.
func (u URL) Reveal() string { return string(u) }

// String hides the credentials.
func (u URL) String() string {
	parsed, err := url.Parse(string(u))
	if err != nil {
		return shown
	}
	if parsed.User != nil {
		parsed.User = url.User("hidden")
	}
	if strings.Contains(strings.ToLower(parsed.RawQuery), "password") {
		parsed.RawQuery = "hidden"
	}
	return parsed.String()
}

// GoString hides the credentials.
func (u URL) GoString() string { return u.String() }

// MarshalText hides the credentials.
func (u URL) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// UnmarshalText takes the URL as it stands.
func (u *URL) UnmarshalText(b []byte) error {
	*u = URL(b)
	return nil
}

// LogValue hides the credentials.
func (u URL) LogValue() slog.Value { return slog.StringValue(u.String()) }
