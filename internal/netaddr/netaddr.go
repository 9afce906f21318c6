// Package netaddr answers questions about network addresses.
package netaddr

import (
	"math"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// IsLoopback reports whether host is "localhost" or a loopback IP address, with or
// without a port. It resolves no names: a client that connects to "localhost" must still
// check the address that the connection is made to.
func IsLoopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"))
	return err == nil && ip.Unmap().IsLoopback()
}

// notPublic are the networks that are not part of the public Internet, besides those that
// package netip knows: shared, for tests and documentation, reserved, and those of IPv6
// that stand for an address of IPv4.
var notPublic = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("192.88.99.0/24"), netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("::/96"), netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48"),
	netip.MustParsePrefix("100::/64"), netip.MustParsePrefix("2001::/23"), netip.MustParsePrefix("2001:db8::/32"),
	netip.MustParsePrefix("2002::/16"), netip.MustParsePrefix("fec0::/10"),
}

// localNames are the last labels of names that only a local network knows.
var localNames = []string{"localhost", "local", "internal", "intranet", "lan", "home", "corp", "localdomain", "svc", "arpa", "onion"}

// IsPublic reports whether host, without a port, may be a server on the public Internet: a
// name with a public form, or a public IP address. It resolves no names: a client must
// still check the address that the connection is made to.
func IsPublic(host string) bool {
	if ip, err := netip.ParseAddr(host); err == nil {
		ip = ip.Unmap()
		inside := func(p netip.Prefix) bool { return p.Contains(ip) }
		return ip.Zone() == "" && ip.IsGlobalUnicast() && !ip.IsPrivate() && !slices.ContainsFunc(notPublic, inside)
	}
	labels := strings.Split(strings.ToLower(strings.TrimSuffix(host, ".")), ".")
	last := labels[len(labels)-1]
	// A last label that begins with a digit would make an address of IPv4 in another form.
	return len(host) <= 254 && len(labels) > 1 && !slices.Contains(localNames, last) && last[:min(1, len(last))] >= "a" &&
		!slices.ContainsFunc(labels, func(l string) bool { return !label.MatchString(l) })
}

var label = regexp.MustCompile(`^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?$`)

// Share returns which share of the addresses of the Internet, from 0 to 1, networks cover
// together: of IPv4, or of the global unicast addresses of IPv6 (2000::/3) if it is more.
func Share(networks []netip.Prefix) float64 {
	v4, v6 := cover{}, cover{shared: globalUnicast.Bits()}
	for _, p := range networks {
		switch p = Unmap(p); {
		case p.Addr().Is4():
			v4.add(p)
		case p.Overlaps(globalUnicast):
			v6.add(p)
		}
	}
	return max(v4.share(), v6.share())
}

// Unmap returns p without the bits that are not part of the network, and a network of IPv4
// in IPv6 (::ffff:10.0.0.0/104) as the one of IPv4.
func Unmap(p netip.Prefix) netip.Prefix {
	if ip := p.Addr(); ip.Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(ip.Unmap(), p.Bits()-96)
	}
	return p.Masked()
}

var globalUnicast = netip.MustParsePrefix("2000::/3")

// cover is the union of networks of one family.
type cover struct {
	shared   int // how many leading bits all addresses share
	networks []netip.Prefix
}

// add adds p, unless what is there covers it, and drops what p covers.
func (c *cover) add(p netip.Prefix) {
	covers := func(a, b netip.Prefix) bool { return a.Bits() <= b.Bits() && a.Overlaps(b) }
	if slices.ContainsFunc(c.networks, func(there netip.Prefix) bool { return covers(there, p) }) {
		return
	}
	c.networks = append(slices.DeleteFunc(c.networks, func(there netip.Prefix) bool { return covers(p, there) }), p)
}

// share adds up the networks, none of which overlap.
func (c *cover) share() float64 {
	sum := 0.0
	for _, p := range c.networks {
		sum += math.Pow(2, -float64(max(p.Bits()-c.shared, 0)))
	}
	return min(sum, 1)
}
