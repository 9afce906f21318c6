package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"casbroker/internal/audit"
	"casbroker/internal/id"
	"casbroker/internal/secret"
)

// errForeignHead is returned when another process has extended a chain of this one.
var errForeignHead = errors.New("the head of an audit chain was changed by another process; run broker audit verify")

// AppendOrFail appends records to the audit trail in a transaction of their own, all or
// none.
func (s *DB) AppendOrFail(ctx context.Context, records ...audit.Record) error {
	return s.change(ctx, "append audit records", func(ctx context.Context, tx *sql.Tx) error {
		return leaseOf(ctx).append(ctx, tx, records...)
	})
}

// Append is AppendOrFail, except that with Options.Unaudited it reports a failure there
// and returns nil.
func (s *DB) Append(ctx context.Context, records ...audit.Record) error {
	err := s.AppendOrFail(ctx, records...)
	if err == nil || s.chains.unaudited == nil || ctx.Err() != nil {
		return err
	}
	s.chains.unaudited(err)
	return nil
}

// record appends r to the audit trail as part of the change that it describes.
func (s *DB) record(ctx context.Context, tx *sql.Tx, r audit.Record) error {
	lease := leaseOf(ctx)
	return lease.tolerate(ctx, tx, func() error { return lease.append(ctx, tx, r) })
}

// chainPool has the chains of audit records that this process extends: up to one for
// each concurrent transaction, so that no transaction waits for another.
type chainPool struct {
	db      *sql.DB
	trail   audit.ChainReader
	box     *secret.Box
	dialect *dialect
	holder  string // this process
	now     func() time.Time
	slots   chan struct{} // holds one value for each lease
	adding  chan struct{} // holds a value while a chain is claimed or created
	// unaudited is called with the reason when a change is made without its audit
	// record. If it is nil, such a change fails instead.
	unaudited func(error)

	mu   sync.Mutex
	free []chain // that are not leased, as committed
}

// newChainPool returns a pool of up to size chains, which trail reads. A chain is claimed or created
// when it is first needed.
func newChainPool(db *sql.DB, trail audit.ChainReader, d *dialect, o Options, size int) *chainPool {
	return &chainPool{
		db: db, trail: trail, box: o.Box, dialect: d, holder: id.New("pr"), now: time.Now,
		slots: make(chan struct{}, size), adding: make(chan struct{}, 1), unaudited: o.Unaudited,
	}
}

// chainLease is the use of a chain by one transaction. If the outcome of that
// transaction is unknown, the chain is never extended again.
type chainLease struct {
	pool      *chainPool
	err       error      // why there is no chain
	committed chain      // the chain if the transaction is rolled back
	head      audit.Head // the head with the transaction's records
	until     int64      // the end of the chain's lease with these, in milliseconds since 1970
	uncertain bool       // the chain must not be used again
	emitted   bool       // the transaction has events, unless it was rolled back
	last      lastStatements
}

type leaseKey struct{}

// attach returns a context for the work of the transaction.
func (l *chainLease) attach(ctx context.Context) context.Context {
	return context.WithValue(ctx, leaseKey{}, l)
}

// leaseOf returns the lease of the change that ctx belongs to.
func leaseOf(ctx context.Context) *chainLease {
	l, ok := ctx.Value(leaseKey{}).(*chainLease)
	if !ok {
		panic("store: an audit record outside of a change")
	}
	return l
}

// acquire waits for a chain, which release gives back. It fails if the database is down.
// If a chain cannot be created for another reason, only appending to it fails.
func (p *chainPool) acquire(ctx context.Context) (*chainLease, error) {
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	l := &chainLease{pool: p}
	l.committed, l.err = p.next(ctx)
	if l.err != nil && (ctx.Err() != nil || p.dialect.down(l.err)) {
		l.release()
		return nil, l.err
	}
	l.head, l.until = l.committed.Head, l.committed.until
	return l, nil
}

// next returns the chain that was released last, one whose process has ended, or a new one, so that
// no more chains are used than are needed.
func (p *chainPool) next(ctx context.Context) (chain, error) {
	if c, ok := p.released(); ok {
		return c, nil
	}
	select {
	case p.adding <- struct{}{}:
	case <-ctx.Done():
		return chain{}, ctx.Err()
	}
	defer func() { <-p.adding }()
	if c, ok := p.released(); ok {
		return c, nil
	}
	c, found, err := p.claim(ctx)
	if err != nil {
		return chain{}, fmt.Errorf("claim an audit chain: %w", err)
	}
	if found {
		return c, nil
	}
	c, err = p.create(ctx)
	for errors.Is(err, errOvertaken) { // by the new chain of another process
		c, err = p.create(ctx)
	}
	if err != nil {
		return chain{}, fmt.Errorf("create an audit chain: %w", err)
	}
	return c, nil
}

// released returns the chain that was released last and drops those whose lease is about to end.
func (p *chainPool) released() (c chain, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for n := len(p.free); n > 0 && !ok; n = len(p.free) {
		c = p.free[n-1]
		p.free = p.free[:n-1]
		ok = c.usable(p.now())
	}
	return c, ok
}

