package session

import (
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"casbroker/internal/netaddr"
	"casbroker/internal/secret"
)

const (
	// baseName is what the names of session cookies have in common.
	baseName = "casbroker_session"
	// hostPrefix has browsers refuse a cookie that another host of the domain sets, or a
	// connection without TLS (RFC 6265bis, section 4.1.3.2).
	hostPrefix = "__Host-"

	// maxCookies bounds the cookies of a request that are looked up.
	maxCookies = 10
	// maxSegments bounds the paths at which a planted cookie is cleared.
	maxSegments = 4
)

// IsCookie reports whether name is one that the session cookie can have.
func IsCookie(name string) bool {
	rest, found := strings.CutPrefix(strings.TrimPrefix(name, hostPrefix), baseName)
	return found && (rest == "" || rest[0] == '_' && strings.Trim(rest[1:], "0123456789") == "")
}

// cookieName returns the name of the session cookie at host, secure if it is sent by TLS only.
// Browsers send the cookies of a machine to all its ports, so that on loopback, where several
// brokers may run, the port is part of the name.
func cookieName(host string, secure bool) string {
	name := baseName
	if port := (&url.URL{Host: host}).Port(); port != "" && isLoopback(host) {
		name += "_" + port
	}
	if secure {
		name = hostPrefix + name
	}
	return name
}

// acceptedNames returns the names of the cookies that may authenticate r. Whether the browser
// reached a broker on loopback by TLS, through a proxy, is known for some requests only.
func acceptedNames(r *http.Request) []string {
	names := []string{cookieName(r.Host, true)}
	if isLoopback(r.Host) {
		names = append(names, cookieName(r.Host, false))
	}
	return names
}

// cookiesOf returns the session cookies of r that have a token. There are several if something
// else on the machine, or with an old browser another host of the domain, has set one of the same
// name: which one is right only shows when they are looked up.
func cookiesOf(r *http.Request) (cookies []*http.Cookie) {
	for _, name := range acceptedNames(r) {
		for _, cookie := range r.CookiesNamed(name) {
			if cookie.Value != "" && len(cookies) < maxCookies {
				cookies = append(cookies, cookie)
			}
		}
	}
	return cookies
}

// newCookie returns the session cookie for the answer to r, which the browser keeps until it is
// closed. A link on a page of another site opens with it; a form does not.
func newCookie(r *http.Request, token secret.Text) *http.Cookie {
	secure := !isLoopback(r.Host) || strings.HasPrefix(r.Header.Get("Origin"), "https://")
	return &http.Cookie{ //nolint:gosec // not Secure on loopback, which works without TLS
		Name: cookieName(r.Host, secure), Value: token.Reveal(), Path: "/",
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: secure,
	}
}

// expired returns a cookie that has the browser delete the one of that name, domain and path. "" is
// the host itself as the domain.
func expired(name, domain, path string) *http.Cookie {
	return &http.Cookie{ //nolint:gosec // a cookie on loopback is not Secure
		Name: name, Domain: domain, Path: path, MaxAge: -1,
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: strings.HasPrefix(name, hostPrefix),
	}
}

// clearCookies has the browser delete the session cookies that it sent with r, except for the one
// of that name for the whole host, which is in use; "" keeps none.
func clearCookies(w http.ResponseWriter, r *http.Request, inUse string) {
	accepted := acceptedNames(r)
	for _, name := range []string{cookieName(r.Host, true), cookieName(r.Host, false)} {
		sent := len(r.CookiesNamed(name))
		if sent > 0 && name != inUse {
			http.SetCookie(w, expired(name, "", "/"))
		}
		if sent > 1 || sent == 1 && !slices.Contains(accepted, name) {
			clearPlanted(w, r, name)
		}
	}
}

// clearPlanted has the browser delete the cookies of that name that a request like r brings and
// that newCookie does not make: of a path below "/", or of a whole domain.
func clearPlanted(w http.ResponseWriter, r *http.Request, name string) {
	paths := []string{"/"}
	at := ""
	for segment := range strings.SplitSeq(strings.Trim(r.URL.EscapedPath(), "/"), "/") {
		if segment == "" || len(paths) > 2*maxSegments {
			break
		}
		at += "/" + segment
		paths = append(paths, at, at+"/")
	}
	for _, path := range paths[1:] {
		http.SetCookie(w, expired(name, "", path))
	}
	if isLoopback(r.Host) {
		return
	}
	domain := (&url.URL{Host: r.Host}).Hostname()
	if _, err := netip.ParseAddr(domain); err == nil {
		return
	}
	for strings.Contains(domain, ".") {
		for _, path := range paths {
			http.SetCookie(w, expired(name, domain, path))
		}
		_, domain, _ = strings.Cut(domain, ".")
	}
}

// isLoopback reports whether a browser takes host, with or without a port, for this
// machine: browsers resolve every name below localhost to it.
func isLoopback(host string) bool {
	name := strings.ToLower((&url.URL{Host: host}).Hostname())
	return netaddr.IsLoopback(host) || strings.HasSuffix(name, ".localhost")
}
