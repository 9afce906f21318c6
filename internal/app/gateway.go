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

// brokerURL returns a function that returns the broker's URL for a request to host. Without
// server.public_url the browser is on this machine, and the host that it knows the broker by
// is used if it is of this machine, too; a page of another host could choose it otherwise.
func brokerURL(c config.Config) func(host string) string {
	return func(host string) string {
		switch {
		case c.Server.PublicURL != "":
			return c.Server.PublicURL
		case netaddr.IsLoopback(host):
			return "http://" + host
		default:
			return "http://" + c.Server.Address
		}
	}
}

// gatewayURL is brokerURL for the URL of the gateway.
func gatewayURL(c config.Config) func(host string) string {
	broker := brokerURL(c)
	return func(host string) string { return broker(host) + c.Gateway.Path }
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
	onDate   func(date, asked time.Time)                                         // gets the vendor's clock
	metrics  *telemetry.Metrics
	log      *slog.Logger
	now      func() time.Time
	onClose  func(func() error)
}

// usesGateway reports whether the vendor's answers pass through the broker.
func usesGateway(c config.Config) bool {
	return c.Token.Mode != config.ModeDirect || c.Compat.Has(config.CompatParse)
}

// newGateway returns the gateway. It also makes the calls of users who have no token of it.
func newGateway(c config.Config, d gatewayDeps) (*gateway.Handler, error) {
	vendor, err := gateway.NewVendor(c.Upstream.URL)
	if err != nil {
		return nil, fmt.Errorf("upstream.url: %w", err)
	}
	vendor.OnDate, vendor.Now, vendor.SendTrace = d.onDate, d.now, c.Tracing.SendToVendor
	if c.Gateway.Capture == config.CaptureOff {
		d.captures = nil
	}
	h := &gateway.Handler{
		Path: c.Gateway.Path, OnPremise: c.Upstream.OnPremise(), Features: c.Gateway.Features, Vendor: vendor, Keys: d.keys, Health: d.health, Tokens: gatewayTokens{d.box}, Access: d.access,
		Captures: d.captures, Calls: d.calls,
		Uploads:   &gateway.Uploads{PerUser: c.Gateway.MaxUploadsPerUser, All: c.Gateway.MaxUploads},
		Limit:     d.limits.Middleware(ratelimit.Upload),
		LimitFree: d.limits.Middleware(ratelimit.Read),
		Mail:      newMail(c, d),
		Owned:     d.owned, Reference: gateway.NewReference(d.box.Digest), URL: gatewayURL(c),
		CallbackHosts: c.Gateway.CallbackHosts, RedirectHosts: c.Gateway.RedirectHosts,
		Timeouts: gateway.Timeouts{
			Upload: c.Gateway.UploadTimeout, Parse: c.Gateway.ParseTimeout, OTP: c.Gateway.OTPTimeout, Other: c.Gateway.Timeout,
		},
		Log: d.log, Now: d.now, Observe: d.metrics.ObserveGateway,
	}
	d.onClose(func() error { // after the vendor's calls have ended
		h.Close()
		return nil
	})
	d.onClose(vendor.Close)
	return h, nil
}

// mountGateway mounts the gateway, unless the settings have direct tokens only.
func mountGateway(router *server.Router, c config.Config, h *gateway.Handler, d gatewayDeps) {
	if c.Token.Mode == config.ModeDirect {
		return
	}
	mountInbound(router, c, d, h.Mail)
	router.Mount(c.Gateway.Path, []server.Middleware{httpapi.InDialect(gateway.Dialect), d.limits.LimitAuthFailures(gateway.ErrToken)}, h)
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
