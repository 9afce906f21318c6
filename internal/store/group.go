package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"
)

// What one transaction of a group takes in: those that come later wait for the
// next one.
const (
	groupSize = 64
	groupTime = 50 * time.Millisecond
)

// errClosed: the broker ends.
var errClosed = ErrUnavailable.Because(errors.New("the database was closed"))

// group makes changes in a database that has one writer. All that come while a
// transaction is written to the disk share the next one, and so the wait for the
// disk. Each is on its own nevertheless: one that fails leaves the others alone.
type group struct {
	db    *sql.DB
	rows  *prepared    // for changes that write many
	lanes *lanes       // one, for the audit records of all
	queue chan *change // has no room: who is not taken yet may still go away
	quit  chan struct{}
	stop  func()
	ended chan struct{}
}

// change is one that waits for its turn.
type change struct {
	caller context.Context // asked whether the caller is still there
	do     work
	done   chan error
}

// newGroup starts what makes the changes in db, until close is called.
func newGroup(db *sql.DB, l *lanes) *group {
	g := &group{
		db: db, rows: &prepared{}, lanes: l, queue: make(chan *change), quit: make(chan struct{}), ended: make(chan struct{}),
	}
	g.stop = sync.OnceFunc(func() { close(g.quit) })
	go g.loop()
	return g
}

// close ends the group once what it has begun is durable. Those that wait are
// refused.
func (g *group) close() {
	g.stop()
	<-g.ended
}

// change returns when do is durable or has left nothing behind. It is dropped when
// ctx ends before its turn, and undone when ctx ends before do does.
func (g *group) change(ctx context.Context, do work) error {
	c := &change{caller: ctx, do: do, done: make(chan error, 1)}
	select {
	case g.queue <- c:
		return <-c.done
	case <-ctx.Done():
		return ctx.Err()
	case <-g.quit:
		return errClosed
	}
}

func (g *group) loop() {
	defer close(g.ended)
	for {
		select {
		case first := <-g.queue:
			g.transact(first)
		case <-g.quit:
			return
		}
	}
}

// transact makes first and all that wait durable in one transaction.
func (g *group) transact(first *change) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	h, err := g.lanes.take(ctx)
	if err != nil {
		first.done <- late(ctx, err)
		return
	}
	defer h.leave()
	conn, err := g.db.Conn(ctx)
	if err != nil {
		first.done <- late(ctx, err)
		return
	}
	defer func() { _ = conn.Close() }()
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		first.done <- late(ctx, err)
		return
	}
	defer func() { _ = tx.Rollback() }()
	kept, err := g.collect(ctx, conn, tx, h, first)
	if err == nil {
		err = h.commit(ctx, tx)
	}
	h.spent = h.spent || err != nil // what is lost was undone by the database, who knows when
	for _, c := range kept {
		c.done <- late(ctx, err)
	}
}

// collect runs first and those that wait. It returns what is to be made durable.
// With an error, the transaction is lost, and with it all that it returns.
func (g *group) collect(ctx context.Context, conn *sql.Conn, tx *sql.Tx, h *hold, first *change) (kept []*change, err error) {
	g.rows.begin(conn)
	defer g.rows.end()
	began := time.Now()
	for c := first; c != nil; c = g.next(began, len(kept)) {
		failed, err := run(ctx, tx, h, c)
		switch {
		case err != nil:
			return append(kept, c), err
		case failed != nil:
			c.done <- failed
		default:
			kept = append(kept, c)
		}
	}
	return kept, nil
}

// next returns a change that waits, if there is one and room for it.
func (g *group) next(began time.Time, taken int) *change {
	if taken == groupSize || time.Since(began) > groupTime {
		return nil
	}
	select {
	case c := <-g.queue:
		return c
	default:
		return nil
	}
}

// run does c, and undoes it when it fails or its caller has gone. lost tells that
// the whole transaction is: some failures take more with them than their statement.
func run(ctx context.Context, tx *sql.Tx, h *hold, c *change) (failed, lost error) {
	if err := c.caller.Err(); err != nil {
		return err, nil
	}
	before := h.head
	if _, err := tx.ExecContext(ctx, "SAVEPOINT change"); err != nil {
		return nil, fmt.Errorf("begin a change: %w", err)
	}
	failed = attempt(h.with(ctx), tx, c.do)
	if failed == nil {
		failed = c.caller.Err()
	}
	if failed != nil {
		if _, err := tx.ExecContext(ctx, "ROLLBACK TO change"); err != nil {
			return nil, ErrUnavailable.Because(fmt.Errorf("undo a change that failed: %w", errors.Join(failed, err)))
		}
		h.head = before
	}
	if _, err := tx.ExecContext(ctx, "RELEASE change"); err != nil {
		return nil, fmt.Errorf("end a change: %w", err)
	}
	return failed, nil
}

// late has err tell that the database is what took too long, if it is, since a
// caller's own context knows nothing of it.
func late(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return ErrUnavailable.Because(err)
	}
	return err
}
