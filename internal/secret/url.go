package secret

import (
	"log/slog"
	"net/url"
	"strings"
)

// URL is an address that may hold credentials. It prints without them: what stands
// before the last @ is hidden, and so is a query that speaks of a password.
type URL string

// Reveal returns the whole URL.
func (u URL) Reveal() string { return string(u) }

// String hides the credentials. It goes by the text alone, for a password that was
// not escaped makes of the URL whatever it likes.
func (u URL) String() string {
	scheme, rest, _ := strings.Cut(string(u), ":")
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		rest = "//hidden" + rest[at:]
	}
	if before, query, found := strings.Cut(rest, "?"); found && strings.Contains(strings.ToLower(query), "password") {
		rest = before + "?hidden"
	}
	return strings.TrimSuffix(scheme+":"+rest, ":")
}

// Passwords returns what stands as a password before the last @, as it is written
// and as it is meant; nothing when there is none.
func (u URL) Passwords() []Text {
	_, rest, _ := strings.Cut(string(u), ":")
	at := strings.LastIndexByte(rest, '@')
	if at < 0 {
		return nil
	}
	_, written, found := strings.Cut(strings.TrimPrefix(rest[:at], "//"), ":")
	if !found {
		return nil
	}
	meant, err := url.PathUnescape(written)
	if err != nil {
		meant = written
	}
	return []Text{Text(written), Text(meant)}
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
