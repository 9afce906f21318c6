package store

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/gofrs/flock"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations
var migrations embed.FS

// Migrate runs the migrations that have not run yet, and returns their number. Of
// concurrent callers, also in other processes, one does the work while the others wait.
func (s *DB) Migrate(ctx context.Context) (int, error) {
	unlock, err := s.lockMigrations(ctx)
	if err != nil {
		return 0, fmt.Errorf("lock the database for migration: %w", err)
	}
	defer unlock()
	provider, err := s.provider()
	if err != nil {
		return 0, err
	}
	done, err := provider.Up(ctx)
	if err != nil {
		return len(done), s.explain(ctx, "migrate", err)
	}
	return len(done), nil
}

// pending reports whether there are migrations that have not run.
func (s *DB) pending(ctx context.Context) (bool, error) {
	provider, err := s.provider()
	if err != nil {
		return false, err
	}
	return provider.HasPending(ctx)
}

func (s *DB) provider() (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations/"+s.dialect.name)
	if err != nil {
		return nil, err
	}
	// Branches are merged in any order, so a database can lack a number below its highest.
	options := []goose.ProviderOption{goose.WithAllowOutofOrder(true)}
	if s.dialect.lockFile == "" {
		locker, err := lock.NewPostgresSessionLocker()
		if err != nil {
			return nil, err
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	options = append(options, goose.WithGoMigrations(s.sealUnchained()))
	return goose.NewProvider(goose.Dialect(s.dialect.goose), s.writer, files, options...)
}

// lockMigrations locks a file next to a database that has no locks across sessions.
func (s *DB) lockMigrations(ctx context.Context) (unlock func(), err error) {
	if s.dialect.lockFile == "" {
		return func() {}, nil
	}
	file := flock.New(s.dialect.lockFile, flock.SetPermissions(0o600))
	locked, err := file.TryLockContext(ctx, 50*time.Millisecond)
	if err != nil {
		return nil, err
	}
	if !locked {
		return nil, errors.New("another process holds " + s.dialect.lockFile)
	}
	return func() { _ = file.Unlock() }, nil
}
