package app

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"

	"casbroker/internal/admin/session"
	"casbroker/internal/auth"
	"casbroker/internal/cache"
	"casbroker/internal/config"
	"casbroker/internal/ratelimit"
	"casbroker/internal/secret"
	"casbroker/internal/store"
)

// Check returns everything that is wrong with the settings at once, what the
// rooms have to say of theirs included. It opens no connection.
func Check(c config.Config) error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // keys need not be loaded to know that the settings are good
	_, authErr := newAuth(ctx, c.Auth, auth.Options{})
	_, limitErr := newRules(c.RateLimit)
	_, _, sealErr := readKeys(c.Seal)
	if c.Auth.Cookie == session.CookieName {
		authErr = errors.Join(authErr, fmt.Errorf("auth.cookie: want another name than %s, which is the cookie of operators", session.CookieName))
	}
	return errors.Join(c.Validate(), authErr, limitErr, sealErr, session.CheckKeys(adminKeys(c.Admin)), checkDoors(c))
}

// checkDoors reads the URLs of the store and the cache as the doors will.
func checkDoors(c config.Config) error {
	var wrong []error
	if strings.HasPrefix(c.Store.URL.Reveal(), "postgres") {
		db, err := store.Open(store.Options{URL: c.Store.URL})
		if err != nil {
			wrong = append(wrong, fmt.Errorf("store.url: %w", err))
		} else {
			wrong = append(wrong, db.Close())
		}
	}
	if strings.HasPrefix(c.Cache.URL.Reveal(), "redis") {
		redis, err := cache.NewRedis(cache.RedisOptions{URL: c.Cache.URL})
		if err != nil {
			wrong = append(wrong, fmt.Errorf("cache.url: %w", err))
		} else {
			wrong = append(wrong, redis.Close())
		}
	}
	return errors.Join(wrong...)
}

// newAuth builds the authenticator from settings over the rest of o.
func newAuth(ctx context.Context, c config.Auth, o auth.Options) (*auth.Authenticator, error) {
	o.Cookie, o.TrustedOrigins, o.CacheSize = c.Cookie, c.TrustedOrigins, int(c.CacheSize)
	var unread []error
	for i, v := range c.Verifiers {
		verifier := auth.Verifier{
			Name: v.Name, Issuer: v.Issuer, Audience: v.Audience, Algorithms: v.Algorithms,
			Secret: v.Secret, JWKSURL: v.JWKSURL, OIDC: v.OIDC,
			MaxLifetime: v.MaxLifetime, Leeway: v.Leeway, Refresh: v.Refresh,
			Roles: auth.Roles(v.Roles),
		}
		if v.PublicKeyFile != "" {
			pem, err := os.ReadFile(v.PublicKeyFile)
			if err != nil {
				pem = []byte("unread") // or it would seem not to be given
				unread = append(unread, fmt.Errorf("auth.verifiers[%d].public_key_file: %w", i, err))
			}
			verifier.PublicKeyPEM = pem
		}
		o.Verifiers = append(o.Verifiers, verifier)
	}
	a, err := auth.New(ctx, o)
	return a, errors.Join(append(unread, err)...)
}

func newRules(c config.RateLimit) (ratelimit.Rules, error) {
	return ratelimit.Parse("ratelimit", ratelimit.Settings{
		Token: ratelimit.Limits(c.Token), Save: ratelimit.Limits(c.Save), Read: ratelimit.Limits(c.Read),
		Upload: ratelimit.Limits(c.Upload), Admin: ratelimit.Limits(c.Admin), SignIn: ratelimit.Limits(c.SignIn), Failures: c.Failures,
	})
}

// networks is valid once the settings are.
func networks(list []string) []netip.Prefix {
	prefixes := make([]netip.Prefix, 0, len(list))
	for _, network := range list {
		prefixes = append(prefixes, netip.MustParsePrefix(network))
	}
	return prefixes
}

// hidden lists every secret of the settings, for the log to hide.
func hidden(c config.Config) []secret.Text {
	list := []secret.Text{c.Upstream.APIKey, c.Seal.HashKey}
	for _, k := range c.Seal.Keys {
		list = append(list, k.Key)
	}
	for _, v := range c.Auth.Verifiers {
		list = append(list, v.Secret)
	}
	for _, k := range c.Admin.Keys {
		list = append(list, k.Hash)
	}
	return slices.Concat(list, c.Store.URL.Passwords(), c.Cache.URL.Passwords())
}
