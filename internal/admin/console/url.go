package console

import (
	"net/url"
	"path"
	"strings"
)

// home is the path of the first page; all others begin with it.
const home = "/console/"

const (
	assetsPath   = home + "assets/"
	signInPath   = home + "sign-in"
	signOutPath  = home + "sign-out"
	exportPath   = home + "audit/export"
	catchAllPath = home + "*"
)

// userURL returns the URL of the page of subject, which may be any text.
func userURL(subject string) string { return home + "users/" + url.PathEscape(subject) }

// grantURL returns the URL of the page of a grant.
func grantURL(grantID string) string { return home + "grants/" + url.PathEscape(grantID) }

// withQuery returns the URL at path with these parameters, without empty ones.
func withQuery(path string, pairs ...string) string {
	q := make(url.Values)
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

// safeNext returns next if it is a page of the console, home otherwise. Browsers read a
// backslash as a slash and drop control characters, so a URL with one of them may lead
// elsewhere. A download, after which a browser stays on its page, is replaced by the page
// that offers it.
func safeNext(next string) string {
	if strings.ContainsFunc(next, func(r rune) bool { return r <= ' ' || r == '\\' || r == 0x7f }) {
		return home
	}
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" || !strings.HasPrefix(next, home) {
		return home
	}
	switch clean := path.Clean(u.Path); {
	case !strings.HasPrefix(clean+"/", home), clean == signInPath, clean == signOutPath:
		return home
	case clean == exportPath:
		q := u.Query()
		q.Del("format")
		return strings.TrimSuffix(home+"audit?"+q.Encode(), "?")
	}
	return next
}
