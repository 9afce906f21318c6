package config

import (
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"casbroker/internal/check"
	"casbroker/internal/netaddr"
	"casbroker/internal/secret"
)

// Validate returns all errors in the settings at once, each beginning with its key.
func (c *Config) Validate() error {
	var wrong check.Errors
	c.Server.validate(&wrong)
	c.Log.validate(&wrong)
	c.Tracing.validate(&wrong)
	c.Upstream.validate(&wrong, c.Auth.Verifiers)
	c.Token.validate(&wrong)
	c.validateOffers(&wrong)
	c.Gateway.validate(&wrong)
	c.Inbound.validate(&wrong, c.Token.Mode, c.Gateway, c.Upstream)
	c.Link.validate(&wrong, c.Token.Mode)
	reachable := c.Server.PublicURL != "" || netaddr.IsLoopback(c.Server.Address)
	wrong.Require(reachable || c.Token.Mode == ModeDirect, "server.public_url",
		"required with token.mode %s: the URL at which browsers reach the broker, such as https://broker.example", c.Token.Mode)
	c.validateSecrets(&wrong)
	c.validateBudgets(&wrong)
	c.Webhooks.validate(&wrong)
	c.Access.validate(&wrong)
	c.Cache.validate(&wrong)
	c.Store.validate(&wrong)
	c.Seal.validate(&wrong)
	wrong.Require(c.Auth.CacheSize >= 0 && c.Auth.CacheSize <= 1<<30, "auth.cache_size", "want 0 to 1GiB")
	c.Portfolio.validate(&wrong)
	c.Statements.validate(&wrong)
	c.validateCompat(&wrong)
	c.Audit.validate(&wrong)
	c.Retention.validate(&wrong)
	c.Web.validate(&wrong)
	return wrong.Join()
}

// integrity matches the value of a script's attribute integrity with one hash or more.
var integrity = regexp.MustCompile(`^sha(256|384|512)-[A-Za-z0-9+/]+={0,2}( sha(256|384|512)-[A-Za-z0-9+/]+={0,2})*$`)

func (w Web) validate(wrong *check.Errors) {
	if w.WidgetURL != "" || !w.StandIn {
		wrong.URL("web.widget_url", w.WidgetURL)
	}
	wrong.Require(w.WidgetIntegrity == "" || integrity.MatchString(w.WidgetIntegrity), "web.widget_integrity",
		"want the attribute of a script, such as sha384-… with the hash in base64")
	wrong.Require(w.WidgetIntegrity == "" || w.WidgetURL != WidgetURL, "web.widget_integrity",
		"needs web.widget_url with an exact version: the default follows the vendor's releases, whose hash changes")
}

func (s Server) validate(wrong *check.Errors) {
	wrong.Require(isAddress(s.Address), "server.address", "want host:port, such as 127.0.0.1:8080 or :8080")
	if s.MetricsAddress != "" {
		wrong.Require(isAddress(s.MetricsAddress), "server.metrics_address", "want host:port, such as 127.0.0.1:9090")
		wrong.Require(s.MetricsAddress != s.Address, "server.metrics_address", "want an address different from server.address")
	}
	if s.PublicURL != "" {
		wrong.URL("server.public_url", s.PublicURL)
		wrong.Require(!strings.HasSuffix(s.PublicURL, "/"), "server.public_url", "want no slash at the end")
	}
	s.validateProxies(wrong)
	s.validateOrigins(wrong)
	for _, timeout := range []struct {
		key   string
		value time.Duration
	}{
		{"read_header_timeout", s.ReadHeaderTimeout},
		{"read_timeout", s.ReadTimeout},
		{"write_timeout", s.WriteTimeout},
		{"idle_timeout", s.IdleTimeout},
		{"body_grace", s.BodyGrace},
		{"drain_timeout", s.DrainTimeout},
	} {
		wrong.Require(timeout.value > 0, "server."+timeout.key, "want a positive duration such as 30s")
	}
	wrong.Require(s.MinBodyRate >= 0 && s.MinBodyRate <= 1<<20, "server.min_body_rate", "want 0 to 1MiB")
	wrong.Require(s.DrainDelay >= 0, "server.drain_delay", "want 0s or more")
}

// maxProxyShare is the greatest share of the Internet that trusted proxies may have. No
// operator has a 16th of it.
const maxProxyShare = 1.0 / 16

