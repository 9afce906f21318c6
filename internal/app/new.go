package app

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"casbroker/internal/access"
	"casbroker/internal/admin"
	"casbroker/internal/admin/console"
	"casbroker/internal/admin/oauth"
	"casbroker/internal/admin/session"
	"casbroker/internal/audit"
	"casbroker/internal/auth"
	"casbroker/internal/budget"
	"casbroker/internal/clock"
	"casbroker/internal/config"
	"casbroker/internal/docs"
	"casbroker/internal/fault"
	"casbroker/internal/httpapi"
	"casbroker/internal/ingest"
	"casbroker/internal/link"
	"casbroker/internal/portfolio"
	"casbroker/internal/privacy"
	"casbroker/internal/ratelimit"
	"casbroker/internal/server"
	"casbroker/internal/store"
	"casbroker/internal/telemetry"
	"casbroker/internal/token"
	"casbroker/internal/upstream"
	"casbroker/internal/usage"
	"casbroker/internal/webhook"
	"casbroker/web"
)

// New builds the program from settings. ctx bounds only the start. The App must be run or
// closed. An error has everything that Check reports.
//
// A database that is unreachable does not stop the start: the broker is not ready until the
// database is, and with store.migrate_at_start, until it has migrated it.
func New(ctx context.Context, c config.Config, o Options) (_ *App, err error) { //nolint:funlen // a flat list in order of need
	if err := Check(c); err != nil {
		return nil, err
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	given := c // with the names of the files that c then has the contents of
	seal, lostKeys, err := readKeys(c.Seal)
	if err != nil {
		return nil, err
	}
	sealFiles := c.Seal.Keys
	c.Seal = seal
	if c.Upstream, err = readAPIKeys(c.Upstream); err != nil {
		return nil, err
	}
	if c, err = readSecrets(c); err != nil {
		return nil, err
	}
	level := new(telemetry.Level)
	log := newLeveledLog(c, o.LogTo, level)
	logLostKeys(log, lostKeys)
	if links := config.ServiceLinks(o.Environ); len(links) > 0 {
		log.Debug("variables that Kubernetes has made for a Service are ignored", "variables", links)
	}
	build := BuildInfo()
	metrics := newMetrics(c.Metrics, o.LogTo, build)
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	a := &App{settings: c, given: given, level: level, log: log, metrics: metrics, tracer: newTracer(c.Tracing, log, metrics), stop: stop}
	defer func() {
		if err != nil {
			_ = a.Close()
		}
	}()

	// Adapters: the database, the cache and the vendor.
	box, err := newBox(c.Seal)
	if err != nil {
		return nil, err
	}
	onUnaudited := func(err error) {
		metrics.CountUnaudited()
		log.Error("an action was done without an audit record: the audit trail cannot be written", "error", err)
	}
	if c.Audit.WhenUnwritable == config.UnwritableRefuse {
		onUnaudited = nil
	}
	options := storeOptions(c.Store)
	options.Box, options.Log, options.Unaudited = box, log, onUnaudited
	options.AcceptTorn = true
	logTorn(c.Store, log)
	db, err := store.Open(options)
	if err != nil {
		return nil, fmt.Errorf("store.url: %w", err)
	}
	a.onClose(db.Close)
	if c.Store.MigrateAtStart {
		if err := a.migrate(ctx, running, db); err != nil {
			return nil, err
		}
	}
	if err := checkDatabase(ctx, db, log); err != nil {
		return nil, err
	}
	logExposedFiles(log, ExposedFiles(given, o.SettingsFile, o.Environ))
	anchors := a.publishAnchors(db, box, o.Now)
	counter := &usage.Counter{Store: db, Now: o.Now}
	a.onClose(func() error {
		if err := counter.Close(); err != nil {
			log.Error("usage counts are lost", "error", err)
		}
		return nil
	})
	if err := usage.AddDemoHistory(ctx, db, o.DemoHistory); err != nil { // the demo works without
		log.WarnContext(ctx, "the demo's usage history cannot be written", "error", err)
	}
	shared, err := openCache(ctx, c.Cache, log, o.Now, metrics)
	if err != nil {
		return nil, fmt.Errorf("cache.url: %w", err)
	}
	a.onClose(shared.Close)
	holds := &keyHolds{pubsub: shared, log: log, running: running}
	keys := newKeys(c, shared, metrics, log, o.Now, keyEvents{db, log, o.Now}.record, holds.tell)
	a.exchange(holds, keys)
	levels := newLogLevels(running, level, shared, log)
	a.followLevels(levels)
	clocks := newClocks(o.Now, log, metrics)
	vendor := upstream.New(upstream.Options{
		OnDate: onDate(clocks),
		URL:    c.Upstream.URL, Keys: keys, Timeout: c.Upstream.Timeout, Deadline: c.Upstream.Deadline,
		Attempts: c.Upstream.Attempts, Log: log, Now: o.Now, SendTrace: c.Tracing.SendToVendor,
		Observe: func(outcome string, took time.Duration) {
			metrics.ObserveUpstream(outcome, took)
			counter.Upstream(outcome, took)
		},
	})

	// Callers: who they are, how often they may call, and what is recorded of them.
	callers, err := newAuth(running, c.Auth, auth.Options{PageOrigins: c.Server.AllowedOrigins, Now: o.Now, Log: log})
	if err != nil {
		return nil, err
	}
	watchDependencies(metrics, c, db, shared, vendor, keys)
	metrics.WatchJWTCache(
		func() uint64 { return callers.CacheStats().Hits }, func() uint64 { return callers.CacheStats().Misses })
	rules, err := newRules(c.RateLimit)
	if err != nil {
		return nil, err
	}
	limits := &ratelimit.Limiter{Counter: shared, Rules: rules, Now: o.Now, Log: log, OnReached: func(limit, mode string) {
		metrics.CountLimited(limit, mode)
		if mode == ratelimit.Enforce {
			counter.Limit(limit)
		}
	}}
	limitRead, limitSave := limits.Middleware(ratelimit.Read), limits.Middleware(ratelimit.Save)
	recorder := &audit.Recorder{Store: db, Now: o.Now, Reuse: audit.Reuse(c.Audit.Reuse),
		Reads: audit.Reuse(c.Audit.Reads), ServiceReads: audit.Reuse(c.Audit.ServiceReads)}
	started, err := startRecord(c, box, o.Now())
	if err != nil {
		return nil, err
	}
	recorder.Add(started)
	a.onClose(func() error {
		if err := recorder.Close(); err != nil {
			log.Error("audit records are lost", "error", err)
		}
		return nil
	})

	// Domain services and their handlers.
	watch := access.WatchOptions{
		Store: db, PubSub: shared, Log: log, Now: o.Now, Poll: c.Access.Poll, MaxAge: c.Access.MaxStaleness, Observe: metrics.CountAccess,
		Hash: func(subject string) string {
			return hex.EncodeToString(box.Digest("access message", []byte(subject))[:16])
		},
	}
	if c.Access.WhenStale == config.WhenStaleServe {
		watch.MaxAge = 0
	}
	watcher := access.NewWatcher(watch)
	metrics.WatchAccess(watcher)
	first, cancel := context.WithTimeout(ctx, firstRefresh)
	_ = watcher.Refresh(first, access.TriggerPoll) // Run tries again
	cancel()
	var watching sync.WaitGroup
	watching.Go(func() { watcher.Run(running) })
	a.onClose(func() error { // it uses the adapters until it ends
		stop()
		watching.Wait()
		return nil
	})
	a.access = &access.Service{Store: db, Watcher: watcher, Now: o.Now}
	tokens := &token.Service{
		Minter: vendor, Grants: db, Cache: shared, Access: watcher, Box: box, Log: log, Now: o.Now,
		MinRemaining: c.Token.MinRemaining, MintTimeout: c.Upstream.Deadline + mintMargin, Ready: db.Ready, RecordReuse: recorder.RecordReuse,
		Observe: func(outcome string) {
			metrics.CountToken(outcome)
			counter.Token(outcome)
		},
	}
	a.startPool(running, tokens, keys, o.Now)
	portfolios := &portfolio.Service{
		Store: db, Reader: db, Keys: db, Log: log, Now: o.Now, Observe: counter.Save, OnSaved: countSaves(metrics),
		RefuseOther: c.Portfolio.OtherOwner == config.OtherOwnerRefuse,
		Quota:       portfolio.Quota{Statements: c.Portfolio.MaxPerUser, Bytes: int64(c.Portfolio.MaxBytesPerUser)},
	}
	captures := &portfolio.Captures{
		Store: db, Portfolios: portfolios, Log: log, Now: o.Now, Observe: metrics.CountCapture,
		MatchOnly: c.Gateway.Capture == config.CaptureMatch,
	}
	if usesGateway(c) {
		portfolios.Settle = captures.Settle
	}
	a.onClose(func() error {
		captures.Close()
		return nil
	})
	events := newEvents(c.Webhooks, db, metrics, a.tracer, log, o.Now)
	ledger := newLedger(c, db, box, metrics, log, o.Now)
	budgets, comparer := newBudgets(c, ledger, db), newComparer(c, keys, vendor, db, metrics, log, o.Now)
	userData := &privacy.Service{
		Store: db, ForgetTokens: tokens.Forget, Announce: watcher.Announce, Log: log, Now: o.Now, Sources: exportSources(db, portfolios, captures, o.Now),
	}
	sessions := &session.Service{Keys: adminKeys(c.Admin), Store: db, Box: box, Log: log, Now: o.Now}
	for _, name := range session.Outdated(sessions.Keys) {
		log.Warn("admin key has an argon2id hash, which still works; replace the key with a new one from broker admin-key", "admin", name)
	}
	files := newSecretFiles(c, callers, sessions, events.service, log)
	files.addTracing(c.Tracing, a.tracer)
	files.addSealKeys(sealFiles, c.Seal.Keys, c.Seal.HashKey, box)
	metrics.WatchSecretFiles(func() int { return len(files.unusable(keys.Status())) })
	links := newLinks(c, db, box, a.access, log, o.Now)
	operators := &admin.Service{
		Access: a.access,
		Grants: &token.Directory{Grants: db, Box: box, Now: o.Now},
		Users:  db, Portfolios: db,
		Trail: &audit.Service{Store: db, Chains: db, Box: box},
		Usage: &usage.Service{Store: db, Now: o.Now}, Budgets: budgets, Comparer: comparer, Webhooks: events.service, Links: links, Calls: db, Levels: levels, KeepRecords: c.Retention.Audit, Vendor: creditsReader(c, vendor, o.Now),
		Settings: listSettings(c, o.Environ, o.SettingsFile != ""), Version: build.String(), Now: o.Now,
		Health: health(c, vendor, keys, files, shared, db, watcher, clocks),
	}

	forGateway := gatewayDeps{
		keys: gatewayKeys(c, keys), health: vendor.Health(), box: box, access: watcher, owned: db, mail: db, limits: limits, captures: captures,
		calls: gatewayCalls{ledger}, charge: ledger.RecordMail,
		onDate: onDate(clocks), metrics: metrics, log: log, now: o.Now, onClose: a.onClose,
	}
	passOn, err := newGateway(c, forGateway)
	if err != nil {
		return nil, err
	}
	statements := &ingest.Service{Parser: statementParser{passOn}, Saver: statementSaver{&portfolio.Uploads{Captures: captures}}, Memory: ingest.NewMemory()}
	jobMetrics := metrics.StatementJobs(ingest.JobOutcomes)
	statementJobs := newStatementJobs(c.Statements, statements, db, jobMetrics.Count, a.tracer, log, o.Now)
	consents := parseMail(c, statementJobs, passOn.Mail, db)
	a.startStatementJobs(running, statementJobs)

	connect, err := newConnectFiles(c.Web)
	if err != nil {
		return nil, err
	}

	// Routes.
	a.router = server.NewRouter(server.Options{
		Log: log, Observer: metrics, OpenAPI: web.OpenAPI, OnError: countErrors(metrics), Sample: server.Sample{Every: c.Log.Sample, Slow: c.Log.Slow}, Tracer: a.tracer, TrustedCallers: networks(c.Tracing.TrustedCallers),
		OnRefused: func(ctx context.Context, actor, route string, f *fault.Fault) {
			counter.Refuse(f.Code)
			// Sessions records wrong keys itself, with their names. Pages of other origins are counted.
			if f.Code != session.ErrWrongKey.Code && f.Code != server.ErrOrigin.Code {
				recorder.RecordRefusal(ctx, actor, route, refusalReason(f))
			}
		},
		TrustedProxies: networks(c.Server.TrustedProxies), OnForwardedIgnored: metrics.CountForwardedIgnored,
		AllowedOrigins: c.Server.AllowedOrigins, AllowedHeaders: c.Server.AllowedHeaders, OnOriginRefused: metrics.CountOriginRefused,
		PublicURL: c.Server.PublicURL, AnyOrigin: connect.anyOrigin, NoCORS: noCORSPaths, AllowCookies: c.Auth.Cookie != "",
		BodyRate: httpapi.BodyRate{Least: int64(c.Server.MinBodyRate), Grace: c.Server.BodyGrace, Timeout: c.Server.ReadTimeout},
		Checks: []server.Check{
			{Name: "store", Ready: db.Ready, Degrades: store.IsOutage}, // cached tokens are served until access is stale
			{Name: "access", Ready: watcher.Ready},
			{Name: "clock", Ready: clocks.Ready, Degrades: clock.IsWarning},
			{Name: "auth", Ready: func(context.Context) error { return callers.Ready() }},
			{Name: "cache", Ready: func(ctx context.Context) error { return cacheReady(ctx, shared) }, Degrades: always},
			{Name: "vendor", Ready: func(context.Context) error { return vendorReady(vendor) }, Degrades: always},
		},
	})
	tokenHandler := &token.Handler{
		Tokens: tokens, TTL: c.Token.Lifetime, Admit: limits.Admit(ratelimit.Token), Refuse: refuseTokens(c),
		Modes: tokenModes(c.Token.Mode), Features: gatewayFeatures(c.Gateway), GatewayURL: gatewayURL(c),
	}
	exports, err := openExports(c.Store, log)
	if err != nil {
		return nil, err
	}
	metrics.WatchSpool(exports.Used, int64(c.Store.ExportMax))
	portfolioHandler := &portfolio.Handler{
		Spool:      exports,
		Portfolios: portfolios, MaxBody: int64(c.Portfolio.MaxBody), LimitSave: limitSave, LimitRead: auth.RecordOwnReads(limitRead, recordReads(recorder)),
	}
	watchAnswers(metrics, portfolioHandler)
	notBlocked := auth.RefuseBlocked(refuseBlocked(watcher), c.Access.BlockCovers == config.BlockCoversTokens)
	authenticate := []server.Middleware{limits.LimitAuthFailures(), limits.LimitServiceKeys(), callers.Middleware()}
	userRoutes := []server.Routes{ // also those that a service calls for a user
		tokenHandler,
		&access.Handler{Access: a.access, Limit: limitSave},
		&token.SessionHandler{Grants: operators.Grants, Limit: limitRead, Settle: portfolios.Settle},
		portfolioHandler,
		&ingest.Handler{
			Service: statements, Jobs: statementJobs, Asker: statementParser{passOn}, Limit: limits.Middleware(ratelimit.Upload), LimitRead: limitRead, Key: portfolio.ReadKey,
		},
		&ingest.MailHandler{Consents: consents, Limit: limitSave, LimitRead: limitRead},
		&budget.Handler{Service: budgets, Limit: limitRead},
	}
	ownData := &privacy.Handler{Privacy: userData, Spool: exports, LimitExport: limitRead, LimitErase: limitSave}
	a.router.Mount("/v1", append(authenticate, notBlocked, auth.RefuseSubject), append(slices.Clip(userRoutes), ownData)...)
	a.router.Mount("/v1", nil, &webhook.Handler{Feed: events.feed, ActsFor: callers.ActsFor, Limit: limitRead})
	a.router.Mount("/v1/users", []server.Middleware{callers.ForUser(recordReads(recorder))},
		server.Below("/:subject", append(slices.Clip(userRoutes), privacy.UserHandler{Handler: ownData},
			&link.Handler{Links: links, URL: brokerURL(c), Limit: limitSave})...))
	if err := mountLinks(a.router, c, links, limits, tokenHandler, portfolioHandler); err != nil {
		return nil, err
	}
	mountGateway(a.router, c, passOn, forGateway)
	if c.Compat.Has(config.CompatToken) && c.Token.Mode == config.ModeGateway {
		log.Warn("tokens of compat.routes are gateway tokens: a front end must open the widget with apiBaseUrl set to api_base_url; token.mode both gives it direct ones")
	}
	a.router.Mount("", nil, compatRoutes{
		routes: c.Compat.Routes, callers: callers, limits: limits, refuse: []server.Middleware{notBlocked, auth.RefuseSubject},
		tokens: tokenHandler, portfolios: portfolioHandler, gateway: passOn,
	})
	byOperator := []server.Middleware{limits.LimitAuthFailures(session.ErrEnded), limits.LimitServiceKeys(), sessions.Middleware(callers.RecordedMiddleware()), notBlocked}
	limitAdmin, reserveSignIn := limits.Middleware(ratelimit.Admin), limits.Reserve(ratelimit.SignIn)
	a.router.Mount("/admin/v1", byOperator,
		&session.Handler{Sessions: sessions, Limit: limitAdmin, ReserveSignIn: reserveSignIn},
		&admin.Handler{Service: operators, Log: log, Limit: limitAdmin})
	a.router.Mount("/oauth", nil,
		&oauth.Handler{
			Tokens: &oauth.Service{Grants: operators.Grants, ActsFor: callers.ActsFor, Access: a.access, Recorder: db, Now: o.Now},
			Authenticate: []server.Middleware{
				limits.LimitAuthFailures(session.ErrEnded), limits.LimitServiceKeys(),
				oauth.Clients{ByKey: oauthClient(callers, sessions), Reserve: reserveSignIn}.Middleware(sessions.Middleware(callers.RecordedMiddleware())), notBlocked,
			},
			Limit: limits.ForServices(ratelimit.Read),
		},
		&oauth.ExchangeHandler{
			Tokens: tokenHandler, Auth: callers, Blocked: refuseBlocked(watcher),
			LimitFailures: []server.Middleware{limits.LimitAuthFailures(), limits.LimitServiceKeys()}, Now: o.Now,
		})
	a.router.Mount("", nil, metadataHandler(c), connect)
	a.router.Mount("", nil, &console.Handler{
		Admin: operators, Sessions: sessions, Files: consoleFiles, Demo: len(o.DemoHistory) > 0, Version: build.String(),
		Limit: limitAdmin, ReserveSignIn: reserveSignIn, Log: log, Now: o.Now,
	})
	a.router.Mount("", nil, &docs.Handler{Pages: web.Docs, OpenAPI: web.OpenAPI})
	a.router.Mount("", nil, o.Public...)

	a.readFiles = func(ctx context.Context) error { return errors.Join(files.check(ctx), keys.Check(ctx, vendor)) }

	// Jobs.
	sweep := &usage.Cleanup{Store: db, Jobs: db, Now: o.Now}
	converter := &portfolio.Converter{Store: db, Jobs: db, Log: log, Now: o.Now}
	a.jobs = []job{
		{name: "check API keys", every: keysEvery, atStart: true, do: func(ctx context.Context) error { return keys.Check(ctx, vendor) }},
		{name: "compare clocks", every: clocksEvery, atStart: true, do: compareClocks(clocks, db, shared, vendor)},
		{name: "read files with secrets again", every: keysEvery, do: files.check},
		{name: "write usage counts", every: countsEvery, do: uninterrupted(counter.Flush)},
		{name: "delete old usage counts", every: sweepEvery, atStart: true, do: sweep.Run},
		{name: "convert portfolios of an earlier release", every: convertEvery, atStart: true, do: converter.Run},
		{name: "encrypt reasons of blocks of an earlier release", every: convertEvery, atStart: true, do: withoutCount(db.SealReasons)},
		{name: "write audit records", every: recordsEvery, atStart: true, do: uninterrupted(recorder.Flush)},
		{name: "save captured statements", every: capturesEvery, atStart: true, do: captures.Run}, // also those from before gateway.capture was off
		{name: "delete expired files of forwarding addresses", every: purgeEvery, atStart: true, do: func(ctx context.Context) error {
			return db.DropExpiredFiles(ctx, o.Now())
		}},
		{name: "check that the database file is the one that is open", every: checkFileEvery, do: func(context.Context) error { return db.CheckFile() }},
		{name: "end and delete jobs of statements", every: settleEvery, atStart: true, do: statementJobs.Clean},
		countStatementJobs(db, jobMetrics, o.Now),
		{name: "remove expired idempotency keys", every: purgeEvery, do: withoutCount(portfolios.Purge)},
	}
	a.jobs = append(a.jobs, linkJobs(links)...)
	a.jobs = append(append(a.jobs, anchors...), metricJobs(c.Retention, metrics, db)...)
	a.jobs = append(a.jobs, events.jobs()...)
	a.jobs = append(a.jobs, budgetJobs(c, budgets, comparer, db, metrics)...)
	retention := &privacy.Retention{
		Expirer: db, Jobs: db, Portfolios: c.Retention.Portfolios, Grants: c.Retention.Grants, Calls: c.Retention.Calls,
		Events: c.Retention.Events, Links: c.Retention.Links, Records: c.Retention.Audit,
		Log: log, Now: o.Now,
		OnDone: recordDone(db, metrics, taskRetention, o.Now, log),
	}
	if retention.Enabled() {
		// At the start too: a broker that restarts often would never reach the first tick.
		a.jobs = append(a.jobs, job{name: "delete data past its retention", every: expireEvery, atStart: true, do: retention.Run})
	}
	return a, nil
}
