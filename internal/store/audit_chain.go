package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"

	"casbroker/internal/audit"
	"casbroker/internal/id"
	"casbroker/internal/secret"
)

// errForeignHead: somebody else wrote to a chain of this process.
var errForeignHead = errors.New("the head of an audit chain is not as it was left; run broker audit verify")

// lanes are the chains of audit records that this process writes: as many as it
// has transactions at the same time, so that none waits for another.
type lanes struct {
	db      *sql.DB
	box     *secret.Box
	dialect *dialect
	slots   chan struct{} // one for each chain that is held
	// unaudited is told why something was done without its record. Where it is nil,
	// nothing is.
	unaudited func(error)

	mu   sync.Mutex
	free []audit.Head // of the chains that nobody holds, as they were committed
}

// newLanes returns up to most chains. A chain is begun when it is first needed.
func newLanes(db *sql.DB, d *dialect, o Options, most int) *lanes {
	return &lanes{db: db, box: o.Box, dialect: d, slots: make(chan struct{}, most), unaudited: o.Unaudited}
}

// hold is a chain in the hands of one transaction. What goes wrong with it after
// the last word was sent is not known, so such a chain is not made longer any more.
type hold struct {
	lanes     *lanes
	err       error      // for which there is no chain
	committed audit.Head // as it stands when the transaction is undone
	head      audit.Head // with what the transaction has added
	spent     bool       // others must not go on with the chain
}

type holdKey struct{}

// with returns a context for the work of the transaction.
func (h *hold) with(ctx context.Context) context.Context { return context.WithValue(ctx, holdKey{}, h) }

// holdOf returns the chain of the change that is under way.
func holdOf(ctx context.Context) *hold {
	h, ok := ctx.Value(holdKey{}).(*hold)
	if !ok {
		panic("store: an audit record outside of a change")
	}
	return h
}

// take waits for a chain. It has to be given back by leave. That a chain cannot be
// begun is told by what needs it; a database that is down, by take.
func (l *lanes) take(ctx context.Context) (*hold, error) {
	select {
	case l.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	h := &hold{lanes: l}
	h.committed, h.err = l.next(ctx)
	if h.err != nil && (ctx.Err() != nil || l.dialect.down(h.err)) {
		h.leave()
		return nil, h.err
	}
	h.head = h.committed
	return h, nil
}

// next returns the chain that was given back last, or a new one. So few are
// written as long as few are needed.
func (l *lanes) next(ctx context.Context) (audit.Head, error) {
	l.mu.Lock()
	if n := len(l.free); n > 0 {
		defer l.mu.Unlock()
		head := l.free[n-1]
		l.free = l.free[:n-1]
		return head, nil
	}
	l.mu.Unlock()
	head, err := l.begin(ctx)
	if err != nil {
		return audit.Head{}, fmt.Errorf("begin an audit chain: %w", err)
	}
	return head, nil
}

// begin makes a new chain known, in a transaction of its own: nobody is to wait for
// the end of another's.
func (l *lanes) begin(ctx context.Context) (audit.Head, error) {
	tx, err := l.db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		return audit.Head{}, err
	}
	defer func() { _ = tx.Rollback() }()
	if l.dialect.lock != "" {
		if _, err := tx.ExecContext(ctx, l.dialect.lock, "audit writers"); err != nil {
			return audit.Head{}, err
		}
	}
	head := audit.Head{Writer: id.New("wr")}
	if err := tx.QueryRowContext(ctx, `SELECT COALESCE(MAX(place), 0) + 1 FROM audit_writers`).Scan(&head.Place); err != nil {
		return audit.Head{}, err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO audit_writers (writer, place, seq, mac, seal) VALUES ($1, $2, 0, NULL, $3)`,
		head.Writer, head.Place, head.Sum(l.box))
	if err != nil {
		return audit.Head{}, err
	}
	return head, tx.Commit()
}

// append adds r to the chain.
func (h *hold) append(ctx context.Context, tx *sql.Tx, r audit.Record) error {
	if h.err != nil {
		return fmt.Errorf("append audit record: %w", h.err)
	}
	e, head := h.head.Next(h.lanes.box, r)
	_, err := tx.ExecContext(ctx, `INSERT INTO audit (`+entryColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)`,
		e.ID, millis(e.At), e.Actor, e.Role, string(e.Action), e.Subject, e.Object, string(e.Outcome), e.Detail,
		e.RequestID, e.Address, e.UserAgent, e.Writer, e.Seq, e.Origin, e.MAC)
	if err != nil {
		return fmt.Errorf("append audit record: %w", err)
	}
	h.head = head
	return nil
}

// seal writes down how far the chain goes.
func (h *hold) seal(ctx context.Context, tx *sql.Tx) error {
	result, err := tx.ExecContext(ctx, `UPDATE audit_writers SET seq = $1, mac = $2, seal = $3 WHERE writer = $4 AND seq = $5`,
		h.head.Seq, h.head.MAC, h.head.Sum(h.lanes.box), h.head.Writer, h.committed.Seq)
	if err == nil {
		var n int64
		if n, err = result.RowsAffected(); err == nil && n != 1 {
			err = errForeignHead
		}
	}
	if err != nil {
		h.spent = true
		return fmt.Errorf("seal audit chain: %w", err)
	}
	return nil
}

// tolerate is do, which writes to the audit trail. Where the broker is to go on
// without, a failure is undone, told, and no failure any more.
func (h *hold) tolerate(ctx context.Context, tx *sql.Tx, do func() error) error {
	if h.lanes.unaudited == nil {
		return do()
	}
	if _, err := tx.ExecContext(ctx, "SAVEPOINT audit_record"); err != nil {
		return fmt.Errorf("begin an audit record: %w", err)
	}
	failed := do()
	if failed != nil {
		if _, err := tx.ExecContext(ctx, "ROLLBACK TO audit_record"); err != nil {
			return fmt.Errorf("undo an audit record: %w", errors.Join(failed, err))
		}
		h.lanes.unaudited(failed)
	}
	if _, err := tx.ExecContext(ctx, "RELEASE audit_record"); err != nil {
		return fmt.Errorf("end an audit record: %w", err)
	}
	return nil
}

// commit ends tx, whose work has been done.
func (h *hold) commit(ctx context.Context, tx *sql.Tx) error {
	if h.head.Seq != h.committed.Seq {
		if err := h.tolerate(ctx, tx, func() error { return h.seal(ctx, tx) }); err != nil {
			return err
		}
	}
	if err := tx.Commit(); err != nil {
		h.spent = true // it may be durable nevertheless
		return err
	}
	h.committed = h.head
	return nil
}

// leave gives the chain back, as far as it is committed.
func (h *hold) leave() {
	if h.err == nil && !h.spent {
		h.lanes.mu.Lock()
		h.lanes.free = append(h.lanes.free, h.committed)
		h.lanes.mu.Unlock()
	}
	<-h.lanes.slots
}
