package config

import (
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"casbroker/internal/netaddr"
	"casbroker/internal/secret"
)

// complaints collects what is wrong.
type complaints []error

func (c *complaints) check(ok bool, key, format string, args ...any) {
	if !ok {
		*c = append(*c, fmt.Errorf("%s: %s", key, fmt.Sprintf(format, args...)))
	}
}

// Validate returns everything that is wrong with the settings at once, each fault
// beginning with its key.
func (c *Config) Validate() error {
	var wrong complaints
	c.Server.validate(&wrong)
	c.Log.validate(&wrong)
	c.Upstream.validate(&wrong)
	c.Token.validate(&wrong)
	c.Access.validate(&wrong)
	c.Cache.validate(&wrong)
	c.Store.validate(&wrong)
	c.Seal.validate(&wrong)
	wrong.check(c.Auth.CacheSize >= 0 && c.Auth.CacheSize <= 1<<30, "auth.cache_size", "want 0 to 1GiB")
	c.Portfolio.validate(&wrong)
	c.Audit.validate(&wrong)
	c.Retention.validate(&wrong)
	if c.Web.WidgetURL != "" {
		checkURL(&wrong, "web.widget_url", c.Web.WidgetURL)
	}
	return errors.Join(wrong...)
}

func (s Server) validate(wrong *complaints) {
	wrong.check(isAddress(s.Address), "server.address", "want host:port, such as 127.0.0.1:8080 or :8080")
	if s.MetricsAddress != "" {
		wrong.check(isAddress(s.MetricsAddress), "server.metrics_address", "want host:port, such as 127.0.0.1:9090")
		wrong.check(s.MetricsAddress != s.Address, "server.metrics_address", "want another address than server.address")
	}
	for i, network := range s.TrustedProxies {
		prefix, err := netip.ParsePrefix(network)
		wrong.check(err == nil && prefix.Bits() > 0, fmt.Sprintf("server.trusted_proxies[%d]", i),
			"want a network such as 10.0.0.0/8, and not the whole internet")
	}
	for i, origin := range s.AllowedOrigins {
		u, err := url.Parse(origin)
		ok := err == nil && u.Host != "" && !strings.ContainsAny(origin, "*?") && (u.Scheme == "https" || u.Scheme == "http") && origin == u.Scheme+"://"+u.Host
		wrong.check(ok, fmt.Sprintf("server.allowed_origins[%d]", i),
			"want an exact origin such as https://app.example, without path or wildcard")
	}
	for _, timeout := range []struct {
		key string
		is  time.Duration
	}{
		{"read_header_timeout", s.ReadHeaderTimeout},
		{"read_timeout", s.ReadTimeout},
		{"write_timeout", s.WriteTimeout},
		{"idle_timeout", s.IdleTimeout},
		{"drain_timeout", s.DrainTimeout},
	} {
		wrong.check(timeout.is > 0, "server."+timeout.key, "want a positive duration such as 30s")
	}
	wrong.check(s.DrainDelay >= 0, "server.drain_delay", "want 0s or more")
}

// isAddress reports whether something could listen on address.
func isAddress(address string) bool {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	_, err = strconv.ParseUint(port, 10, 16)
	return err == nil
}

func (l Log) validate(wrong *complaints) {
	wrong.check(new(slog.LevelVar).UnmarshalText([]byte(l.Level)) == nil, "log.level", "want debug, info, warn or error, not %q", l.Level)
	wrong.check(slices.Contains([]string{"json", "text"}, l.Format), "log.format", "want json or text, not %q", l.Format)
}

func (u Upstream) validate(wrong *complaints) {
	checkURL(wrong, "upstream.url", u.URL)
	wrong.check(u.APIKey != "", "upstream.api_key", "required: the vendor's API key; CASBROKER_UPSTREAM_API_KEY_FILE may name a file that holds it")
	wrong.check(!strings.HasPrefix(u.APIKey.Reveal(), "at_"), "upstream.api_key", "this is an access token; want the API key")
	wrong.check(u.Timeout > 0, "upstream.timeout", "want a positive duration")
	wrong.check(u.Deadline >= u.Timeout, "upstream.deadline", "want at least upstream.timeout, %s", u.Timeout)
	wrong.check(u.Attempts >= 1 && u.Attempts <= 10, "upstream.attempts", "want 1 to 10, not %d", u.Attempts)
}

func (t Token) validate(wrong *complaints) {
	whole := t.Lifetime%time.Minute == 0
	wrong.check(whole && t.Lifetime >= time.Minute && t.Lifetime <= time.Hour, "token.lifetime", "want whole minutes from 1m to 60m, not %s", t.Lifetime)
	wrong.check(t.MinRemaining >= 0 && t.MinRemaining <= t.Lifetime/2, "token.min_remaining", "want 0s (half of the life) to half of token.lifetime, not %s", t.MinRemaining)
}