func (s Server) validateProxies(wrong *check.Errors) {
	var networks []netip.Prefix
	for i, network := range s.TrustedProxies {
		prefix, err := netip.ParsePrefix(network)
		wrong.Require(err == nil, fmt.Sprintf("server.trusted_proxies[%d]", i), "want a network such as 10.0.0.0/8, or 10.0.0.1/32 for one address")
		if err == nil {
			networks = append(networks, prefix)
		}
	}
	share := netaddr.Share(networks)
	wrong.Require(share < maxProxyShare, "server.trusted_proxies",
		"together these networks are %.0f%% of the Internet, so that any caller could choose the address that is recorded and limited; want those of your proxies", 100*share)
}

// isAddress reports whether address has the form host:port.
func isAddress(address string) bool {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	_, err = strconv.ParseUint(port, 10, 16)
	return err == nil
}

func (l Log) validate(wrong *check.Errors) {
	wrong.Require(new(slog.LevelVar).UnmarshalText([]byte(l.Level)) == nil, "log.level", "want debug, info, warn or error, not %q", l.Level)
	wrong.Require(l.Sample >= 1, "log.sample", "want 1 for a line for each request, or more, not %d", l.Sample)
	wrong.Require(l.Slow > 0, "log.slow", "want more than 0s, not %s", l.Slow)
	wrong.Require(slices.Contains([]string{"json", "text"}, l.Format), "log.format", "want json or text, not %q", l.Format)
}

func (u Upstream) validate(wrong *check.Errors, verifiers []Verifier) {
	if u.OnPremise() {
		u.validateOnPremise(wrong)
	} else {
		wrong.Require(u.Kind == KindCloud, "upstream.kind", "want cloud or on_premise, not %q", u.Kind)
		u.validateCloud(wrong)
		u.validateKeys(wrong, verifiers)
	}
	_, err := ParsePercent(u.SwitchAt)
	wrong.Require(err == nil, "upstream.switch_at", "%v", err)
	switch {
	case u.CreditsEvery != 0 && (u.CreditsEvery < time.Minute || u.CreditsEvery > 24*time.Hour):
		wrong.Add("upstream.credits_every", "want 1m to 24h, or 0s for never")
	case u.CreditsEvery == 0 && u.SwitchAt != "":
		wrong.Add("upstream.credits_every", "upstream.switch_at needs it; want 1m to 24h")
	}
	wrong.Require(u.Timeout > 0, "upstream.timeout", "want a positive duration")
	wrong.Require(u.Deadline >= u.Timeout, "upstream.deadline", "want at least upstream.timeout, %s", u.Timeout)
	wrong.Require(u.Attempts >= 1 && u.Attempts <= 10, "upstream.attempts", "want 1 to 10, not %d", u.Attempts)
}

// validateCloud checks the address of the vendor's API. Plain http would show the API key and
// statements to the network, so it needs AllowHTTP, which no public host can have.
func (u Upstream) validateCloud(wrong *check.Errors) {
	parsed, err := url.Parse(u.URL)
	switch {
	case u.AllowHTTP == "":
	case netaddr.IsPublic(u.AllowHTTP):
		wrong.Add("upstream.allow_http", "want a host of a private network, such as sandbox: plain http to %s would show API keys and statements", u.AllowHTTP)
		return
	case err != nil || parsed.Hostname() != u.AllowHTTP:
		wrong.Add("upstream.allow_http", "want the host of upstream.url, without its port; leave it out with another host than %s", u.AllowHTTP)
		return
	case parsed.Scheme == "http":
		parsed.Scheme = "https" // for the other checks
		wrong.URL("upstream.url", parsed.String())
		return
	}
	wrong.URL("upstream.url", u.URL)
}

func (t Token) validate(wrong *check.Errors) {
	known := slices.Contains([]string{ModeDirect, ModeGateway, ModeBoth}, t.Mode)
	wrong.Require(known, "token.mode", "want direct, gateway or both, not %q", t.Mode)
	whole := t.Lifetime%time.Minute == 0
	wrong.Require(whole && t.Lifetime >= time.Minute && t.Lifetime <= time.Hour, "token.lifetime", "want whole minutes from 1m to 60m, not %s", t.Lifetime)
	wrong.Require(t.MinRemaining >= 0 && t.MinRemaining <= t.Lifetime/2, "token.min_remaining", "want 0s (which means half of the lifetime) to half of token.lifetime, not %s", t.MinRemaining)
	most := poolPerMinute * int(max(t.Lifetime, time.Minute)/time.Minute)
	wrong.Require(t.Pool >= 0 && t.Pool <= most, "token.pool", "want 0 to %d with this token.lifetime, not %d", most, t.Pool)
	wrong.Require(t.Pool <= 0 || t.Mode != ModeGateway, "token.pool", "want 0 with token.mode gateway: tokens of the gateway need no call to the vendor")
}

