package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/go-json-experiment/json"

	"casbroker/internal/app"
	"casbroker/internal/audit"
)

// errBroken: the lines before say where.
var errBroken = errors.New("the audit trail is not whole")

type verifyTrailCommand struct{ settingsFlag }

// Run names the first broken link of each chain, and fails when there is one.
func (c verifyTrailCommand) Run(ctx context.Context, t *Terminal) error {
	trail, err := c.open(ctx, t)
	if err != nil {
		return err
	}
	defer func() { _ = trail.Close() }()
	report, err := trail.Verify(ctx, func(b audit.Break) { _, _ = fmt.Fprintln(t.Out, b) })
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(t.Out, "%d records of %d writers are whole; %d are from before there were chains.\n",
		report.Records, report.Writers, report.Unchained)
	if report.Broken > 0 {
		return errBroken
	}
	return err
}

// open opens the audit trail of the settings.
func (f settingsFlag) open(ctx context.Context, t *Terminal) (*app.Trail, error) {
	settings, err := f.load(t)
	if err != nil {
		return nil, err
	}
	return app.OpenTrail(ctx, settings, app.Options{LogTo: t.Err})
}

// filterFlags say which records are wanted.
type filterFlags struct {
	Subject string `help:"Records about this user, such as app:42."`
	Actor   string `help:"Records of what this user or program did."`
	Action  string `help:"Records of this action, such as token.mint."`
	Outcome string `enum:",ok,refused,failed" default:"" help:"ok, refused or failed."`
	Since   moment `placeholder:"TIME" help:"From then on: 2026-04-01T10:00:00Z, or 24h for a day ago."`
	Until   moment `placeholder:"TIME" help:"Before then."`
}

func (f filterFlags) filter() audit.Filter {
	return audit.Filter{
		Subject: f.Subject, Actor: f.Actor, Action: audit.Action(f.Action), Outcome: audit.Outcome(f.Outcome),
		Since: time.Time(f.Since), Until: time.Time(f.Until),
	}
}

// moment is an instant as people write it.
type moment time.Time

// UnmarshalText reads an instant, or how long ago it is.
func (m *moment) UnmarshalText(text []byte) error {
	if ago, err := time.ParseDuration(string(text)); err == nil && ago >= 0 {
		*m = moment(time.Now().Add(-ago))
		return nil
	}
	at, err := time.Parse(time.RFC3339, string(text))
	if err != nil {
		return fmt.Errorf("want a time such as 2026-04-01T10:00:00Z, or how long ago it is, such as 24h; not %q", text)
	}
	*m = moment(at)
	return nil
}

type listCommand struct {
	settingsFlag
	filterFlags
	Limit int  `default:"50" help:"How many at most."`
	JSON  bool `help:"An object on each line, for scripts."`
}

// Run prints the newest records, once it is on record that they are read.
func (c listCommand) Run(ctx context.Context, t *Terminal) error {
	if c.Limit < 1 {
		return usageError{errors.New("--limit: want 1 or more")}
	}
	trail, err := c.open(ctx, t)
	if err != nil {
		return err
	}
	defer func() { _ = trail.Close() }()
	show := c.table(t)
	if c.JSON {
		show = func(views []audit.View) error { return lines(t, views) }
	}
	for cursor, left := "", c.Limit; ; {
		page, err := trail.Find(ctx, c.filter(), cursor, min(left, audit.MaxLimit))
		if err != nil {
			return err
		}
		if cursor == "" {
			if err := trail.Book.Append(ctx, trail.Record(audit.AdminRead, "audit")); err != nil {
				return err
			}
		}
		views := make([]audit.View, len(page.Entries))
		for i, e := range page.Entries {
			views[i] = e.View()
		}
		if err := show(views); err != nil {
			return err
		}
		if left -= len(views); left == 0 || page.Next == "" {
			return nil
		}
		cursor = page.Next
	}
}

func lines(t *Terminal, views []audit.View) error {
	for _, v := range views {
		if err := json.MarshalWrite(t.Out, v); err != nil {
			return err
		}
		if _, err := fmt.Fprintln(t.Out); err != nil {
			return err
		}
	}
	return nil
}

// table returns what writes records for people, under a line that names the columns.
func (c listCommand) table(t *Terminal) func([]audit.View) error {
	w := tabwriter.NewWriter(t.Out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "TIME\tACTION\tOUTCOME\tACTOR\tROLE\tSUBJECT\tOBJECT\tDETAIL\tADDRESS")
	return func(views []audit.View) error {
		for _, v := range views {
			cells := []string{
				v.At.Format(time.RFC3339), string(v.Action), string(v.Outcome), v.Actor, v.Role, v.Subject, v.Object, v.Detail, v.Address,
			}
			for i, cell := range cells {
				cells[i] = strings.Map(printable, cell)
			}
			_, _ = fmt.Fprintln(w, strings.Join(cells, "\t"))
		}
		return w.Flush()
	}
}

// printable keeps what callers chose from steering the terminal.
func printable(r rune) rune {
	if !unicode.IsPrint(r) {
		return '?'
	}
	return r
}

type exportCommand struct {
	settingsFlag
	filterFlags
	Format string `enum:"ndjson,csv" default:"ndjson" help:"ndjson (an object on each line) or csv."`
}

// Run writes all records, once it is on record that they are exported.
func (c exportCommand) Run(ctx context.Context, t *Terminal) error {
	trail, err := c.open(ctx, t)
	if err != nil {
		return err
	}
	defer func() { _ = trail.Close() }()
	return trail.Export(ctx, t.Out, c.filter(), c.Format, trail.Record(audit.AuditExport, c.Format))
}
