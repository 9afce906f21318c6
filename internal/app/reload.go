package app

import (
	"context"
	"slices"
	"strings"
	"time"

	"casbroker/internal/config"
)

// fileSettles is how long a file with a secret must have the same content when it is read for
// Reload: it may be read while it is written.
const fileSettles = 200 * time.Millisecond

// levelSetting is the only setting that Reload replaces.
const levelSetting = "log.level"

// Reload puts into use what can be replaced while the program serves: the secrets in files, and
// log.level of the settings that load returns. The log says which other settings differ from
// those of the start, and need a restart. If load fails, only files are read. Requests go on.
func (a *App) Reload(ctx context.Context, load func() (config.Config, error)) {
	reloaded := "log.level and the files with secrets"
	if next, err := load(); err != nil {
		reloaded = "the files with secrets"
		a.log.ErrorContext(ctx, "the settings cannot be used, so those read before are used still", "error", err)
	} else {
		a.replaceLevel(ctx, next)
	}
	_ = a.readFiles(ctx) // it reports by itself
	select {
	case <-ctx.Done():
		return
	case <-time.After(fileSettles):
	}
	_ = a.readFiles(ctx)
	a.log.InfoContext(ctx, "reloaded: "+reloaded)
}

// replaceLevel puts the level of the log into use, and reports all other changes.
func (a *App) replaceLevel(ctx context.Context, next config.Config) {
	a.level.Use(logLevel(next)) // also ends a level that an operator chose
	changed := slices.DeleteFunc(a.given.Changes(next), func(key string) bool { return key == levelSetting })
	if len(changed) > 0 {
		a.log.WarnContext(ctx, "changed settings need a restart", "settings", strings.Join(changed, ", "))
	}
}
