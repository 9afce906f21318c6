package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"
)

// A group's transaction takes in at most groupSize changes, and no new one after
// groupTime. Later changes wait for the next transaction.
const (
	groupSize = 64
	groupTime = 50 * time.Millisecond
)

// syncDelay is how long after a change that did not wait for the disk the group makes it
// durable, together with the changes that can be made later. If that fails, it tries again
// after syncAgain.
const (
	syncDelay = 20 * time.Millisecond
	syncAgain = time.Second
)

// errClosed is returned for changes after Close.
var errClosed = ErrUnavailable.Because(errors.New("the database was closed"))

// group makes changes in a database that has one writer. Changes that arrive while a
// transaction is being committed share the next one, and thus the wait for the disk
// (group commit). Each has a savepoint, so one that fails does not affect the others.
type group struct {
	db       *sql.DB
	file     *databaseFile
	chains   *chainPool          // has one chain, for the audit records of all changes
	queue    chan *pendingChange // unbuffered: a caller can give up until its change is taken
	unsynced chan *pendingChange // like queue, for changes that do not wait for the disk
	later    chan *pendingChange // like queue, for changes that are made with the next sync
	delayed  []*pendingChange    // that were received from later
	skipping bool                // the connection does not wait for the disk
	syncDue  <-chan time.Time    // receives when the next sync is due; nil if there is nothing to do
	quit     chan struct{}
	stop     func()
	notify   func(*chainLease) // called after each commit; may be nil
	ended    chan struct{}
}

// pendingChange is a change and the caller that waits for it.
type pendingChange struct {
	caller context.Context
	do     work
	done   chan error
	urgency
}

// urgency says when a change is made, and when it is on the disk.
type urgency int

const (
	durable  urgency = iota // as soon as possible; the caller waits until it is on the disk
	unsynced                // as soon as possible; it is on the disk syncDelay later
	later                   // within syncDelay, with others; the caller waits until it is on the disk
)

// newGroup starts the goroutine that makes the changes in db, until close is called.
func newGroup(db *sql.DB, chains *chainPool, file *databaseFile, notify func(*chainLease)) *group {
	g := &group{
		db: db, chains: chains, file: file, notify: notify,
		queue: make(chan *pendingChange), unsynced: make(chan *pendingChange), later: make(chan *pendingChange),
		quit: make(chan struct{}), ended: make(chan struct{}),
	}
	g.stop = sync.OnceFunc(func() { close(g.quit) })
	go g.loop()
	return g
}

// close ends the group after it has committed the changes that have begun. Waiting
// changes fail with errClosed.
func (g *group) close() {
	g.stop()
	<-g.ended
}

// change returns when do is durable, or has failed and changed nothing. It drops do if
// ctx ends before its turn, and rolls it back if ctx ends before do returns. An
// unsynced change returns before it is durable.
func (g *group) change(ctx context.Context, u urgency, do work) error {
	c := &pendingChange{caller: ctx, do: do, done: make(chan error, 1), urgency: u}
	queue := [...]chan *pendingChange{durable: g.queue, unsynced: g.unsynced, later: g.later}[u]
	select {
	case queue <- c:
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
		case first := <-g.unsynced:
			g.transact(first)
		case c := <-g.later:
			g.delay(c)
		case <-g.syncDue:
			g.syncDue = nil
			g.sync()
		case <-g.quit:
			if g.syncDue != nil {
				g.sync()
			}
			return
		}
	}
}

// delay keeps a change for the next transaction that waits for the disk.
func (g *group) delay(c *pendingChange) {
	g.delayed = append(g.delayed, c)
	switch {
	case len(g.delayed) >= groupSize-1:
		g.sync()
	case g.syncDue == nil:
		g.syncDue = time.After(syncDelay)
	}
}

// sync makes the changes durable that did not wait for the disk, and those that were
// delayed. Any transaction that waits for the disk does that, since there is one log.
func (g *group) sync() {
	c := &pendingChange{caller: context.Background(), done: make(chan error, 1), do: touch}
	g.transact(c)
	err := <-c.done
	if err == nil {
		return
	}
	g.syncDue = time.After(syncAgain)
	for _, c := range g.delayed {
		c.done <- err
	}
	g.delayed = nil
}

// touch writes a page, and changes nothing.
func touch(ctx context.Context, tx *sql.Tx) error {
	_, err := tx.ExecContext(ctx, `UPDATE access_state SET version = version`)
	return err
}

