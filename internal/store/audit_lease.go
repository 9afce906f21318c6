package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"casbroker/internal/audit"
)

// A chain belongs to one process until chainLeaseTime after the last records that were appended to
// it, by the clock of that process. It stops using the chain leaseMargin earlier: a
// transaction has to end by then, and clocks may differ.
const (
	chainLeaseTime = 3 * time.Minute
	leaseMargin    = time.Minute
)

// giveUpTimeout bounds what is done at the end to let the next process continue the chains.
const giveUpTimeout = 2 * time.Second

// chain is a chain that this process may extend.
type chain struct {
	audit.Head

	until int64 // end of the lease, in milliseconds since 1970
}

// usable reports whether a transaction that begins now may extend the chain.
func (c chain) usable(now time.Time) bool { return millis(now.Add(leaseMargin)) < c.until }

// heldHead is the head of a chain and who extends it. It has Links only if that has ended.
type heldHead struct {
	audit.SealedHead

	holder  string
	leaseMS int64
}

// heldHeads reads the heads of all chains in the order of their numbers.
func heldHeads(ctx context.Context, q querier, now time.Time) ([]heldHead, error) {
	return queryAll(ctx, q, func(scan func(...any) error) (h heldHead, err error) {
		return h, scan(&h.Writer, &h.Number, &h.Seq, &h.MAC, &h.Links, &h.Seal, &h.Stump.Seq, &h.Stump.MAC, &h.Stump.Seal, &h.holder, &h.leaseMS)
	}, `SELECT writer, place, seq, mac, CASE WHEN holder <> '' AND lease_ms <= $1 THEN links END, seal, stump_seq, stump_mac, stump_seal,
		holder, lease_ms FROM audit_writers ORDER BY place`, millis(now))
}

// claim returns a chain whose process has ended, and makes it one of this process. It notes how long all
// chains are, as create does. Without such a chain, found is false.
func (p *chainPool) claim(ctx context.Context) (c chain, found bool, err error) {
	now := p.now()
	held, err := heldHeads(ctx, p.db, now)
	if err != nil {
		return chain{}, false, err
	}
	sealed, heads := make([]audit.SealedHead, len(held)), make([]audit.Head, len(held))
	for i, h := range held {
		sealed[i], heads[i] = h.SealedHead, h.Head
	}
	links := audit.NewState(heads).Encode()
	for _, h := range held {
		if h.Links == nil {
			continue
		}
		sound, err := audit.CanContinue(ctx, p.trail, p.box, h.SealedHead, sealed)
		if err != nil {
			return chain{}, false, err
		}
		if !sound { // broker audit verify says what is wrong with it
			continue
		}
		c := chain{Head: h.Head, until: millis(now.Add(chainLeaseTime))}
		c.Links = links
		if claimed, err := p.take(ctx, h, c); claimed || err != nil {
			return c, claimed, err
		}
	}
	return chain{}, false, nil
}

// take makes c, which was found as h, a chain of this process. It reports false if another process was
// first, or has a transaction in it that has not ended.
func (p *chainPool) take(ctx context.Context, h heldHead, c chain) (taken bool, err error) {
	tx, err := p.db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		return false, err
	}
	defer func() { _ = tx.Rollback() }()
	n := 0
	err = p.dialect.commitWith(ctx, tx, []lastStatement{{
		query: `UPDATE audit_writers SET links = $1, seal = $2, holder = $3, lease_ms = $4 WHERE writer = (SELECT writer FROM audit_writers
			WHERE writer = $5 AND seq = $6 AND holder = $7 AND lease_ms = $8` + p.dialect.skipLocked + `)`,
		args:     []any{c.Links, c.Sum(p.box), p.holder, c.until, h.Writer, h.Seq, h.holder, h.leaseMS},
		affected: &n,
	}})
	return n == 1, err
}

// giveUp ends the leases of the chains that no transaction uses, so that the next process can
// continue them at once.
func (p *chainPool) giveUp(ctx context.Context) error {
	p.mu.Lock()
	free := p.free
	p.free = nil
	p.mu.Unlock()
	for _, c := range free {
		if _, err := p.db.ExecContext(ctx, `UPDATE audit_writers SET lease_ms = 0 WHERE writer = $1 AND holder = $2`, c.Writer, p.holder); err != nil {
			return fmt.Errorf("give up an audit chain: %w", err)
		}
	}
	return nil
}
