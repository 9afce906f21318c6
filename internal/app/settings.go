package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"casbroker/internal/access"
	"casbroker/internal/admin"
	"casbroker/internal/admin/session"
	"casbroker/internal/auth"
	"casbroker/internal/cache"
	"casbroker/internal/config"
	"casbroker/internal/link"
	"casbroker/internal/ratelimit"
	"casbroker/internal/secret"
	"casbroker/internal/store"
	"casbroker/internal/telemetry"
)

const (
	// firstRefresh bounds how long the start waits for the list of blocks and revocations.
	firstRefresh = 3 * time.Second
	// mintMargin is how much longer a caller waits for a new token than the vendor may take.
	mintMargin = 5 * time.Second
)

// noCORSPaths are the prefixes of the paths of operators and services, which no page of
// another origin may read, not even one of server.allowed_origins. Pages may call
// /oauth/token: it takes no cookie.
var noCORSPaths = []string{"/admin/", "/console", "/oauth/revoke", "/oauth/introspect", "/v1/users/", link.SessionPath}

// Check returns all errors in the settings at once, including those that only other
// packages can find. It opens no connection.
func Check(c config.Config) error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // checking needs no key sets, so none are loaded
	withSecrets, fileErr := readSecrets(c)
	_, authErr := newAuth(ctx, withSecrets.Auth, auth.Options{})
	_, limitErr := newRules(c.RateLimit)
	_, _, sealErr := readKeys(c.Seal)
	_, keyErr := readAPIKeys(c.Upstream)
	_, _, webhookErr := newEndpoints(c.Webhooks)
	if session.IsCookie(c.Auth.Cookie) {
		authErr = errors.Join(authErr, fmt.Errorf("auth.cookie: want another name than %s, which is the operators' session cookie", c.Auth.Cookie))
	}
	return errors.Join(c.Validate(), authErr, limitErr, sealErr, keyErr, webhookErr, checkLinks(c.Link), fileErr, session.CheckKeys(adminKeys(withSecrets.Admin)), checkURLs(c))
}

// checkURLs parses the URLs of PostgreSQL and Redis as the adapters will.
func checkURLs(c config.Config) error {
	var wrong []error
	if strings.HasPrefix(c.Store.URL.Reveal(), "postgres") {
		db, err := store.Open(store.Options{URL: c.Store.URL})
		if err != nil {
			wrong = append(wrong, fmt.Errorf("store.url: %w", err))
		} else {
			wrong = append(wrong, db.Close())
		}
	}
	if url := c.Cache.URL.Reveal(); strings.HasPrefix(url, "redis") || strings.HasPrefix(url, "unix") {
		wrong = append(wrong, checkRedis(c.Cache))
	}
	return errors.Join(wrong...)
}

// newAuth builds the authenticator from settings; o has what is not a setting.
func newAuth(ctx context.Context, c config.Auth, o auth.Options) (*auth.Authenticator, error) {
	o.Cookie, o.TrustedOrigins, o.CacheSize = c.Cookie, c.TrustedOrigins, int(c.CacheSize)
	var unreadable []error
	for i, v := range c.Verifiers {
		verifier := auth.Verifier{
			Name: v.Name, Issuer: v.Issuer, Audience: v.Audience, AudienceClaim: v.AudienceClaim, Algorithms: v.Algorithms,
			Secret: v.Secret, Secrets: secretTexts(v.Secrets), JWKSURL: v.JWKSURL, OIDC: v.OIDC,
			NumericSubject: v.NumericSubject,
			MaxLifetime:    v.MaxLifetime, Leeway: v.Leeway, Refresh: v.Refresh, MaxKeyAge: v.MaxKeyAge,
			Roles: auth.Roles(v.Roles), ActsFor: v.ActsFor,
		}
		if v.PublicKeyFile != "" {
			pem, err := os.ReadFile(v.PublicKeyFile)
			if err != nil {
				pem = []byte("unreadable") // auth would report a missing key otherwise
				unreadable = append(unreadable, fmt.Errorf("auth.verifiers[%d].public_key_file: %w", i, err))
			}
			verifier.PublicKeyPEM = pem
		}
		o.Verifiers = append(o.Verifiers, verifier)
	}
	for _, k := range c.ServiceKeys {
		o.ServiceKeys = append(o.ServiceKeys, auth.ServiceKey{
			Name: k.Name, Hash: k.Hash, PreviousHash: k.PreviousHash, Scopes: k.Scopes, ActsFor: k.ActsFor,
		})
	}
	a, err := auth.New(ctx, o)
	return a, errors.Join(append(unreadable, err)...)
}

// refuseBlocked returns a function that returns access.ErrBlocked for a subject that is
// blocked.
func refuseBlocked(watcher *access.Watcher) func(subject string) error {
	return func(subject string) error {
		if watcher.Blocked(subject) {
			return access.ErrBlocked
		}
		return nil
	}
}

func newRules(c config.RateLimit) (ratelimit.Rules, error) {
	return ratelimit.Parse("ratelimit", ratelimit.Settings{
		Token: ratelimit.Limits(c.Token), Save: ratelimit.Limits(c.Save), Read: ratelimit.Limits(c.Read), Upload: ratelimit.Limits(c.Upload),
		Admin: ratelimit.Limits(c.Admin), SignIn: ratelimit.Limits(c.SignIn), Failures: c.Failures,
		Service: ratelimit.ServiceLimits(c.Service),
	})
}

