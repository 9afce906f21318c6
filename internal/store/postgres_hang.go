package store

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// A statement that has taken hangAfter makes the pool try to connect. If that takes
// probeTimeout, the server hangs; it is tried again every probeEvery.
const (
	hangAfter    = 750 * time.Millisecond
	probeTimeout = time.Second
	probeEvery   = 500 * time.Millisecond
)

// errHangs is returned for what needs a server that hangs.
var errHangs = errors.New("postgres: the server hangs")

// hangDetector finds out that a server neither answers nor refuses. Callers then fail at once,
// also those that wait already, until the server answers again. A server
// that is busy with long statements, or with locks, still takes connections.
//
// With several hosts in store.url, and target_session_attrs, the connections to one that hangs are given up
// once another one is the one to use.
//
// Two kinds of hanging are not found, in which a caller waits for up to queryTimeout:
//
//   - A server that answers and only cannot write, as with a disk that stalls or a synchronous
//     standby that is away. A probe that writes would find that, but also each flush of a slow disk that
//     takes longer than a second. Giving up then fails changes that would have succeeded, and, as their
//     COMMIT may be under way, none of their callers would know whether they were made.
//   - A server behind PgBouncer, which takes connections for it. A probe with a query
//     would wait in PgBouncer's queue like every other one, so that a pool that is busy for a second, or
//     waits for locks, would look like a server that hangs, and all callers would be refused.
type hangDetector struct {
	connect func(ctx context.Context) (moved bool, err error) // opens a connection and closes it
	hosts   int                                               // that connect may try, each for probeTimeout
	log     *slog.Logger

	mu      sync.Mutex
	probing bool
	closed  bool
	answers context.Context //nolint:containedctx // ends when the server is found to hang
	giveUp  context.CancelFunc
}

func newHangDetector(connect func(ctx context.Context) (moved bool, err error), log *slog.Logger) *hangDetector {
	d := &hangDetector{connect: connect, hosts: 1, log: log}
	d.answers, d.giveUp = context.WithCancel(context.Background())
	return d
}

// begin is called before each use of the server, and ended after it. answers ends when the server
// is found to hang.
func (d *hangDetector) begin() (answers context.Context, ended func() bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.answers.Err() != nil {
		return nil, nil, errHangs
	}
	return d.answers, time.AfterFunc(hangAfter, d.suspect).Stop, nil
}

// suspect probes the server, unless that is under way.
func (d *hangDetector) suspect() {
	d.mu.Lock()
	again := d.probing || d.closed
	d.probing = true
	d.mu.Unlock()
	if again {
		return
	}
	for d.probe() {
		time.Sleep(probeEvery) //nolint:forbidigo // a server that comes back tells nobody
	}
}

// probe reports whether the server is to be probed again.
func (d *hangDetector) probe() (again bool) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(d.hosts)*probeTimeout)
	defer cancel()
	moved, err := d.connect(ctx)
	hangs := err != nil && (ctx.Err() != nil || pgconn.Timeout(err)) && !errors.As(err, new(*pgconn.PgError))
	d.mu.Lock()
	defer d.mu.Unlock()
	switch known := d.answers.Err() != nil; {
	case hangs && !known:
		d.log.Warn("the database server hangs: requests that need it are refused until it answers")
		d.giveUp()
	case moved && !known && !d.closed:
		d.log.Warn("another host of store.url is the one to use; the connections to the last one are given up")
		d.giveUp()
		d.answers, d.giveUp = context.WithCancel(context.Background())
	case !hangs && known:
		d.log.Info("the database server answers again")
		d.answers, d.giveUp = context.WithCancel(context.Background())
	}
	d.probing = hangs && !d.closed
	return d.probing
}

// close ends the probes.
func (d *hangDetector) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	d.giveUp()
}
