package netaddr

import (
	"net/url"
	"regexp"
	"strings"
)

// originHost is the host of an origin in ASCII, with or without a port.
var originHost = regexp.MustCompile(`^([A-Za-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]+)?$`)

// defaultPorts are those that browsers leave out of origins.
var defaultPorts = map[string]string{"http": ":80", "https": ":443"}

// Origin returns the origin that text means as browsers send it: scheme://host or
// scheme://host:port, in lower case, without the default port of http and https. It takes a
// slash at the end, and any scheme: apps send capacitor://localhost. ok is false for all else,
// such as "null", a path, a wildcard, or a host that is not in ASCII.
func Origin(text string) (origin string, ok bool) {
	u, err := url.Parse(text)
	if err != nil {
		return "", false
	}
	if _, rest, _ := strings.Cut(text, "://"); strings.TrimSuffix(rest, "/") != u.Host { // there is more
		return "", false
	}
	host, _ := strings.CutSuffix(u.Host, ":")
	if port, ok := defaultPorts[u.Scheme]; ok {
		host = strings.TrimSuffix(strings.ToLower(host), port)
	}
	if !originHost.MatchString(host) {
		return "", false
	}
	return u.Scheme + "://" + host, true
}
