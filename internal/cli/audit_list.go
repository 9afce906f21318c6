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

// trailPath is the path of the audit trail at a broker.
const trailPath = "/admin/v1/audit"

// idleTimeout is how long an export may send nothing: a broker may have to search many
// records before one matches.
const idleTimeout = 2 * time.Minute

// errIdle is returned after idleTimeout.
var errIdle = errors.New("the broker sent nothing more")

// filterFlags select audit records.
type filterFlags struct {
	Subject name  `placeholder:"app:42" help:"Only records about this user."`
	Actor   name  `placeholder:"WHO" help:"Only records of what this user, admin or program did."`
	Action  name  `placeholder:"ACTION" help:"Only records of this action, such as token.mint."`
	Outcome *name `enum:"ok,refused" placeholder:"OUTCOME" help:"Only records with this outcome: ok or refused."`
	Request *name `placeholder:"REQUEST_ID" help:"Only records of this request: the request_id of an answer or of the log."`
	period
}

func (f filterFlags) query() url.Values {
	q := url.Values{}
	set(q, "subject", &f.Subject)
	set(q, "actor", &f.Actor)
	set(q, "action", &f.Action)
	set(q, "outcome", f.Outcome)
	set(q, "request_id", f.Request)
	f.addTo(q)
	return q
}

type listTrailCommand struct {
	filterFlags
	Limit int  `default:"50" help:"The maximum number."`
	JSON  bool `help:"Print a JSON object per line, for scripts."`
	brokerFlags
}

// Run prints the newest records; the broker records that they were read.
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
		formatTime(v.At), string(v.Action), string(v.Outcome), v.Actor, v.Role, v.Subject, v.Object, v.Detail, v.Address,
	}
}

type exportTrailCommand struct {
	filterFlags
	Format string `enum:"ndjson,csv" default:"ndjson" help:"ndjson (a JSON object per line) or csv."`
	brokerFlags
}

// Run writes all records; the broker records that they were exported.
func (c exportTrailCommand) Run(ctx context.Context, t *Terminal) error {
	q := c.query()
	q.Set("format", c.Format)
	return c.signedIn(ctx, t, func(b *client) error {
		return b.stream(ctx, trailPath+"/export?"+q.Encode(), audit.ExportTypes[c.Format], t.Out)
	})
}

// stream copies the answer at path to w, without a limit, if it has the media type.
func (c *client) stream(ctx context.Context, path, media string, w io.Writer) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watchdog := time.AfterFunc(idleTimeout, func() { cancel(errIdle) })
	defer watchdog.Stop()
	res, err := c.send(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if err := checkMedia(res, media); err != nil {
		return err
	}
	_, err = io.Copy(w, watched{res.Body, watchdog})
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = cause
	}
	if err != nil {
		return fmt.Errorf("the export was interrupted, and the output is incomplete: %w", err)
	}
	return nil
}

// watched is a Reader whose watchdog fires if a read takes longer than idleTimeout. Time
// between reads does not count.
type watched struct {
	io.Reader
	watchdog *time.Timer
}

// Read starts the watchdog, reads, and stops it.
func (r watched) Read(p []byte) (int, error) {
	r.watchdog.Reset(idleTimeout)
	defer r.watchdog.Stop()
	return r.Reader.Read(p)
}
