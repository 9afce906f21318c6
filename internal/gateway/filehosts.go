package gateway

import (
	"net/url"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"

	"casbroker/internal/netaddr"
)

// FileHosts are the hosts on which the vendor has the files that it reports.
type FileHosts struct {
	hosts []string // in lower case, with a port if it is not 443; "*." stands for all hosts below a domain
	local string   // the port of a vendor on this machine, whose files may have http; "" for none
}

// NewFileHosts returns these hosts. Without any, they are the registrable domain of the
// vendor's address and all hosts below it: casparser.in and *.casparser.in for
// "https://api.casparser.in". A vendor on this machine has its files at its own port.
func NewFileHosts(hosts []string, vendor string) FileHosts {
	f := FileHosts{hosts: hosts}
	u, err := url.Parse(vendor)
	if err != nil {
		return f
	}
	if netaddr.IsLoopback(u.Host) {
		f.local = ":" + u.Port()
		return f
	}
	if len(hosts) == 0 {
		f.hosts = []string{strings.ToLower(u.Hostname())}
		if domain, err := publicsuffix.EffectiveTLDPlusOne(f.hosts[0]); err == nil {
			f.hosts = []string{domain, "*." + domain}
		}
	}
	return f
}

// hostPattern is the form of a host's name, in lower case.
var hostPattern = regexp.MustCompile(`^[a-z0-9-]+(\.[a-z0-9-]+)*$`)

// Allow reports whether text is a URL of one of the hosts.
func (f FileHosts) Allow(text string) bool {
	u, err := url.Parse(text)
	if err != nil || u.User != nil || u.Opaque != "" || u.Fragment != "" {
		return false
	}
	if u.Scheme == "http" {
		return f.local == ":"+u.Port() && netaddr.IsLoopback(u.Host)
	}
	host := strings.TrimSuffix(strings.ToLower(u.Host), ":443")
	name, _, _ := strings.Cut(host, ":")
	if u.Scheme != "https" || !hostPattern.MatchString(name) {
		return false
	}
	return slices.ContainsFunc(f.hosts, func(allowed string) bool {
		if below, ok := strings.CutPrefix(allowed, "*"); ok { // ".casparser.in"
			return strings.HasSuffix(host, below) && len(host) > len(below)
		}
		return host == allowed
	})
}

// hostOf returns the host of a URL, "" if there is none.
func hostOf(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	return u.Host
}
