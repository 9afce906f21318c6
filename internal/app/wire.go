package app

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"casbroker/internal/access"
	"casbroker/internal/auth"
	"casbroker/internal/cache"
	"casbroker/internal/config"
	"casbroker/internal/portfolio"
	"casbroker/internal/privacy"
	"casbroker/internal/ratelimit"
	"casbroker/internal/secret"
	"casbroker/internal/server"
	"casbroker/internal/store"
	"casbroker/internal/telemetry"
	"casbroker/internal/token"
	"casbroker/internal/upstream"
	"casbroker/web"
)

// doors are what the rooms lean on.
type doors struct {
	box    *secret.Box
	store  *store.DB
	cache  cache.Cache
	vendor *upstream.Client
}

// New wires the program from settings, once Check has found them good. ctx bounds
// only the start. The App is to be run or closed.
func New(ctx context.Context, c config.Config, o Options) (*App, error) {
	if err := Check(c); err != nil {
		return nil, err
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	seal, lost, err := readKeys(c.Seal)
	if err != nil {
		return nil, err
	}
	c.Seal = seal
	a := &App{settings: c, metrics: telemetry.NewMetrics()}
	a.log = newLog(c, o)
	warnOfLost(a.log, lost)
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	a.stop = stop
	if err := a.wire(ctx, running, o); err != nil {
		_ = a.Close()
		return nil, err
	}
	return a, nil
}

func (a *App) wire(ctx, running context.Context, o Options) error {
	c := a.settings
	d, err := a.openDoors(ctx, o)
	if err != nil {
		return err
	}
	callers, err := newAuth(running, c.Auth, auth.Options{Now: o.Now, Log: a.log})
	if err != nil {
		return err
	}
	a.metrics.WatchJWTCache(
		func() uint64 { return callers.CacheStats().Hits }, func() uint64 { return callers.CacheStats().Misses })
	rules, err := newRules(c.RateLimit)
	if err != nil {
		return err
	}
	limits := &ratelimit.Limiter{Counter: d.cache, Rules: rules, Now: o.Now, Observe: a.countLimited}

	journal, err := a.newJournal(d, o)
	if err != nil {
		return err
	}
	a.access = a.openAccess(ctx, running, d, o)
	tokens := &token.Handler{
		Tokens: &token.Service{
			Minter: d.vendor, Grants: d.store, Cache: d.cache, Access: a.access.Watcher, Box: d.box, Log: a.log, Now: o.Now,
			MinRemaining: c.Token.MinRemaining, MintTimeout: c.Upstream.Deadline + 5*time.Second, RecordReuse: journal.Reused, Observe: a.countToken,
		},
		TTL: c.Token.Lifetime, Admit: limits.Admit(ratelimit.Token),
	}
	portfolios := &portfolio.Handler{
		Portfolios: &portfolio.Service{
			Keeper: d.store, Finder: d.store, Keys: d.store, Log: a.log, Now: o.Now, Observe: a.usage.Save,
			RefuseOther: c.Portfolio.OtherOwner == config.OtherOwnerRefuse,
		},
		MaxBody:   int64(c.Portfolio.MaxBody),
		LimitSave: limits.Middleware(ratelimit.Save), LimitRead: limits.Middleware(ratelimit.Read),
	}

	a.router = server.NewRouter(server.Options{
		Log: a.log, Observer: a.metrics, OnRefused: a.refused(journal), OpenAPI: web.OpenAPI,
		TrustedProxies: networks(c.Server.TrustedProxies),
		AllowedOrigins: c.Server.AllowedOrigins, NoCORS: operatorPaths, AllowCookies: c.Auth.Cookie != "",
		Checks: []server.Check{
			{Name: "store", Ready: d.store.Ready},
			{Name: "access", Ready: a.access.Watcher.Ready},
			{Name: "auth", Ready: func(context.Context) error { return callers.Ready() }},
		},
	})
	a.router.Mount("/v1", []server.Middleware{limits.Guard(), callers.Middleware()}, tokens,
		&access.Handler{Access: a.access, Limit: limits.Middleware(ratelimit.Save)}, portfolios,
		a.privacyRoom(d, tokens.Tokens, portfolios.Portfolios, limits, o))
	a.mountOperators(d, limits, callers, o)
	a.router.Mount("", nil, o.Public...)
	a.chores = append(a.chores, chores(portfolios.Portfolios, &privacy.Retention{
		Expirer: d.store, Chores: d.store, Portfolios: c.Retention.Portfolios, Grants: c.Retention.Grants, Log: a.log, Now: o.Now,
	})...)
	return nil
}

// privacyRoom is where users get and erase all that the other rooms keep of them.
func (a *App) privacyRoom(d doors, tokens *token.Service, portfolios *portfolio.Service, limits *ratelimit.Limiter, o Options) *privacy.Handler {
	return &privacy.Handler{
		Privacy: &privacy.Service{Keeper: d.store, Forget: tokens.Forget, Log: a.log, Now: o.Now, Parts: []privacy.Part{
			{Name: "portfolios", Source: portfolios},
			{Name: "grants", Source: token.Exporter{Grants: d.store}},
		}},
		LimitExport: limits.Middleware(ratelimit.Read), LimitErase: limits.Middleware(ratelimit.Save),
	}
}

// openDoors opens what the rooms lean on, to be closed newest first.
func (a *App) openDoors(ctx context.Context, o Options) (d doors, err error) {
	c := a.settings
	if d.box, err = newBox(c.Seal); err != nil {
		return d, err
	}
	if d.store, err = store.Open(store.Options{URL: c.Store.URL, Box: d.box, Log: a.log, Unaudited: a.unaudited()}); err != nil {
		return d, fmt.Errorf("store.url: %w", err)
	}
	a.onClose(d.store.Close)
	if c.Store.MigrateAtStart {
		steps, err := d.store.Migrate(ctx)
		if err != nil {
			return d, fmt.Errorf("migrate the database: %w", err)
		}
		a.log.Info("database is up to date", "steps", steps)
	}
	if err := a.usableAtStart(ctx, d.store); err != nil {
		return d, err
	}
	a.startCounting(ctx, d.store, o)
	if d.cache, err = openCache(ctx, c.Cache, a.log, o, a.metrics); err != nil {
		return d, fmt.Errorf("cache.url: %w", err)
	}
	a.onClose(d.cache.Close)
	d.vendor = upstream.New(upstream.Options{
		URL: c.Upstream.URL, APIKey: c.Upstream.APIKey, Timeout: c.Upstream.Timeout, Deadline: c.Upstream.Deadline,
		Attempts: c.Upstream.Attempts, Log: a.log, Now: o.Now, Observe: a.observeUpstream,
	})
	return d, nil
}

func openCache(ctx context.Context, c config.Cache, log *slog.Logger, o Options, metrics *telemetry.Metrics) (cache.Cache, error) {
	if c.URL == "memory" {
		return cache.NewMemory(cache.MemoryOptions{TokenBytes: int(c.Memory)})
	}
	memory, err := cache.NewMemory(cache.MemoryOptions{TokenBytes: int(c.Standby)})
	if err != nil {
		return nil, err
	}
	redis, err := cache.NewRedis(cache.RedisOptions{URL: c.URL, Timeout: c.Timeout, Now: o.Now})
	if err != nil {
		return nil, err
	}
	if err := redis.Ping(ctx); err != nil { // a wrong URL is best told at the start
		log.Warn("Redis does not answer yet", "error", err)
	}
	return cache.WithFallback(redis, memory, cache.FallbackOptions{
		Log: log, OnChange: metrics.SetFallback, OnMemory: metrics.CountFallbackCall,
	}), nil
}

func newLog(c config.Config, o Options) *slog.Logger {
	var level slog.LevelVar
	_ = level.UnmarshalText([]byte(c.Log.Level)) // Check has read it
	return telemetry.NewLogger(o.LogTo, telemetry.LogOptions{Format: c.Log.Format, Level: &level, Secrets: hidden(c)})
}
