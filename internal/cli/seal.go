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
	err = app.Rotate(ctx, settings, func(r app.Resealed) {
		rows += r.Rows
		_, _ = fmt.Fprintf(t.Out, "%s: %d sealed anew, %d under missing keys, %d damaged\n", r.Table, r.Rows, r.Missing(), r.Damaged)
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(t.Out, "All is sealed under %q; %d rows were sealed anew.\n", settings.Seal.Keys[0].ID, rows)
	return err
}