// poolPerMinute is the greatest token.pool for each minute of token.lifetime. A token of the
// pool is minted four times in a lifetime, so a pool costs at most 8 of the account's 60
// requests a minute while nobody takes tokens.
const poolPerMinute = 2

// gatewayPath is the form of gateway.path: no other spelling of it is the same path.
var gatewayPath = regexp.MustCompile(`^(/[a-z0-9-]+)+$`)

// reservedPaths are the first parts of paths that the broker serves itself.
var reservedPaths = []string{"v1", "admin", "oauth", "console", "demo", "connect.js", "connect", "docs", "llms.txt", "widget", "healthz", "readyz", "metrics", "openapi.yaml", "problems"}

// hostPattern is the form of a host with an optional port, as it is in a URL.
var hostPattern = regexp.MustCompile(`^([a-z0-9-]+(\.[a-z0-9-]+)*|\[[0-9a-f:.]+\])(:[0-9]{1,5})?$`)

func requireHosts(wrong *check.Errors, key string, hosts []string) {
	for i, host := range hosts {
		wrong.Require(hostPattern.MatchString(host), fmt.Sprintf("%s[%d]", key, i),
			"want a host in lower case, with its port if the address has one, such as app.example, not %q", host)
	}
}

func (g Gateway) validate(wrong *check.Errors) {
	first, _, _ := strings.Cut(strings.TrimPrefix(g.Path, "/"), "/")
	wrong.Require(gatewayPath.MatchString(g.Path), "gateway.path", "want a path such as /gateway, of a-z, 0-9, - and /, without a slash at the end")
	wrong.Require(!slices.Contains(reservedPaths, first), "gateway.path", "want another path than /%s, which the broker uses itself", first)
	for i, feature := range g.Features {
		known := slices.Contains(GatewayFeatures(), feature)
		wrong.Require(known, fmt.Sprintf("gateway.features[%d]", i), "want one of %s, not %q", strings.Join(GatewayFeatures(), ", "), feature)
	}
	wrong.Require(g.Capture == CaptureSave || g.Capture == CaptureMatch || g.Capture == CaptureOff, "gateway.capture",
		"want save, match or off, not %q", g.Capture)
	wrong.Require(len(g.Features) > 0, "gateway.features", "want at least one of %s", strings.Join(GatewayFeatures(), ", "))
	requireHosts(wrong, "gateway.callback_hosts", g.CallbackHosts)
	requireHosts(wrong, "gateway.redirect_hosts", g.RedirectHosts)
	wrong.Require(len(g.RedirectHosts) > 0 || !slices.Contains(g.Features, FeatureInbox), "gateway.redirect_hosts",
		"required for the feature inbox: the hosts of the pages that connect mailboxes")
	requireTimeout := func(key string, d time.Duration) {
		wrong.Require(d >= time.Second && d <= 10*time.Minute, key, "want 1s to 10m, not %s", d)
	}
	requireTimeout("gateway.upload_timeout", g.UploadTimeout)
	requireTimeout("gateway.parse_timeout", g.ParseTimeout)
	requireTimeout("gateway.otp_timeout", g.OTPTimeout)
	requireTimeout("gateway.timeout", g.Timeout)
	wrong.Require(g.Queue >= 0 && g.Queue <= 30*time.Second, "gateway.queue", "want 0s to 30s, not %s", g.Queue)
	wrong.Require(g.PollEvery >= minPollEvery && g.PollEvery <= maxPollEvery, "gateway.poll_every", "want %s to %s, not %s", minPollEvery, maxPollEvery, g.PollEvery)
	wrong.Require(g.MaxUploads >= 0, "gateway.max_uploads", "want 0 (no bound) or more")
	wrong.Require(g.MaxUploadsPerUser >= 0, "gateway.max_uploads_per_user", "want 0 (no bound) or more")
}

