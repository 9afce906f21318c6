package ratelimit

import "net/netip"

// address returns what stands for the client address ip in counts. Of an IPv6
// address that is the /64, because one subscriber has at least that much.
func address(ip string) string {
	a, err := netip.ParseAddr(ip)
	if err != nil || a.Is4() {
		return ip
	}
	if a.Is4In6() {
		return a.Unmap().String()
	}
	network, err := a.WithZone("").Prefix(64)
	if err != nil {
		return ip
	}
	return network.String()
}
