package cli

import (
	"errors"
	"net/url"
	"strings"
)

// named is a word that names something, "" where none was given. Nobody can give "":
// a variable of a shell that is not set would else mean everybody.
type named string

// UnmarshalText takes any text but none.
func (n *named) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		return errors.New("want a name, not nothing (a variable of the shell may be empty)")
	}
	*n = named(text)
	return nil
}

// escaped is n as a part of a path. Dots that would lead elsewhere are no names.
func (n named) escaped() string {
	if n == "." || n == ".." {
		return strings.ReplaceAll(string(n), ".", "%2E")
	}
	return url.PathEscape(string(n))
}

// path is where a broker tells of n, who is a user.
func (n named) path() string { return "/admin/v1/users/" + n.escaped() }

// is reports whether o is about n, who is a user.
func (n named) is(o outcome) bool { return o.Subject == string(n) }