func (a Access) validate(wrong *check.Errors) {
	wrong.Require(a.Poll >= 100*time.Millisecond && a.Poll <= time.Minute, "access.poll", "want 100ms to 1m, not %s", a.Poll)
	wrong.Require(a.MaxStaleness >= 2*a.Poll && a.MaxStaleness <= time.Hour, "access.max_staleness",
		"want at least twice access.poll and at most 1h, not %s", a.MaxStaleness)
	known := slices.Contains([]string{WhenStaleRefuse, WhenStaleServe}, a.WhenStale)
	wrong.Require(known, "access.when_stale", "want refuse or serve, not %q", a.WhenStale)
	known = slices.Contains([]string{BlockCoversEverything, BlockCoversTokens}, a.BlockCovers)
	wrong.Require(known, "access.block_covers", "want everything or tokens, not %q", a.BlockCovers)
}

// cacheSchemes are the URL schemes of caches: in the process, one Redis server, a
// cluster, servers behind Sentinel, or a socket of this machine; all but the last also with TLS.
var cacheSchemes = []string{
	"memory", "redis", "rediss", "redis+cluster", "rediss+cluster", "redis+sentinel", "rediss+sentinel", "unix",
}

// keyPrefix has no characters that mean something in keys of a cluster ({ }) or in the rules of a
// Redis user (* ? [ ] \). The colon at its end keeps one prefix from being the beginning of another's
// last word.
var keyPrefix = regexp.MustCompile(`^[A-Za-z0-9._-][A-Za-z0-9._:-]{0,30}:$`)

func (c Cache) validate(wrong *check.Errors) {
	scheme, rest, _ := strings.Cut(c.URL.Reveal(), ":")
	known := slices.Contains(cacheSchemes, scheme) && (scheme == "memory") == (rest == "") && (scheme == "memory" || strings.HasPrefix(rest, "//"))
	wrong.Require(known, "cache.url", "want memory or redis://<host>:<port>/<number>")
	wrong.Require(!known || scheme == "memory" || c.URL.WellFormed(), "cache.url", wantEncoded)
	wrong.Require(keyPrefix.MatchString(c.KeyPrefix), "cache.key_prefix", "want at most 32 letters, digits and . _ - with a colon at the end, such as cb-staging:")
	for _, file := range [][2]string{{"cache.tls_ca_file", c.TLSCAFile}, {"cache.tls_cert_file", c.TLSCertFile}, {"cache.tls_key_file", c.TLSKeyFile}} {
		wrong.Require(file[1] == "" || strings.HasPrefix(scheme, "rediss"), file[0], "cache.url begins without TLS; with it, it begins with rediss")
	}
	wrong.Require((c.TLSCertFile == "") == (c.TLSKeyFile == ""), "cache.tls_cert_file", "set this and cache.tls_key_file, or neither")
	wrong.Require(c.Timeout > 0, "cache.timeout", "want a positive duration")
	wrong.Require(c.Memory >= 1<<20 && c.Memory <= 1<<30, "cache.memory", "want 1MiB to 1GiB")
	wrong.Require(c.Standby >= 128<<10 && c.Standby <= 1<<30, "cache.standby", "want 128KiB to 1GiB")
}

// wantEncoded is the error of a URL that is not WellFormed.
const wantEncoded = "want / ? # and @ in the password and in options percent-encoded: %%2F %%3F %%23 %%40"

func (s Seal) validate(wrong *check.Errors) {
	_, err := DecodeKey(s.HashKey)
	wrong.Require(err == nil, "seal.hash_key", "%s", wantKey(s.HashKey, err))
	wrong.Require(len(s.Keys) > 0, "seal.keys", "want at least one")
	for i, k := range s.Keys {
		key := fmt.Sprintf("seal.keys[%d]", i)
		if k.File == "" {
			_, err := DecodeKey(k.Key)
			wrong.Require(err == nil, key+".key", "%s", wantKey(k.Key, err))
		}
		wrong.Require(k.File == "" || k.Key == "", key+".file", "set this or key, not both")
		wrong.Require(k.Key == "" || k.Key != s.HashKey, key+".key", "want a key different from seal.hash_key")
		wrong.Require(len(k.ID) >= 1 && len(k.ID) <= 32, key+".id", "want 1 to 32 bytes")
		twice := slices.ContainsFunc(s.Keys[:i], func(other SealKey) bool { return other.ID == k.ID })
		wrong.Require(!twice, key+".id", "%q is used twice", k.ID)
	}
}

