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

// Reuse says how the reuse of cached tokens is recorded, or reads.
type Reuse string

// The choices.
const (
	CountReuse Reuse = "count" // one record a minute with the number; of reads one for each reader
	EachReuse  Reuse = "each"  // one record before each; a token is not handed out, or data not read, if that fails
	NoReuse    Reuse = "off"   // no records
)

const (
	// period is the length of time that a count covers.
	period = time.Minute
	// maxPending bounds the records that wait to be written. Past it, events are counted
	// instead.
	maxPending = 1000
	// maxServices and maxReaders bound the services and the users whose reads are counted
	// separately in a period.
	maxServices = 50
	maxReaders  = 20_000
	// maxBatch bounds the records that one call stores.
	maxBatch = 1000
	// closeTimeout bounds the last write.
	closeTimeout = 5 * time.Second
)

// Recorder records events that are too frequent for one transaction each: reused tokens, reads
// and refused calls. It bounds the number of records, so that callers cannot fill the disk.
// Store, Now and Reuse are required. It is safe for concurrent use and must not be copied.
//
// Records wait in memory until Flush writes them, also while the database is down. They are
// lost if the process is killed.
type Recorder struct {
	Store        Appender
	Now          func() time.Time
	Reuse        Reuse
	Reads        Reuse // by users themselves; "" means NoReuse
	ServiceReads Reuse // by services; "" means NoReuse

	reused   atomic.Int64
	flushing sync.Mutex

	mu      sync.Mutex
	pending []Record
	refused refusals
	reads   readCounts
	began   time.Time // start of the current period
}

// Appender stores records, all or none.
type Appender interface {
	// Append returns an error if it fails, unless settings let the broker go on without.
	Append(ctx context.Context, records ...Record) error
	// AppendOrFail returns an error if it fails.
	AppendOrFail(ctx context.Context, records ...Record) error
}

// Add queues record for the next Flush.
func (r *Recorder) Add(record Record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pending = append(r.pending, record)
}

// RecordReuse records that actor got the cached token of grant. With EachReuse it fails if
// the record cannot be written.
func (r *Recorder) RecordReuse(ctx context.Context, actor, subject, grant string) error {
	switch r.Reuse {
	case EachReuse:
		return r.Store.Append(ctx, New(ctx, r.Now(), actor, TokenReuse, subject, grant))
	case CountReuse:
		r.reused.Add(1)
	case NoReuse:
	}
	return nil
}

// RecordRefusal records that a call by actor, "" if unknown, was refused. route
// ("POST /v1/token") and reason are each one of a few values. The first refusals of an
// address in a minute become records of their own, up to a total; the others are counted by
// reason.
func (r *Recorder) RecordRefusal(ctx context.Context, actor, route, reason string) {
	now := r.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refused.admit(SourceOf(ctx).Address, reason, len(r.pending) < maxPending) {
		r.pending = append(r.pending, New(ctx, now, actor, AccessRefuse, actor, route).Refused(reason))
	}
}

// Flush writes the waiting records, and the counts once a minute is over. It should be
// called every few seconds. If it fails, the records wait for the next Flush.
func (r *Recorder) Flush(ctx context.Context) error { return r.flush(ctx, false) }

// Close writes all waiting records, and the counts.
func (r *Recorder) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	return r.flush(ctx, true)
}

func (r *Recorder) flush(ctx context.Context, last bool) error {
	r.flushing.Lock()
	defer r.flushing.Unlock()
	records := r.take(last)
	for len(records) > 0 {
		batch := records[:min(len(records), maxBatch)]
		if err := r.Store.AppendOrFail(ctx, batch...); err != nil {
			for i := range batch { // if they were stored in spite of the error, the same ids would make every retry fail
				batch[i].ID = id.New("au")
			}
			r.mu.Lock()
			r.pending = append(records, r.pending...)
			r.mu.Unlock()
			return fmt.Errorf("%d audit records wait: %w", len(records), err)
		}
		records = records[len(batch):]
	}
	return nil
}

// take removes and returns the records to write now.
func (r *Recorder) take(last bool) []Record {
	now := r.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.began.IsZero() {
		r.began = now
	}
	if last || now.Sub(r.began) >= period && len(r.pending) < maxPending {
		r.pending = append(r.pending, r.counts(now)...)
		r.began = now
	}
	records := r.pending
	r.pending = nil
	return records
}

// counts returns records of the counts and resets them.
func (r *Recorder) counts(now time.Time) (list []Record) {
	count := func(action Action, n int64) Record {
		return New(context.Background(), now, Broker, action, "", "").
			WithDetail(fmt.Sprintf("count=%d since=%s", n, r.began.UTC().Format(time.RFC3339)))
	}
	if n := r.reused.Swap(0); n > 0 {
		list = append(list, count(TokenReuse, n))
	}
	for _, read := range r.reads.reset() {
		record := count(read.action, read.n)
		record.Actor, record.Subject = read.by, read.subject
		list = append(list, record)
	}
	rest := r.refused.reset()
	for _, reason := range slices.Sorted(maps.Keys(rest)) {
		record := count(AccessRefuse, rest[reason])
		list = append(list, record.Refused(reason+" "+record.Detail))
	}
	return list
}