func (a Access) validate(wrong *complaints) {
	wrong.check(a.Poll >= 100*time.Millisecond && a.Poll <= time.Minute, "access.poll", "want 100ms to 1m, not %s", a.Poll)
	wrong.check(a.MaxStaleness >= 2*a.Poll && a.MaxStaleness <= time.Hour, "access.max_staleness",
		"want at least twice access.poll, and 1h at most, not %s", a.MaxStaleness)
	known := slices.Contains([]string{WhenStaleRefuse, WhenStaleServe}, a.WhenStale)
	wrong.check(known, "access.when_stale", "want refuse or serve, not %q", a.WhenStale)
}

// cacheSchemes begin the URLs of caches: in the process, one Redis, a cluster, or
// one behind sentinels, each also with TLS.
var cacheSchemes = []string{
	"memory", "redis", "rediss", "redis+cluster", "rediss+cluster", "redis+sentinel", "rediss+sentinel",
}

func (c Cache) validate(wrong *complaints) {
	scheme, rest, _ := strings.Cut(c.URL.Reveal(), ":")
	known := slices.Contains(cacheSchemes, scheme) && (scheme == "memory") == (rest == "")
	wrong.check(known, "cache.url", "want memory or redis://<host>:<port>/<number>")
	wrong.check(c.Timeout > 0, "cache.timeout", "want a positive duration")
	wrong.check(c.Memory >= 1<<20 && c.Memory <= 1<<30, "cache.memory", "want 1MiB to 1GiB")
	wrong.check(c.Standby >= 128<<10 && c.Standby <= 1<<30, "cache.standby", "want 128KiB to 1GiB")
}

func (s Store) validate(wrong *complaints) {
	scheme, rest, _ := strings.Cut(s.URL.Reveal(), ":")
	ok := rest != "" && slices.Contains([]string{"sqlite", "postgres", "postgresql"}, scheme)
	wrong.check(ok, "store.url", "want sqlite:<file> or postgres://<user>:<password>@<host>/<database>")
}

func (s Seal) validate(wrong *complaints) {
	const want = "required: 32 random bytes in base64, such as openssl rand -base64 32 makes"
	_, err := DecodeKey(s.HashKey)
	wrong.check(err == nil, "seal.hash_key", want)
	wrong.check(len(s.Keys) > 0, "seal.keys", "want at least one")
	for i, k := range s.Keys {
		key := fmt.Sprintf("seal.keys[%d]", i)
		if k.File == "" {
			_, err := DecodeKey(k.Key)
			wrong.check(err == nil, key+".key", want)
		}
		wrong.check(k.File == "" || k.Key == "", key+".file", "give this or key, not both")
		wrong.check(k.Key == "" || k.Key != s.HashKey, key+".key", "want another key than seal.hash_key")
		wrong.check(len(k.ID) >= 1 && len(k.ID) <= 32, key+".id", "want 1 to 32 bytes")
		twice := slices.ContainsFunc(s.Keys[:i], func(other SealKey) bool { return other.ID == k.ID })
		wrong.check(!twice, key+".id", "%q stands twice", k.ID)
	}
}

func (p Portfolio) validate(wrong *complaints) {
	wrong.check(p.MaxBody >= 1<<10 && p.MaxBody <= 100<<20, "portfolio.max_body", "want 1KiB to 100MiB")
	known := slices.Contains([]string{OtherOwnerKeep, OtherOwnerRefuse}, p.OtherOwner)
	wrong.check(known, "portfolio.other_owner", "want keep or refuse, not %q", p.OtherOwner)
}

func (a Audit) validate(wrong *complaints) {
	wrong.check(slices.Contains([]string{ReuseCount, ReuseEach, ReuseOff}, a.Reuse), "audit.reuse", "want count, each or off, not %q", a.Reuse)
	wrong.check(slices.Contains([]string{UnwritableRefuse, UnwritableContinue}, a.WhenUnwritable),
		"audit.when_unwritable", "want refuse or continue, not %q", a.WhenUnwritable)
}

// minRetention keeps a slip of the pen ("90s" for 90 days) from deleting what was
// just saved.
const minRetention = 24 * time.Hour

func (r Retention) validate(wrong *complaints) {
	const want = "want 0s (for ever) or at least %s, not %s"
	wrong.check(r.Portfolios == 0 || r.Portfolios >= minRetention, "retention.portfolios", want, minRetention, r.Portfolios)
	wrong.check(r.Grants == 0 || r.Grants >= minRetention, "retention.grants", want, minRetention, r.Grants)
}

// DecodeKey returns the 32 bytes of a base64 key. It fails for anything else, and
// for bytes that are all the same.
func DecodeKey(key secret.Text) (secret.Text, error) {
	b, err := base64.StdEncoding.DecodeString(key.Reveal())
	if err != nil || len(b) != secret.KeySize {
		return "", errors.New("not 32 bytes in base64")
	}
	if strings.Count(string(b), string(b[:1])) == len(b) {
		return "", errors.New("not random")
	}
	return secret.Text(b), nil
}

// checkURL wants https, or http to this machine.
func checkURL(wrong *complaints, key, address string) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		wrong.check(false, key, "want a URL such as https://api.example, without user, query or fragment")
		return
	}
	local := netaddr.IsLoopback(u.Hostname())
	wrong.check(u.Scheme == "https" || u.Scheme == "http" && local, key, "want https; http is taken to this machine only")
}
