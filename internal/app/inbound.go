package app

import (
	"cmp"
	"slices"
	"strings"

	"casbroker/internal/config"
	"casbroker/internal/gateway"
	"casbroker/internal/netaddr"
	"casbroker/internal/ratelimit"
	"casbroker/internal/server"
)

// takesCallbacks reports whether the vendor can report files of forwarding addresses: it
// calls https only, unless it is on this machine.
func takesCallbacks(c config.Config) bool {
	secure := strings.HasPrefix(cmp.Or(c.Inbound.URL, c.Server.PublicURL), "https:")
	return c.Inbound.Path != "" && slices.Contains(c.Gateway.Features, config.FeatureInboundEmail) && (secure || c.Upstream.IsLocal())
}

// callbackURL returns a function that returns the URL, without its secret, at which the
// vendor reports files. host is that of the request that makes a forwarding address.
func callbackURL(c config.Config) func(host string) string {
	return func(host string) string {
		base := cmp.Or(c.Inbound.URL, c.Server.PublicURL)
		if base == "" && netaddr.IsLoopback(host) {
			base = "http://" + host
		}
		if base == "" || !takesCallbacks(c) {
			return ""
		}
		return base + c.Inbound.Path
	}
}

// newMail returns what answers polls.
func newMail(c config.Config, d gatewayDeps) *gateway.Mail {
	return &gateway.Mail{
		Store: d.mail, PollEvery: c.Gateway.PollEvery, CallbackURL: callbackURL(c), Charge: d.charge, ObservePoll: d.metrics.CountMailPoll, Now: d.now,
	}
}

// mountInbound mounts the route of the vendor's callbacks, if there is one.
func mountInbound(router *server.Router, c config.Config, d gatewayDeps, mail *gateway.Mail) {
	if !takesCallbacks(c) {
		return
	}
	chain := []server.Middleware{d.limits.LimitAuthFailures(gateway.ErrNoCallback), d.limits.Middleware(ratelimit.Read)}
	router.Mount(c.Inbound.Path, chain, &gateway.Inbound{
		Mail: mail, Reference: gateway.NewReference(d.box.Digest), FileHosts: gateway.NewFileHosts(c.Inbound.FileHosts, c.Upstream.URL),
		Observe: d.metrics.CountCallback,
	})
}
