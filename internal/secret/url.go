package secret

import (
	"log/slog"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// URL is an address that may contain credentials. It prints without them: user and password
// are hidden, and so is a query with a password. Of a text that does not have the form of
// such a URL, nothing but the scheme is printed, since a password can be anywhere in it.
type URL string

// The placeholder for the user, the password and the query of a URL.
const hidden = "hidden"

var (
	// scheme is the beginning of a URL.
	scheme = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*:`)
	// location is what may follow the scheme and the credentials: hosts and a path.
	location = regexp.MustCompile(`^//` + host + `(,` + host + `)*(/[^\x00-\x20\x7f'"=:@]*)?$`)
	// secretName is the name of an option that is a secret.
	secretName = regexp.MustCompile(`(?i)pass|pwd|secret|token|key`)
	// keyValue is an option of a database in a text that is no URL: password='it\'s'.
	keyValue = regexp.MustCompile(`(?i)[a-z_]*(?:pass|pwd)[a-z_]*\s*=\s*('(?:[^'\\]|\\.)*'?|[^\s&]+)`)
)

// host is a host with an optional port, "" for the host of the default.
const host = `(\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9._-]*)(:[0-9]*)?`

// Reveal returns the whole URL.
func (u URL) Reveal() string { return string(u) }

// String hides the credentials.
func (u URL) String() string {
	if u == "" || u == "memory" {
		return string(u)
	}
	begin := scheme.FindString(string(u))
	if begin == "" {
		return placeholder
	}
	if strings.EqualFold(begin, "sqlite:") { // a file
		return string(u)
	}
	rest, query, hasQuery := strings.Cut(string(u)[len(begin):], "?")
	userinfo, at := u.userinfo()
	if at > 0 {
		rest = "//" + rest[min(at+1, len(rest)):]
	}
	if !u.WellFormed() || !location.MatchString(rest) {
		return begin + placeholder
	}
	if userinfo != "" {
		rest = "//" + hidden + "@" + strings.TrimPrefix(rest, "//")
	}
	switch {
	case !hasQuery:
		return begin + rest
	case isPublic(query):
		return begin + rest + "?" + query
	default:
		return begin + rest + "?" + hidden
	}
}

// isPublic reports whether a query has no secrets.
func isPublic(query string) bool {
	values, err := url.ParseQuery(query)
	for name, value := range values {
		if secretName.MatchString(name) || value[0] == "" {
			return false
		}
	}
	return err == nil && !strings.ContainsAny(query, "@#'\" ") && !keyValue.MatchString(query)
}

// userinfo returns the credentials in front of the host, and the index of the @ behind them
// in what follows the scheme, 0 if there are none.
func (u URL) userinfo() (string, int) {
	rest, ok := strings.CutPrefix(string(u)[len(scheme.FindString(string(u))):], "//")
	if !ok {
		return "", 0
	}
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		rest = rest[:end]
	}
	at := strings.LastIndexByte(rest, '@')
	if at < 0 {
		return "", 0
	}
	return rest[:at], len("//") + at
}

// WellFormed reports whether the credentials are where those of a URL are: with / ? # or @ in a
// password that are not percent-encoded, a part of it is taken for a host, path or query, and
// a driver may show that in its errors.
func (u URL) WellFormed() bool {
	begin := scheme.FindString(string(u))
	rest := string(u)[len(begin):]
	_, at := u.userinfo()
	location, query, _ := strings.Cut(rest[at:], "?")
	return begin != "" && strings.HasPrefix(rest, "//") && !strings.Contains(strings.TrimPrefix(location, "@"), "@") &&
		!strings.ContainsAny(query, "@#")
}

// Passwords returns the passwords, each as written and with its escapes decoded: the one in
// front of the last @, and those of options. It returns nil if there are none.
func (u URL) Passwords() []Text {
	var list []Text
	add := func(written string, decode func(string) (string, error)) {
		decoded, err := decode(written)
		if err != nil {
			decoded = written
		}
		list = append(list, Text(written), Text(decoded))
	}
	rest := string(u)[len(scheme.FindString(string(u))):]
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		if _, written, found := strings.Cut(strings.TrimPrefix(rest[:at], "//"), ":"); found {
			add(written, url.PathUnescape)
		}
	}
	for _, m := range keyValue.FindAllStringSubmatch(rest, -1) {
		if quoted, ok := strings.CutPrefix(m[1], "'"); ok {
			add(strings.TrimSuffix(quoted, "'"), func(s string) (string, error) {
				return escaped.ReplaceAllString(s, "$1"), nil
			})
			continue
		}
		add(m[1], url.QueryUnescape)
	}
	if _, query, found := strings.Cut(rest, "?"); found {
		values, _ := url.ParseQuery(query)
		for _, name := range slices.Sorted(maps.Keys(values)) {
			for _, value := range values[name] {
				if secretName.MatchString(name) && !slices.Contains(list, Text(value)) {
					list = append(list, Text(value))
				}
			}
		}
	}
	return list
}

// escaped is a character with a backslash, within quotes.
var escaped = regexp.MustCompile(`\\(.)`)

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