// wantKey says what is wanted of a key, and what is wrong with key unless it is missing.
func wantKey(key secret.Text, err error) string {
	want := "required: 32 random bytes in base64, as openssl rand -base64 32 prints"
	if key != "" && err != nil {
		want += "; this is " + err.Error()
	}
	return want
}

func (p Portfolio) validate(wrong *check.Errors) {
	wrong.Require(p.MaxBody >= 1<<10 && p.MaxBody <= 100<<20, "portfolio.max_body", "want 1KiB to 100MiB")
	wrong.Require(p.MaxPerUser >= 1, "portfolio.max_per_user", "want 1 or more, not %d", p.MaxPerUser)
	wrong.Require(p.MaxBytesPerUser >= p.MaxBody, "portfolio.max_bytes_per_user", "want portfolio.max_body or more")
	known := slices.Contains([]string{OtherOwnerKeep, OtherOwnerRefuse}, p.OtherOwner)
	wrong.Require(known, "portfolio.other_owner", "want keep or refuse, not %q", p.OtherOwner)
}

func (a Audit) validate(wrong *check.Errors) {
	for _, c := range []struct{ key, choice string }{{"reuse", a.Reuse}, {"reads", a.Reads}, {"service_reads", a.ServiceReads}} {
		wrong.Require(slices.Contains([]string{ReuseCount, ReuseEach, ReuseOff}, c.choice), "audit."+c.key, "want count, each or off, not %q", c.choice)
	}
	wrong.Require(slices.Contains([]string{UnwritableRefuse, UnwritableContinue}, a.WhenUnwritable),
		"audit.when_unwritable", "want refuse or continue, not %q", a.WhenUnwritable)
	wrong.Require(a.Anchor.Every == 0 || a.Anchor.Every >= time.Minute, "audit.anchor.every", "want 0s (never) or at least 1m, not %s", a.Anchor.Every)
	wrong.Require(a.Anchor.Every > 0 || a.Anchor.File == "" && a.Anchor.URL == "", "audit.anchor.every", "want at least 1m, since audit.anchor has a file or url")
	if a.Anchor.URL != "" {
		wrong.URL("audit.anchor.url", a.Anchor.URL)
	}
}

// minRetention is the shortest retention. It keeps a typing mistake (90s for 90 days) from
// deleting recent data.
const minRetention = 24 * time.Hour

// minAuditRetention is as long as CERT-In has logs kept (Directions of 28 April 2022).
const minAuditRetention = 180 * 24 * time.Hour

// minCallRetention keeps the whole past day, which is compared with the vendor's usage on
// the next day.
const minCallRetention = 72 * time.Hour

func (r Retention) validate(wrong *check.Errors) {
	const want = "want 0s (forever) or at least %s, not %s"
	wrong.Require(r.Portfolios == 0 || r.Portfolios >= minRetention, "retention.portfolios", want, minRetention, r.Portfolios)
	wrong.Require(r.Calls == 0 || r.Calls >= minCallRetention, "retention.calls", want, minCallRetention, r.Calls)
	wrong.Require(r.Events == 0 || r.Events >= minRetention, "retention.events", want, minRetention, r.Events)
	wrong.Require(r.Links == 0 || r.Links >= minRetention, "retention.links", want, minRetention, r.Links)
	wrong.Require(r.Audit == 0 || r.Audit >= minAuditRetention, "retention.audit", want, minAuditRetention, r.Audit)
	wrong.Require(r.Grants == 0 || r.Grants >= minRetention, "retention.grants", want, minRetention, r.Grants)
}

// DecodeKey decodes a base64 key of 32 bytes. It fails for other lengths and for bytes
// that are all equal.
func DecodeKey(key secret.Text) (secret.Text, error) {
	b, err := base64.StdEncoding.DecodeString(key.Reveal())
	switch {
	case err != nil:
		return "", errors.New("not base64")
	case len(b) != secret.KeySize:
		return "", fmt.Errorf("%d bytes in base64, not %d", len(b), secret.KeySize)
	}
	if strings.Count(string(b), string(b[:1])) == len(b) {
		return "", errors.New("not random")
	}
	return secret.Text(b), nil
}
