package cli

import (
	"errors"
	"net/url"
	"strings"
)

// name is a non-empty name in a flag or argument; "" if it was not given. An explicit "" is
// refused, because an unset variable of a shell would mean all users otherwise.
type name string

// UnmarshalText accepts any text except "".
func (n *name) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		return errors.New("want a name, not an empty one (a shell variable may be unset)")
	}
	*n = name(text)
	return nil
}

// escaped returns n as a path segment; . and .. are escaped too.
func (n name) escaped() string {
	if n == "." || n == ".." {
		return strings.ReplaceAll(string(n), ".", "%2E")
	}
	return url.PathEscape(string(n))
}

// path returns the path of the user n at a broker.
func (n name) path() string { return "/admin/v1/users/" + n.escaped() }

// isSubject reports whether r is about the user n.
func (n name) isSubject(r result) bool { return r.Subject == string(n) }
