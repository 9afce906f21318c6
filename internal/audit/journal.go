package audit

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"casbroker/internal/id"
)

// Reuse is how it is recorded that a token was given again.
type Reuse string

// The ways.
const (
	CountReuse Reuse = "count" // one record a minute, with how many there were
	EachReuse  Reuse = "each"  // before the token is given; what cannot be recorded is not given
	NoReuse    Reuse = "off"
)

const (
	// period is what a count is of.
	period = time.Minute
	// maxPending bounds what waits to be written. What comes when as much waits is
	// counted instead.
	maxPending = 1000
	// closeTime bounds the last write.
	closeTime = 5 * time.Second
)

// Journal puts on record what happens too often to be part of a change: tokens that
// are given again, and calls that are refused. Nobody can fill a disk with them.
// Book, Now and Reuse are required. It is safe for concurrent use and must not
// be copied.
//
// What it was told waits in memory until Flush writes it. While the database is
// away it goes on waiting; a process that is killed takes it along.
type Journal struct {
	Book  Appender
	Now   func() time.Time
	Reuse Reuse

	reused   atomic.Int64
	flushing sync.Mutex

	mu      sync.Mutex
	pending []Record
	refused refusals
	began   time.Time // of the period that is counted
}

// Appender keeps records, all or none.
type Appender interface {
	// Append fails when it cannot, unless the broker is to go on all the same.
	Append(ctx context.Context, records ...Record) error
	// AppendOrFail fails when it cannot.
	AppendOrFail(ctx context.Context, records ...Record) error
}

// Note takes r, to be written by the next Flush.
func (j *Journal) Note(r Record) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.pending = append(j.pending, r)
}

// Reused takes note that actor was given the token of grant again. Where each is
// recorded by itself it fails when that cannot be done.
func (j *Journal) Reused(ctx context.Context, actor, subject, grant string) error {
	switch j.Reuse {
	case EachReuse:
		return j.Book.Append(ctx, New(ctx, j.Now(), actor, TokenReuse, subject, grant))
	case CountReuse:
		j.reused.Add(1)
	case NoReuse:
	}
	return nil
}

// Refuse takes note that a call of actor, "" for one who is not known, was turned
// away. route says which ("POST /v1/token") and reason why, each one of a few.
// The first of an address in a minute become records of their own, while there are
// not too many of all; the others are counted by reason.
func (j *Journal) Refuse(ctx context.Context, actor, route, reason string) {
	now := j.Now()
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.refused.admit(SourceOf(ctx).Address, reason, len(j.pending) < maxPending) {
		j.pending = append(j.pending, New(ctx, now, actor, AccessRefuse, actor, route).Refused(reason))
	}
}

// Flush writes what waits, and the counts once a minute is over. It is to be called
// every second or so. When it fails, what it could not write goes on waiting.
func (j *Journal) Flush(ctx context.Context) error { return j.flush(ctx, false) }

// Close writes all that waits, the counts included.
func (j *Journal) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	return j.flush(ctx, true)
}

func (j *Journal) flush(ctx context.Context, last bool) error {
	j.flushing.Lock()
	defer j.flushing.Unlock()
	records := j.take(last)
	if len(records) == 0 {
		return nil
	}
	if err := j.Book.AppendOrFail(ctx, records...); err != nil {
		for i := range records { // should they be there after all, they may come twice, but in no other's way
			records[i].ID = id.New("au")
		}
		j.mu.Lock()
		j.pending = append(records, j.pending...)
		j.mu.Unlock()
		return fmt.Errorf("%d audit records wait: %w", len(records), err)
	}
	return nil
}

// take returns what is to be written now.
func (j *Journal) take(last bool) []Record {
	now := j.Now()
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.began.IsZero() {
		j.began = now
	}
	if last || now.Sub(j.began) >= period && len(j.pending) < maxPending {
		j.pending = append(j.pending, j.counts(now)...)
		j.began = now
	}
	records := j.pending
	j.pending = nil
	return records
}

// counts returns the records of what was counted, and begins to count anew.
func (j *Journal) counts(now time.Time) (list []Record) {
	count := func(action Action, n int64) Record {
		return New(context.Background(), now, Broker, action, "", "").
			Saying(fmt.Sprintf("count=%d since=%s", n, j.began.UTC().Format(time.RFC3339)))
	}
	if n := j.reused.Swap(0); n > 0 {
		list = append(list, count(TokenReuse, n))
	}
	rest := j.refused.end()
	for _, reason := range slices.Sorted(maps.Keys(rest)) {
		r := count(AccessRefuse, rest[reason])
		list = append(list, r.Refused(reason+" "+r.Detail))
	}
	return list
}