// networks parses networks that Check has found valid.
func networks(list []string) []netip.Prefix {
	prefixes := make([]netip.Prefix, 0, len(list))
	for _, network := range list {
		prefixes = append(prefixes, netip.MustParsePrefix(network))
	}
	return prefixes
}

// Secrets lists every secret in the settings, valid or not, for messages to hide.
func Secrets(c config.Config) []secret.Text {
	if seal, _, err := readKeys(c.Seal); err == nil {
		c.Seal = seal
	}
	if upstream, err := readAPIKeys(c.Upstream); err == nil {
		c.Upstream = upstream
	}
	c, _ = readSecrets(c) // what can be read
	return secrets(c)
}

// secretTexts returns the secrets of list, which were read from their files.
func secretTexts(list []config.Secret) (texts []secret.Text) {
	for _, s := range list {
		texts = append(texts, s.Secret)
	}
	return texts
}

// secrets lists every secret in the settings, for the log to hide.
func secrets(c config.Config) []secret.Text {
	list := []secret.Text{c.Seal.HashKey}
	for _, k := range c.Upstream.AllKeys() {
		list = append(list, k.APIKey)
	}
	for _, k := range c.Seal.Keys {
		list = append(list, k.Key)
	}
	for _, v := range c.Auth.Verifiers {
		list = append(append(list, v.Secret), secretTexts(v.Secrets)...)
	}
	for _, k := range c.Admin.Keys {
		list = append(list, k.Hash)
	}
	for _, k := range c.Auth.ServiceKeys {
		list = append(list, k.Hash, k.PreviousHash)
	}
	if _, values, err := c.Tracing.Header(); err == nil {
		list = append(append(list, c.Tracing.Headers), values...)
	}
	if endpoints, _, err := newEndpoints(c.Webhooks); err == nil {
		list = append(list, endpointSecrets(endpoints)...)
	}
	return slices.Concat(list, c.Store.URL.Passwords(), c.Cache.URL.Passwords())
}

// newLog returns a logger that hides the secrets of c.
func newLog(c config.Config, w io.Writer) *slog.Logger {
	return newLeveledLog(c, w, new(telemetry.Level))
}

// newLeveledLog is newLog with a level that can be changed later.
func newLeveledLog(c config.Config, w io.Writer, level *telemetry.Level) *slog.Logger {
	level.Use(logLevel(c))
	return telemetry.NewLogger(w, telemetry.LogOptions{Format: c.Log.Format, Level: level, Secrets: secrets(c)})
}

// logLevel returns the level of the settings, which Check has found valid.
func logLevel(c config.Config) (level slog.Level) {
	_ = level.UnmarshalText([]byte(c.Log.Level))
	return level
}

// openCache returns the cache of the settings: memory alone, or Redis with memory as its
// fallback.
func openCache(ctx context.Context, c config.Cache, log *slog.Logger, now func() time.Time, metrics *telemetry.Metrics) (cache.Cache, error) {
	if c.URL == "memory" {
		return cache.NewMemory(cache.MemoryOptions{TokenBytes: int(c.Memory)})
	}
	memory, err := cache.NewMemory(cache.MemoryOptions{TokenBytes: int(c.Standby)})
	if err != nil {
		return nil, err
	}
	options, err := redisOptions(c)
	if err != nil {
		return nil, err
	}
	options.Now, options.Log = now, log
	redis, err := cache.NewRedis(options)
	if err != nil {
		return nil, err
	}
	var refusal *cache.Refusal
	switch err := redis.Check(ctx); { // what is wrong with the URL or the user is best seen at the start
	case errors.As(err, &refusal):
		log.Error("Redis cannot be used", "error", refusal.Err, "remedy", refusal.Remedy)
	case err != nil:
		log.Warn("Redis does not answer yet", "error", err)
	}
	return cache.WithFallback(redis, memory, cache.FallbackOptions{
		Log: log, OnChange: metrics.SetFallback, OnMemory: metrics.CountFallbackCall,
	}), nil
}

func adminKeys(c config.Admin) []session.Key {
	keys := make([]session.Key, 0, len(c.Keys))
	for _, k := range c.Keys {
		keys = append(keys, session.Key{Name: k.Name, Hash: k.Hash})
	}
	return keys
}

// OutdatedAdminKeys returns the names of the admin keys whose hash has the form of
// releases before 0.2.0. They work, and should be replaced.
func OutdatedAdminKeys(c config.Config) []string {
	c, _ = readSecrets(c)
	return session.Outdated(adminKeys(c.Admin))
}

// NewServiceKey makes a key for the service name, and its hash for the settings. It fails
// for an invalid name or scope.
func NewServiceKey(name string, scopes []string) (key secret.Text, hash string, err error) {
	return auth.NewServiceKey(name, scopes)
}

// listSettings lists the effective settings for operators, with secrets hidden, and where they
// come from.
func listSettings(c config.Config, environ []string, hasFile bool) []admin.Setting {
	var list []admin.Setting
	for _, e := range c.List() {
		list = append(list, admin.Setting{Key: e.Key, Value: e.Value, Words: e.Words, Default: e.Default, Source: e.Source(environ, hasFile)})
	}
	return list
}