// create creates a chain in a transaction of its own. It returns errOvertaken if another one
// was created meanwhile.
func (p *chainPool) create(ctx context.Context) (chain, error) {
	tx, err := p.db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		return chain{}, err
	}
	defer func() { _ = tx.Rollback() }()
	earlier, err := headsOf(ctx, tx)
	if err != nil {
		return chain{}, err
	}
	state := audit.NewState(earlier)
	c := chain{until: millis(p.now().Add(chainLeaseTime))}
	c.Head = audit.Head{Writer: id.New("wr"), Number: int64(len(state)) + 1, Links: state.Encode()}
	last := append(waitForLock(p.dialect.lock, "audit writers"),
		require(errOvertaken, `NOT EXISTS (SELECT 1 FROM audit_writers WHERE place >= $1)`, c.Number),
		lastStatement{
			query: `INSERT INTO audit_writers (writer, place, seq, mac, links, seal, holder, lease_ms) VALUES ($1, $2, 0, NULL, $3, $4, $5, $6)`,
			args:  []any{c.Writer, c.Number, c.Links, c.Sum(p.box), p.holder, c.until},
		})
	return c, p.dialect.commitWith(ctx, tx, last)
}

// headsOf reads the heads of all chains in the order of their numbers.
func headsOf(ctx context.Context, q querier) ([]audit.Head, error) {
	return queryAll(ctx, q, func(scan func(...any) error) (h audit.Head, err error) {
		return h, scan(&h.Writer, &h.Number, &h.Seq, &h.MAC)
	}, `SELECT writer, place, seq, mac FROM audit_writers ORDER BY place`)
}

// append adds records to the chain.
func (l *chainLease) append(ctx context.Context, tx *sql.Tx, records ...audit.Record) error {
	if l.err != nil {
		return unwritable(ctx, fmt.Errorf("append audit record: %w", l.err))
	}
	for len(records) > 0 {
		n, query, head := 1, insertEntry, l.head
		if len(records) >= entriesAtOnce {
			n, query = entriesAtOnce, insertEntries
		}
		args := make([]any, 0, n*entryColumnCount)
		for _, r := range records[:n] {
			var e audit.Entry
			e, head = head.Next(l.pool.box, r)
			args = append(args, e.ID, millis(e.At), e.Actor, e.Role, string(e.Action), e.Subject, e.Object, string(e.Outcome), e.Detail,
				e.RequestID, e.Address, e.UserAgent, e.Writer, e.Seq, e.Origin, e.MAC)
		}
		if _, err := tx.ExecContext(ctx, query, args...); err != nil {
			l.uncertain = l.uncertain || isForeignEntry(err)
			return unwritable(ctx, fmt.Errorf("append audit record: %w", err))
		}
		l.head, records = head, records[n:]
	}
	return nil
}

// isForeignEntry reports whether err means that the chain has an entry with the number of a new one:
// another process has claimed it, since this one was frozen or its clock was set back.
func isForeignEntry(err error) bool {
	return strings.Contains(err.Error(), "audit_chains") || strings.Contains(err.Error(), "audit.writer, audit.seq")
}

// writeHead stores the head of the chain and extends the lease of this process.
func (l *chainLease) writeHead(ctx context.Context, tx *sql.Tx) error {
	l.until = millis(l.pool.now().Add(chainLeaseTime))
	result, err := tx.ExecContext(ctx, `UPDATE audit_writers SET seq = $1, mac = $2, seal = $3, lease_ms = $4
		WHERE writer = $5 AND seq = $6 AND holder = $7`,
		l.head.Seq, l.head.MAC, l.head.Sum(l.pool.box), l.until, l.head.Writer, l.committed.Seq, l.pool.holder)
	if err == nil {
		var n int64
		if n, err = result.RowsAffected(); err == nil && n != 1 {
			err = errForeignHead
		}
	}
	if err != nil {
		l.uncertain = true
		return unwritable(ctx, fmt.Errorf("write the head of an audit chain: %w", err))
	}
	return nil
}

// unwritable returns err, why the audit trail cannot be written, as ErrUnavailable.
func unwritable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return err
	}
	return ErrUnavailable.Because(err).WithNotef("The audit trail cannot be written to.")
}

// tolerate calls do, which writes to the audit trail. If changes may be made without
// audit records, it rolls back a failure, reports it and returns nil.
func (l *chainLease) tolerate(ctx context.Context, tx *sql.Tx, do func() error) error {
	if l.pool.unaudited == nil {
		return do()
	}
	if _, err := tx.ExecContext(ctx, "SAVEPOINT audit_record"); err != nil {
		return fmt.Errorf("begin an audit record: %w", err)
	}
	failed := do()
	if failed != nil {
		if _, err := tx.ExecContext(ctx, "ROLLBACK TO audit_record"); err != nil {
			return fmt.Errorf("roll back an audit record: %w", errors.Join(failed, err))
		}
		l.pool.unaudited(failed)
	}
	if _, err := tx.ExecContext(ctx, "RELEASE audit_record"); err != nil {
		return fmt.Errorf("end an audit record: %w", err)
	}
	return nil
}

// commit writes the head of the chain and commits tx.
func (l *chainLease) commit(ctx context.Context, tx *sql.Tx) error {
	if l.head.Seq != l.committed.Seq {
		if err := l.tolerate(ctx, tx, func() error { return l.writeHead(ctx, tx) }); err != nil {
			return err
		}
	}
	if err := l.pool.dialect.commitWith(ctx, tx, l.last); err != nil {
		l.uncertain = !errors.As(err, new(unmetError)) // it may have been committed
		return err
	}
	l.committed = chain{Head: l.head, until: l.until}
	return nil
}

// release returns the chain to the pool, unless its committed head is not known.
func (l *chainLease) release() {
	if l.err == nil && !l.uncertain {
		l.pool.mu.Lock()
		l.pool.free = append(l.pool.free, l.committed)
		l.pool.mu.Unlock()
	}
	<-l.pool.slots
}
