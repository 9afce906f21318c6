package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"casbroker/internal/app"
	"casbroker/internal/netaddr"
	"casbroker/internal/telemetry"
)

// errFault is returned after the findings were printed.
var errFault = errors.New("there is a fault")

// errOrigin is returned for an --origin that no browser sends.
var errOrigin = usageError{errors.New("--origin: want the origin of a page, such as https://app.example, without a path")}

type doctorCommand struct {
	settingsFlag
	Origin    name `placeholder:"ORIGIN" help:"Also check that browsers let pages of this origin call the broker."`
	UserToken name `placeholder:"JWT" help:"Also check that this JWT of a user is accepted."`
	JSON      bool `help:"Print JSON."`
}

// Run prints a line for each check, and fails if there is a fault.
func (c doctorCommand) Run(ctx context.Context, t *Terminal) error {
	origin, ok := netaddr.Origin(string(c.Origin)) // as browsers send it
	if c.Origin != "" && !ok {
		return errOrigin
	}
	settings, err := c.load(t)
	if err != nil {
		_ = c.print(t, []app.Finding{{Check: "settings", State: app.FindingFault, Note: err.Error(), Remedy: "correct each of these settings; config/broker.yaml explains them"}})
		return usageError{errFault}
	}
	found := app.Diagnose(ctx, settings, app.Options{SettingsFile: c.File, Environ: t.Environ}, app.Caller{Origin: origin, UserToken: string(c.UserToken)})
	if err := c.print(t, found); err != nil {
		return err
	}
	if slices.ContainsFunc(found, func(f app.Finding) bool { return f.State == app.FindingFault }) {
		return errFault
	}
	return nil
}

func (c doctorCommand) print(t *Terminal, found []app.Finding) error {
	secrets := t.secrets
	for i := range found {
		found[i].Note, found[i].Remedy = telemetry.Scrub(found[i].Note, secrets...), telemetry.Scrub(found[i].Remedy, secrets...)
	}
	if c.JSON {
		text, err := json.Marshal(map[string]any{"findings": found}, jsontext.WithIndent("  "))
		if err == nil {
			_, err = fmt.Fprintf(t.Out, "%s\n", text)
		}
		return err
	}
	for _, f := range found {
		line := fmt.Sprintf("%-8s%s: %s", f.State, f.Check, f.Note)
		if f.Remedy != "" {
			line += "\n        Remedy: " + f.Remedy
		}
		if _, err := fmt.Fprintln(t.Out, strings.Map(printableLines, line)); err != nil {
			return err
		}
	}
	return nil
}

// printableLines is printable for a text of several lines.
func printableLines(r rune) rune {
	if r == '\n' {
		return r
	}
	return printable(r)
}
