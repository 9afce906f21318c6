package console

import (
	"net/url"
	"path"
	"strings"
)

// home is where the console begins.
const home = "/console/"

const (
	signInPath  = home + "sign-in"
	signOutPath = home + "sign-out"
	exportPath  = home + "audit/export"
	missingPath = home + "*" // of the route for what there is no other for
)

// userLink is the page of subject, which may hold whatever text can.
func userLink(subject string) string { return home + "users/" + url.PathEscape(subject) }

// grantLink is the page of a grant.
func grantLink(grantID string) string { return home + "grants/" + url.PathEscape(grantID) }

// with returns the address at with these parameters, without those that are "".
func with(at string, pairs ...string) string {
	q := make(url.Values)
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	if len(q) == 0 {
		return at
	}
	return at + "?" + q.Encode()
}

// local returns next if it is a page of the console, and else where that begins. A
// browser reads a backslash as a slash and leaves out control characters, so an
// address with one of them is another than it seems. In the place of a file to save,
// after which a browser stays where it is, comes the page that offers it.
func local(next string) string {
	if strings.ContainsFunc(next, func(r rune) bool { return r <= ' ' || r == '\\' || r == 0x7f }) {
		return home
	}
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" || !strings.HasPrefix(next, home) {
		return home
	}
	switch at := path.Clean(u.Path); {
	case !strings.HasPrefix(at+"/", home), at == signInPath, at == signOutPath:
		return home
	case at == exportPath:
		q := u.Query()
		q.Del("format")
		return strings.TrimSuffix(home+"audit?"+q.Encode(), "?")
	}
	return next
}
