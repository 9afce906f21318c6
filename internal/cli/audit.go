package cli

import (
	"context"
	"errors"
	"fmt"
	"os"

	"casbroker/internal/app"
	"casbroker/internal/audit"
)

// errBroken is returned after the broken links were printed.
var errBroken = errors.New("the audit trail is incomplete or was changed")

type verifyTrailCommand struct {
	settingsFlag
	Anchor []string `placeholder:"FILE" type:"existingfile" help:"Also compare the trail with the anchors in this file: that of audit.anchor.file, or a log. May be repeated."`
}

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
	anchors, err := c.anchors(trail)
	if err != nil {
		return err
	}
	report, err := trail.Verify(ctx, func(b audit.Break) { _, _ = fmt.Fprintln(t.Out, b) }, anchors...)
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

// anchors reads the anchors in all files.
func (c verifyTrailCommand) anchors(trail *app.Trail) (list []audit.Anchor, err error) {
	for _, name := range c.Anchor {
		text, err := os.ReadFile(name) //nolint:gosec // the operator's own file
		if err != nil {
			return nil, err
		}
		found, err := audit.Anchors(trail.Box, text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		list = append(list, found...)
	}
	return list, nil
}
