package cli

import (
	"context"
	"fmt"

	"casbroker/internal/app"
)

type rotateCommand struct{ settingsFlag }

// Run encrypts everything again with the first key and prints a line per table. It fails if
// values cannot be decrypted.
func (c rotateCommand) Run(ctx context.Context, t *Terminal) error {
	settings, err := c.load(t)
	if err != nil {
		return err
	}
	rows := 0
	err = app.Rotate(ctx, settings, app.Options{LogTo: t.Err}, func(r app.Tally) {
		rows += r.Rows
		_, _ = fmt.Fprintf(t.Out, "%s: %d encrypted again, %d with missing keys, %d damaged\n", r.Table, r.Rows, r.Missing(), r.Damaged)
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(t.Out, "All values are now encrypted with %[1]q; %[2]d rows were encrypted again. Every replica must have %[1]q first:\n"+
		"a replica with another first key continues to encrypt with that one.\n", settings.Seal.Keys[0].ID, rows)
	return err
}

type verifyCommand struct{ settingsFlag }

// Run decrypts everything and prints a line per table. It fails if values cannot be
// decrypted.
func (c verifyCommand) Run(ctx context.Context, t *Terminal) error {
	settings, err := c.load(t)
	if err != nil {
		return err
	}
	rows := 0
	err = app.Verify(ctx, settings, app.Options{LogTo: t.Err}, func(r app.Tally) {
		rows += r.Rows
		_, _ = fmt.Fprintf(t.Out, "%s: %d readable, %d with missing keys, %d damaged\n", r.Table, r.Rows, r.Missing(), r.Damaged)
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(t.Out, "All encrypted values can be decrypted: %d rows.\n", rows)
	return err
}
