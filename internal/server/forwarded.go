package server

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"casbroker/internal/netaddr"
)

// The reasons why X-Forwarded-For, or the rest of it, is not used.
const (
	UntrustedPeer  = "untrusted_peer"  // it comes from an address that is not a trusted proxy
	UnreadableItem = "unreadable_item" // a trusted proxy sent something else than an address
)

// headerForwarded lists the addresses that a request came through; each proxy appends one.
const headerForwarded = "X-Forwarded-For"

// warnEvery is how often the log says that X-Forwarded-For is not used, for each reason.
const warnEvery = time.Minute

// forwarded finds out from which address requests come.
type forwarded struct {
	trusted   []netip.Prefix
	log       *slog.Logger
	onIgnored func(reason string) // nil for none

	untrusted, unreadable atomic.Int64 // when the log said so, in unix nanoseconds
}

func newForwarded(o Options) *forwarded {
	f := &forwarded{log: o.Log, onIgnored: o.OnForwardedIgnored}
	for _, p := range o.TrustedProxies {
		f.trusted = append(f.trusted, netaddr.Unmap(p))
	}
	return f
}

// address returns the caller's address: that of the connection or, behind trusted proxies,
// the last one in X-Forwarded-For that is not trusted. What precedes it is the caller's word.
// reason says why the header is not used from some item on, "" if it is.
func (f *forwarded) address(r *http.Request) (address, reason string) {
	peer, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		peer = r.RemoteAddr
	}
	header := r.Header[headerForwarded]
	if len(header) == 0 {
		return peer, ""
	}
	if ip, err := netip.ParseAddr(peer); err != nil || !f.trusts(ip) {
		return peer, UntrustedPeer
	}
	address = peer
	for _, item := range slices.Backward(strings.Split(strings.Join(header, ","), ",")) {
		if item = strings.TrimSpace(item); item == "" {
			continue
		}
		ip, ok := parseForwarded(item)
		if !ok {
			return address, UnreadableItem
		}
		if address = ip.String(); !f.trusts(ip) {
			return address, ""
		}
	}
	return address, ""
}

// extract is address for Echo.
func (f *forwarded) extract(r *http.Request) string {
	address, _ := f.address(r)
	return address
}

// trusts reports whether ip is that of a trusted proxy.
func (f *forwarded) trusts(ip netip.Addr) bool {
	ip = ip.Unmap().WithZone("")
	return slices.ContainsFunc(f.trusted, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// parseForwarded reads an item of X-Forwarded-For: an address of IPv4 or IPv6, which may be
// in brackets, and a port, which some proxies add.
func parseForwarded(item string) (netip.Addr, bool) {
	ip, err := netip.ParseAddr(item)
	if err != nil {
		var withPort netip.AddrPort
		withPort, err = netip.ParseAddrPort(item)
		ip = withPort.Addr()
	}
	if inner, ok := strings.CutPrefix(item, "["); err != nil && ok {
		if inner, ok = strings.CutSuffix(inner, "]"); ok {
			ip, err = netip.ParseAddr(inner)
		}
	}
	return ip.Unmap().WithZone(""), err == nil
}

// report counts a request whose X-Forwarded-For is not used, and says so in the log, at most
// once in warnEvery for each reason. peer is the address of the connection. The log has no
// item of the header: those may be anything.
func (f *forwarded) report(ctx context.Context, reason, peer string) {
	if f.onIgnored != nil {
		f.onIgnored(reason)
	}
	said, message := &f.untrusted, "X-Forwarded-For is ignored, since the peer is not in server.trusted_proxies: "+
		"if it is your reverse proxy, add its network, or all its callers share limits and one address in the audit trail"
	if reason == UnreadableItem {
		said, message = &f.unreadable, "a proxy in server.trusted_proxies sent an X-Forwarded-For with something else than an address: "+
			"the address of the proxy is used for the caller's"
	}
	now, last := time.Now().UnixNano(), said.Load()
	if (last == 0 || now-last >= int64(warnEvery)) && said.CompareAndSwap(last, now) {
		f.log.WarnContext(ctx, message, "peer", peer)
	}
}
