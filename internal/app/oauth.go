package app

import (
	"net/url"

	"casbroker/internal/admin/oauth"
	"casbroker/internal/config"
	"casbroker/internal/netaddr"
)

// metadataHandler returns the handler that describes the OAuth endpoints. Without
// server.public_url only callers on this machine get the description: others could choose
// the host in it.
func metadataHandler(c config.Config) *oauth.MetadataHandler {
	broker := brokerURL(c)
	h := &oauth.MetadataHandler{URL: func(host string) string {
		if c.Server.PublicURL == "" && !netaddr.IsLoopback(host) {
			return ""
		}
		return broker(host)
	}}
	if u, err := url.Parse(c.Server.PublicURL); err == nil {
		h.Below = u.EscapedPath()
	}
	h.NoTokens = c.Upstream.OnPremise()
	if c.Token.Mode != config.ModeDirect {
		h.Scopes = gatewayFeatures(c.Gateway).Names()
	}
	return h
}
