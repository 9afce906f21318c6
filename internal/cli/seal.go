package cli

import (
	"context"
	"fmt"

	"casbroker/internal/app"
)

type rotateCommand struct{ settingsFlag }

// Run seals everything anew under the first key, with a line for each table. It
// fails when something is left that does not open.
func (c rotateCommand) Run(ctx context.Context, t *Terminal) error {
	settings, err := c.load(t)
	if err != nil {
		return err
	}
	rows := 0
	err = app.Rotate(ctx, settings, app.Options{LogTo: t.Err}, func(r app.Tally) {
		rows += r.Rows
		_, _ = fmt.Fprintf(t.Out, "%s: %d sealed anew, %d under missing keys, %d damaged\n", r.Table, r.Rows, r.Missing(), r.Damaged)
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(t.Out, "All is sealed under %[1]q as of now; %[2]d rows were sealed anew. Every replica has to have %[1]q first:\n"+
		"one that has another there goes on sealing under that.\n", settings.Seal.Keys[0].ID, rows)
	return err
}

type verifyCommand struct{ settingsFlag }

// Run opens everything that is sealed, with a line for each table. It fails when
// something does not open.
func (c verifyCommand) Run(ctx context.Context, t *Terminal) error {
	settings, err := c.load(t)
	if err != nil {
		return err
	}
	rows := 0
	err = app.Verify(ctx, settings, app.Options{LogTo: t.Err}, func(r app.Tally) {
		rows += r.Rows
		_, _ = fmt.Fprintf(t.Out, "%s: %d open, %d under missing keys, %d damaged\n", r.Table, r.Rows, r.Missing(), r.Damaged)
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(t.Out, "All that is sealed opens: %d rows.\n", rows)
	return err
}
