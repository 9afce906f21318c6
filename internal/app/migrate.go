package app

import (
	"context"
	"fmt"
	"time"

	"casbroker/internal/store"
)

// migrateAgain is how long after an attempt a database that was unreachable is tried again.
const migrateAgain = time.Second

// migrate migrates db. If its server is unreachable, it returns nil and tries until running ends,
// since a restart would find it no sooner: the broker is alive meanwhile, but not ready.
func (a *App) migrate(ctx, running context.Context, db *store.DB) error {
	err := a.migrateOnce(ctx, db)
	switch {
	case err == nil:
		return nil
	case !db.Unreachable(err):
		return fmt.Errorf("migrate the database: %w", err)
	}
	a.log.WarnContext(ctx, "the database is unreachable; it is migrated once it can be reached", "error", err)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		a.migrateWhenReachable(running, db, err)
	}()
	a.onClose(func() error {
		a.stop()
		<-ended
		return nil
	})
	return nil
}

func (a *App) migrateOnce(ctx context.Context, db *store.DB) error {
	steps, err := db.Migrate(ctx)
	if err == nil {
		a.log.InfoContext(ctx, "database is up to date", "steps", steps)
	}
	return err
}

// migrateWhenReachable migrates db, again and again until it succeeds or ctx ends. It logs each
// error that differs from the one before, which is last at first.
func (a *App) migrateWhenReachable(ctx context.Context, db *store.DB, last error) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(migrateAgain):
		}
		err := a.migrateOnce(ctx, db)
		if err == nil || ctx.Err() != nil {
			return
		}
		if err.Error() != last.Error() {
			a.log.WarnContext(ctx, "the database cannot be migrated; it is tried again", "error", err)
		}
		last = err
	}
}