// waitForDisk says whether the next transactions on conn wait for the disk. A new
// connection does.
func (g *group) waitForDisk(ctx context.Context, conn *sql.Conn, wait bool) error {
	if wait != g.skipping {
		return nil
	}
	level := "NORMAL"
	if wait {
		level = "FULL"
	}
	if _, err := conn.ExecContext(ctx, "PRAGMA synchronous = "+level); err != nil {
		return err
	}
	g.skipping = !wait
	return nil
}

// committed notes that a transaction was committed.
func (g *group) committed(synced bool) {
	switch {
	case synced && len(g.delayed) == 0:
		g.syncDue = nil
	case g.syncDue == nil:
		g.syncDue = time.After(syncDelay)
	}
}

// transact makes first and the waiting changes in one transaction, which is durable then if
// first has to be.
func (g *group) transact(first *pendingChange) {
	ctx, cancel := context.WithTimeout(context.Background(), queryTimeout)
	defer cancel()
	if err := g.file.markTorn(ctx, g.db); err != nil {
		first.done <- asTimeout(ctx, err)
		return
	}
	lease, err := g.chains.acquire(ctx)
	if err != nil {
		first.done <- asTimeout(ctx, err)
		return
	}
	defer lease.release()
	conn, err := g.db.Conn(ctx)
	if err != nil {
		first.done <- asTimeout(ctx, err)
		return
	}
	defer func() { _ = conn.Close() }()
	if err := g.waitForDisk(ctx, conn, first.urgency == durable); err != nil {
		first.done <- asTimeout(ctx, err)
		return
	}
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		first.done <- asTimeout(ctx, err)
		return
	}
	defer func() { _ = tx.Rollback() }()
	applied, err := g.applyAll(ctx, tx, lease, first)
	if err == nil {
		err = lease.commit(ctx, tx)
	}
	lease.uncertain = lease.uncertain || err != nil // the database may have rolled back at any point
	if err == nil {
		g.committed(first.urgency == durable)
	}
	if err == nil && g.notify != nil {
		g.notify(lease)
	}
	for _, c := range applied {
		c.done <- asTimeout(ctx, err)
	}
}

// applyAll applies first and the waiting changes, and returns those that are to be
// committed. If it returns an error, the transaction is lost with all of them.
func (g *group) applyAll(
	ctx context.Context, tx *sql.Tx, lease *chainLease, first *pendingChange,
) (applied []*pendingChange, err error) {
	began := time.Now()
	for c := first; c != nil; c = g.next(began, len(applied), first.urgency) {
		failed, err := apply(ctx, tx, lease, c)
		switch {
		case err != nil:
			return append(applied, c), err
		case failed != nil:
			c.done <- failed
			if lease.uncertain { // the next transaction has another chain
				return applied, nil
			}
		default:
			applied = append(applied, c)
		}
	}
	return applied, nil
}

// next returns a waiting change, or nil if there is none or the transaction is full. A
// transaction that does not wait for the disk takes in only changes that do not, either.
func (g *group) next(began time.Time, applied int, first urgency) *pendingChange {
	if applied == groupSize || time.Since(began) > groupTime {
		return nil
	}
	if first == unsynced {
		select {
		case c := <-g.unsynced:
			return c
		default:
			return nil
		}
	}
	if len(g.delayed) > 0 {
		c := g.delayed[0]
		g.delayed = g.delayed[1:]
		return c
	}
	select {
	case c := <-g.queue:
		return c
	case c := <-g.unsynced:
		return c
	case c := <-g.later:
		return c
	default:
		return nil
	}
}

// apply runs c, and rolls it back if it fails or its caller has given up. lost is the
// error of a failure that ends the whole transaction.
func apply(ctx context.Context, tx *sql.Tx, lease *chainLease, c *pendingChange) (failed, lost error) {
	if err := c.caller.Err(); err != nil {
		return err, nil
	}
	before := lease.head
	if _, err := tx.ExecContext(ctx, "SAVEPOINT change"); err != nil {
		return nil, fmt.Errorf("begin a change: %w", err)
	}
	failed = call(lease.attach(ctx), tx, c.do)
	if failed == nil {
		failed = c.caller.Err()
	}
	if failed != nil {
		if _, err := tx.ExecContext(ctx, "ROLLBACK TO change"); err != nil {
			return nil, ErrUnavailable.Because(fmt.Errorf("roll back a change: %w", errors.Join(failed, err)))
		}
		lease.head = before
	}
	if _, err := tx.ExecContext(ctx, "RELEASE change"); err != nil {
		return nil, fmt.Errorf("end a change: %w", err)
	}
	return failed, nil
}

// asTimeout wraps err as ErrUnavailable if ctx, the group's own context, has ended. The
// callers' contexts do not show that.
func asTimeout(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return ErrUnavailable.Because(err)
	}
	return err
}
