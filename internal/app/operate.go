package app

import (
	"context"
	"fmt"
	"time"

	"casbroker/internal/admin"
	"casbroker/internal/admin/console"
	"casbroker/internal/admin/oauth"
	"casbroker/internal/admin/session"
	"casbroker/internal/audit"
	"casbroker/internal/auth"
	"casbroker/internal/cache"
	"casbroker/internal/config"
	"casbroker/internal/httpapi"
	"casbroker/internal/ratelimit"
	"casbroker/internal/server"
	"casbroker/internal/token"
	"casbroker/internal/upstream"
	"casbroker/internal/usage"
	"casbroker/web"
)

// operatorPaths begin the paths that no other site's pages may read, not even those
// of the app.
var operatorPaths = []string{"/admin/", "/console", "/oauth/"}

// mountOperators adds what those who run the broker use: calls, and pages.
func (a *App) mountOperators(d doors, limits *ratelimit.Limiter, callers *auth.Authenticator, o Options) {
	sessions := &session.Service{Keys: adminKeys(a.settings.Admin), Store: d.store, Box: d.box, Log: a.log, Now: o.Now}
	desk := a.newDesk(d, o)
	for _, name := range session.Outdated(sessions.Keys) {
		a.log.Warn("admin key has an argon2id hash, which still works; replace the key with a new one from broker admin-key", "admin", name)
	}
	limit, limitSignIn := limits.Middleware(ratelimit.Admin), limits.Failures(ratelimit.SignIn, session.ErrWrongKey)
	known := []server.Middleware{limits.Guard(session.ErrEnded), sessions.Middleware(callers.Middleware())}
	a.router.Mount("/admin/v1", known,
		&session.Handler{Sessions: sessions, Limit: limit, LimitSignIn: limitSignIn},
		&admin.Handler{Service: desk, Log: a.log, Limit: limit})
	a.router.Mount("/oauth", append([]server.Middleware{httpapi.InDialect(httpapi.OAuth)}, known...), &oauth.Handler{
		Tokens: &oauth.Service{Grants: desk.Grants, Access: a.access, Record: d.store, Now: o.Now}, Limit: limits.Middleware(ratelimit.Read),
	})
	a.router.Mount("", nil, &console.Handler{
		Admin: desk, Sessions: sessions, Pages: web.Console, Demo: len(o.Invented) > 0, Version: Version(),
		Limit: limit, LimitSignIn: limitSignIn, Log: a.log, Now: o.Now,
	})
}

func (a *App) newDesk(d doors, o Options) *admin.Service {
	return &admin.Service{
		Access: a.access,
		Grants: &token.Directory{Grants: d.store, Box: d.box, Now: o.Now},
		Users:  d.store, Shelf: d.store,
		Trail: &audit.Service{Book: d.store, Chains: d.store, Box: d.box},
		Usage: &usage.Service{Book: d.store, Now: o.Now}, Vendor: &upstream.CreditsCache{Source: d.vendor, Now: o.Now},
		Settings: inForce(a.settings), Version: Version(), Health: a.health(d), Now: o.Now,
	}
}

// OutdatedAdminKeys returns the names of the admin keys whose hash has the form of
// releases before 0.2.0. They work, and should be replaced.
func OutdatedAdminKeys(c config.Config) []string { return session.Outdated(adminKeys(c.Admin)) }

func adminKeys(c config.Admin) []session.Key {
	keys := make([]session.Key, 0, len(c.Keys))
	for _, k := range c.Keys {
		keys = append(keys, session.Key(k))
	}
	return keys
}

// inForce lists the settings, secrets hidden.
func inForce(c config.Config) []admin.Setting {
	var list []admin.Setting
	for _, e := range c.List() {
		list = append(list, admin.Setting(e))
	}
	return list
}

// healthTime bounds a look at how everything does.
const healthTime = 2 * time.Second

// health returns what tells how that does which the broker leans on.
func (a *App) health(d doors) func(context.Context) []admin.Component {
	return func(ctx context.Context) []admin.Component {
		ctx, cancel := context.WithTimeout(ctx, healthTime)
		defer cancel()
		return []admin.Component{
			vendorHealth(d.vendor.State()), cacheHealth(d.cache),
			part("database", d.store.Ready(ctx)), a.accessHealth(ctx),
		}
	}
}

// part is well unless err says otherwise, in words that anybody may read.
func part(name string, err error) admin.Component {
	if err == nil {
		return admin.Component{Name: name, State: admin.OK}
	}
	return admin.Component{Name: name, State: admin.Down, Note: server.Reason(err)}
}

// accessHealth tells whether this replica knows what was blocked and revoked lately.
func (a *App) accessHealth(ctx context.Context) admin.Component {
	p := part("revocations", a.access.Watcher.Ready(ctx))
	if age := a.access.Watcher.Age(); p.State == admin.OK && age > a.settings.Access.MaxStaleness {
		p.State = admin.Degraded
		p.Note = fmt.Sprintf("The last look at the database was %s ago; by access.when_stale tokens are given all the same.", age.Round(time.Second))
	}
	return p
}

func cacheHealth(c cache.Cache) admin.Component {
	p := admin.Component{Name: "cache", State: admin.OK}
	switch is := c.(type) {
	case *cache.Memory:
		p.State, p.Note = admin.Unused, "By the settings tokens and limits are kept in this process, and no Redis is used."
	case *cache.Fallback:
		if is.Degraded() {
			p.State, p.Note = admin.Degraded, "Redis does not answer; this replica counts and caches by itself until it is back."
		}
	}
	return p
}

func vendorHealth(s upstream.State) admin.Component {
	p := admin.Component{Name: "vendor", State: admin.OK}
	switch {
	case s.Breaker == upstream.Open:
		p.State = admin.Down
		p.Note = "The vendor failed several times in a row and is left alone for a while; users who have a token still get it."
	case !s.Well():
		p.State = admin.Degraded
		p.Note = fmt.Sprintf("The last call ended as %s at %s.", s.Last, s.At.UTC().Format(time.RFC3339))
	case s.Last == "":
		p.Note = "It was not called since this replica started."
	}
	return p
}
