package app

import (
	"context"
	"sync"
	"time"

	"casbroker/internal/access"
	"casbroker/internal/config"
)

// firstLook bounds how long the start waits for a database that hangs.
const firstLook = 3 * time.Second

// openAccess starts what keeps the view of blocks and revocations up to date. A
// database that does not answer does not stop the start; the broker is not ready then.
func (a *App) openAccess(ctx, running context.Context, d doors, o Options) *access.Service {
	c := a.settings.Access
	watch := access.WatchOptions{
		Store: d.store, PubSub: d.cache, Log: a.log, Now: o.Now, Poll: c.Poll, MaxAge: c.MaxStaleness, Observe: a.metrics.CountAccess,
	}
	if c.WhenStale == config.WhenStaleServe {
		watch.MaxAge = 0
	}
	w := access.NewWatcher(watch)
	a.metrics.WatchAccess(w)
	first, cancel := context.WithTimeout(ctx, firstLook)
	defer cancel()
	_ = w.Refresh(first, access.TriggerPoll) // Run tries again
	var watching sync.WaitGroup
	watching.Go(func() { w.Run(running) })
	a.onClose(func() error { // before the doors, which were opened before it
		a.stop()
		watching.Wait()
		return nil
	})
	return &access.Service{Store: d.store, Watcher: w, Now: o.Now}
}
