package secret

import (
	"log/slog"
	"net/url"
	"strings"
)

// URL is an address that may contain credentials. It prints without them: everything
// between the scheme and the last @ is hidden, and so is a query that mentions a
// password.
type URL string

// Reveal returns the whole URL.
func (u URL) Reveal() string { return string(u) }

// String hides the credentials. It searches the text instead of parsing it, because
// a password that is not escaped can turn the URL into something else.
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

// Passwords returns the password in front of the last @ twice, as written and with
// its escapes decoded. It returns nil if there is no password.
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
	decoded, err := url.PathUnescape(written)
	if err != nil {
		decoded = written
	}
	return []Text{Text(written), Text(decoded)}
}

// GoString hides the credentials.
func (u URL) GoString() string { return u.String() }

// MarshalText hides the credentials.
func (u URL) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// UnmarshalText reads the whole URL.
func (u *URL) UnmarshalText(b []byte) error {
	*u = URL(b)
	return nil
}

// LogValue hides the credentials.
func (u URL) LogValue() slog.Value { return slog.StringValue(u.String()) }
