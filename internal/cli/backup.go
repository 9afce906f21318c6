package cli

import (
	"context"
	"errors"
	"fmt"

	"casbroker/internal/app"
	"casbroker/internal/audit"
)

type backupCommand struct {
	settingsFlag
	Path   string `arg:"" optional:"" name:"file" help:"The new file."`
	Record bool   `help:"Make no copy: only record that one was made with other tools, such as pg_dump, so that brokers say so in their metrics."`
}

var errBackup = usageError{errors.New("name the new file, or use --record after a backup with other tools")}

// Run writes a checked copy of the SQLite database of the settings, while brokers serve.
func (c backupCommand) Run(ctx context.Context, t *Terminal) error {
	settings, err := c.load(t)
	if err != nil {
		return err
	}
	if c.Record == (c.Path != "") {
		return errBackup
	}
	if c.Record {
		if err := app.RecordBackup(ctx, settings, app.Options{LogTo: t.Err}); err != nil {
			return err
		}
		_, err := fmt.Fprintln(t.Out, "It is recorded that a backup was made now.")
		return err
	}
	found, err := app.Backup(ctx, settings, app.Options{LogTo: t.Err}, c.Path)
	if err != nil {
		return err
	}
	if found.Unrecorded != nil {
		t.message(fmt.Sprintf("warning: the metrics will not know of this backup: %v", found.Unrecorded))
	}
	_, err = fmt.Fprintf(t.Out, "%s is a whole copy: %d audit records are intact, %d encrypted values can be decrypted. Keep the keys in another place.\n",
		c.Path, found.Records, found.Values)
	return err
}

type restoreCommand struct {
	verifyTrailCommand
	Path string `arg:"" name:"file" type:"existingfile" help:"The copy, made by broker backup."`
}

// Run puts a checked copy in the place of the SQLite database of the settings, of a stopped
// broker.
func (c restoreCommand) Run(ctx context.Context, t *Terminal) error {
	settings, err := c.load(t)
	if err != nil {
		return err
	}
	found, err := app.Restore(ctx, settings, app.Options{LogTo: t.Err}, c.Path, c.anchors, func(b audit.Break) { _, _ = fmt.Fprintln(t.Out, b) })
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(t.Out, "%s is restored: %d audit records are intact, %d encrypted values can be decrypted; migrated by %d steps.\n",
		c.Path, found.Records, found.Values, found.Steps)
	if found.Before != "" {
		_, _ = fmt.Fprintf(t.Out, "The database before is now %s.\n", found.Before)
	}
	_, err = fmt.Fprintln(t.Out, "With Redis, empty it before the broker starts (FLUSHDB): it may have tokens that are newer than the revocations in the copy.")
	return err
}
