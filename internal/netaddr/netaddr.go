// Package netaddr answers questions about network addresses.
package netaddr

import (
	"net"
	"net/netip"
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
