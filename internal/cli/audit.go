package cli

import (
	"context"
	"errors"
	"fmt"

	"casbroker/internal/app"
	"casbroker/internal/audit"
)

// errBroken is returned after the broken links were printed.
var errBroken = errors.New("the audit trail is incomplete or was changed")

type verifyTrailCommand struct{ settingsFlag }

// Run prints the first broken link of each chain, and fails if there is one.
func (c verifyTrailCommand) Run(ctx context.Context, t *Terminal) error {
	settings, err := c.load(t)
	if err != nil {
		return err
	}
	trail, err := app.OpenTrail(ctx, settings, app.Options{LogTo: t.Err})
	if err != nil {
		return err
	}
	defer func() { _ = trail.Close() }()
	report, err := trail.Verify(ctx, func(b audit.Break) { _, _ = fmt.Fprintln(t.Out, b) })
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(t.Out, "%d records of %d writers are intact; %d are older than the hash chains.\n",
		report.Records, report.Writers, report.Unchained)
	if report.Broken > 0 {
		return errBroken
	}
	return err
}
