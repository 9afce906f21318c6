package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"casbroker/internal/audit"
)

// trailPath is where a broker tells of its audit trail.
const trailPath = "/admin/v1/audit"

// quietTime is how long an export may have nothing to say: a broker may have to look
// through many records until there are some that are wanted.
const quietTime = 2 * time.Minute

// errQuiet: the broker, or what lies between, is stuck.
var errQuiet = errors.New("nothing more came from the broker")

// filterFlags say which records are wanted.
type filterFlags struct {
	Subject named  `placeholder:"app:42" help:"Records about this user."`
	Actor   named  `placeholder:"WHO" help:"Records of what this user, admin or program did."`
	Action  named  `placeholder:"ACTION" help:"Records of this action, such as token.mint."`
	Outcome *named `enum:"ok,refused" placeholder:"OUTCOME" help:"ok or refused."`
	period
}

func (f filterFlags) query() url.Values {
	q := url.Values{}
	set(q, "subject", &f.Subject)
	set(q, "actor", &f.Actor)
	set(q, "action", &f.Action)
	set(q, "outcome", f.Outcome)
	f.into(q)
	return q
}

type listTrailCommand struct {
	filterFlags
	Limit int  `default:"50" help:"How many at most."`
	JSON  bool `help:"An object on each line, for scripts."`
	brokerFlags
}

// Run prints the newest records; the broker puts on record that they are read.
func (c listTrailCommand) Run(ctx context.Context, t *Terminal) error {
	if c.Limit < 1 {
		return errLimit
	}
	l := list{path: trailPath, query: c.query(), member: "records", maxPage: audit.MaxLimit}
	return c.signedIn(ctx, t, func(b *client) error {
		if c.JSON {
			return b.each(ctx, l, c.Limit, printLines(t.Out))
		}
		return b.each(ctx, l, c.Limit, printTable(t.Out, "TIME ACTION OUTCOME ACTOR ROLE SUBJECT OBJECT DETAIL ADDRESS", cellsOf))
	})
}

func cellsOf(v audit.View) []string {
	return []string{
		shown(v.At), string(v.Action), string(v.Outcome), v.Actor, v.Role, v.Subject, v.Object, v.Detail, v.Address,
	}
}

type exportTrailCommand struct {
	filterFlags
	Format string `enum:"ndjson,csv" default:"ndjson" help:"ndjson (an object on each line) or csv."`
	brokerFlags
}

// Run writes all records; the broker puts on record that they are exported.
func (c exportTrailCommand) Run(ctx context.Context, t *Terminal) error {
	q := c.query()
	q.Set("format", c.Format)
	return c.signedIn(ctx, t, func(b *client) error {
		return b.stream(ctx, trailPath+"/export?"+q.Encode(), audit.ExportTypes[c.Format], t.Out)
	})
}

// stream copies what the broker gives at path to w, however much that is, if it is of a media type.
func (c *client) stream(ctx context.Context, path, media string, w io.Writer) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watchdog := time.AfterFunc(quietTime, func() { cancel(errQuiet) })
	defer watchdog.Stop()
	res, err := c.send(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if err := isOf(res, media); err != nil {
		return err
	}
	_, err = io.Copy(w, watched{res.Body, watchdog})
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = cause
	}
	if err != nil {
		return fmt.Errorf("the export broke off, and what was written is not whole: %w", err)
	}
	return nil
}

// watched reads with a watchdog that barks when a read takes too long. Between reads
// it sleeps: how long its reader takes is not the broker's fault.
type watched struct {
	io.Reader
	watchdog *time.Timer
}

// Read reads under the watchdog's eyes.
func (r watched) Read(p []byte) (int, error) {
	r.watchdog.Reset(quietTime)
	defer r.watchdog.Stop()
	return r.Reader.Read(p)
}
