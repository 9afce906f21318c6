package app

import (
	"context"
	"net/url"

	"casbroker/internal/admin/oauth"
	"casbroker/internal/admin/session"
	"casbroker/internal/auth"
	"casbroker/internal/config"
	"casbroker/internal/netaddr"
	"casbroker/internal/secret"
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

// oauthClient returns a function that authenticates OAuth clients by the keys of services and
// operators.
func oauthClient(callers *auth.Authenticator, sessions *session.Service) func(ctx context.Context, name string, key secret.Text, reserve func() error) (*auth.Principal, error) {
	return func(ctx context.Context, name string, key secret.Text, reserve func() error) (*auth.Principal, error) {
		if session.IsKey(key) {
			return sessions.ByKey(ctx, name, key, reserve)
		}
		return callers.ByServiceKey(name, key)
	}
}
