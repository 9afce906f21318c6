package app

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"casbroker/internal/config"
	"casbroker/internal/gateway"
	"casbroker/internal/httpapi"
	"casbroker/internal/netaddr"
	"casbroker/internal/ratelimit"
	"casbroker/internal/secret"
	"casbroker/internal/server"
	"casbroker/internal/telemetry"
	"casbroker/internal/token"
)

// tokenModes returns the modes that a request for a token may ask for, the default first.
func tokenModes(mode string) []token.Mode {
	switch mode {
	case config.ModeGateway:
		return []token.Mode{token.ModeGateway}
	case config.ModeBoth:
		return []token.Mode{token.ModeDirect, token.ModeGateway}
	default:
		return []token.Mode{token.ModeDirect}
	}
}

// gatewayURL returns a function that returns the URL of the gateway for a request to host.
// Without server.public_url the browser is on this machine, and the host that it knows the
// broker by is used if it is of this machine, too; a page of another host could choose it
// otherwise.
func gatewayURL(c config.Config) func(host string) string {
	public := c.Server.PublicURL + c.Gateway.Path
	return func(host string) string {
		switch {
		case c.Server.PublicURL != "":
			return public
		case netaddr.IsLoopback(host):
			return "http://" + host + c.Gateway.Path
		default:
			return "http://" + c.Server.Address + c.Gateway.Path
		}
	}
}

// gatewayFeatures returns the features of the settings, which Check has found valid.
func gatewayFeatures(c config.Gateway) token.Features {
	features, _ := token.ParseFeatures(c.Features)
	return features
}

// gatewayDeps are what the gateway uses.
type gatewayDeps struct {
	keys     gateway.Keys
	health   gateway.Health
	box      *secret.Box
	access   gateway.AccessPolicy
	owned    gateway.Ownership
	mail     gateway.MailStore
	limits   *ratelimit.Limiter
	captures gateway.Captures
	calls    gateway.Calls
	charge   func(ctx context.Context, subject, mail string, at time.Time) error // records a mail that arrived
	metrics  *telemetry.Metrics
	log      *slog.Logger
	now      func() time.Time
	onClose  func(func() error)
}

// mountGateway mounts the gateway, unless the settings have direct tokens only.
func mountGateway(router *server.Router, c config.Config, d gatewayDeps) error {
	if c.Token.Mode == config.ModeDirect {
		return nil
	}
	vendor, err := gateway.NewVendor(c.Upstream.URL)
	if err != nil {
		return fmt.Errorf("upstream.url: %w", err)
	}
	chain := []server.Middleware{httpapi.InDialect(gateway.Dialect), d.limits.LimitAuthFailures(gateway.ErrToken)}
	if c.Gateway.Capture == config.CaptureOff {
		d.captures = nil
	}
	mail := newMail(c, d)
	mountInbound(router, c, d, mail)
	h := &gateway.Handler{
		Path: c.Gateway.Path, Features: c.Gateway.Features, Vendor: vendor, Keys: d.keys, Health: d.health, Tokens: gatewayTokens{d.box}, Access: d.access,
		Captures: d.captures, Calls: d.calls,
		Uploads:   &gateway.Uploads{PerUser: c.Gateway.MaxUploadsPerUser, All: c.Gateway.MaxUploads},
		Limit:     d.limits.Middleware(ratelimit.Upload),
		LimitFree: d.limits.Middleware(ratelimit.Read),
		Mail:      mail,
		Owned:     d.owned, Reference: gateway.NewReference(d.box.Digest), URL: gatewayURL(c),
		CallbackHosts: c.Gateway.CallbackHosts, RedirectHosts: c.Gateway.RedirectHosts,
		Timeouts: gateway.Timeouts{
			Upload: c.Gateway.UploadTimeout, Parse: c.Gateway.ParseTimeout, OTP: c.Gateway.OTPTimeout, Other: c.Gateway.Timeout,
		},
		Log: d.log, Now: d.now, Observe: d.metrics.ObserveGateway,
	}
	router.Mount(c.Gateway.Path, chain, h)
	d.onClose(func() error { // after the vendor's calls have ended
		h.Close()
		return nil
	})
	d.onClose(vendor.Close)
	return nil
}

// gatewayTokens opens the tokens of package token for the gateway.
type gatewayTokens struct{ box *secret.Box }

// Open returns what a token says.
func (g gatewayTokens) Open(value string) (gateway.Token, error) {
	t, err := token.OpenGatewayToken(g.box, value)
	if err != nil {
		return gateway.Token{}, err
	}
	return gateway.Token{
		Subject: t.Subject, GrantID: t.GrantID, ExpiresAt: t.ExpiresAt, Version: t.Version, Features: t.Features.Names(),
	}, nil
}
