package budget

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"casbroker/internal/fault"
)

const (
	// maxDeferred is how many calls may wait for the database.
	maxDeferred = 10_000
	// beginTimeout bounds how long a call that no budget can refuse waits for the database.
	beginTimeout = 2 * time.Second
	// settledTogether is how many calls are settled at the same time, since the store settles
	// those that come together in one transaction.
	settledTogether = 64
)

// deferred are the calls that were made, and those that ended, while the database was
// unavailable. They are lost if the broker is killed before it is available again; a call
// whose end is lost is settled at its price. The zero value is empty.
type deferred struct {
	recording sync.Mutex // held while calls are recorded

	mu    sync.Mutex
	calls map[string]Call   // by id, open ones too
	ends  map[string]ending // of calls that are recorded, by id
}

// ending is how and when a call ended.
type ending struct {
	result Result
	at     time.Time
}

// mayDefer reports whether a call of app may be made although it cannot be recorded now. It
// may not if a budget could refuse it.
func (l *Ledger) mayDefer(app string) bool {
	return !slices.ContainsFunc(l.Budgets, func(b Budget) bool { return !b.Soft && b.concerns(app) })
}

// unavailable reports whether err says that the database does not answer.
func unavailable(err error) bool {
	f, ok := errors.AsType[*fault.Fault](err)
	return ok && f.Kind == fault.Unavailable || errors.Is(err, context.DeadlineExceeded)
}

// add keeps a call. It reports false if maxDeferred calls are kept already.
func (d *deferred) add(c Call) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.calls) >= maxDeferred {
		return false
	}
	if d.calls == nil {
		d.calls = map[string]Call{}
	}
	d.calls[c.ID] = c
	return true
}

// end ends a call, and reports whether it is one of d.
func (d *deferred) end(callID string, r Result, at time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	c, ok := d.calls[callID]
	if !ok || c.Delivery != Open {
		return ok
	}
	c.EndedAt, c.Outcome, c.Reason, c.KeyName, c.Delivery, c.Used = at, r.Outcome, r.Reason, r.KeyName, r.Delivery, r.Used
	if c.Delivery == Unknown {
		c.Used = c.Reserved
	}
	d.calls[callID] = c
	return true
}

// keepEnd keeps the end of a call that is recorded, if there is room for it.
func (d *deferred) keepEnd(callID string, e ending) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.ends) >= maxDeferred {
		return
	}
	if d.ends == nil {
		d.ends = map[string]ending{}
	}
	d.ends[callID] = e
}

// keptEnds returns the ends of keepEnd.
func (d *deferred) keptEnds() map[string]ending {
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.ends)
}

func (d *deferred) removeEnd(callID string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.ends, callID)
}

// ended returns the calls that have ended, the oldest first.
func (d *deferred) ended() []Call {
	d.mu.Lock()
	defer d.mu.Unlock()
	var list []Call
	for _, c := range d.calls {
		if c.Delivery != Open {
			list = append(list, c)
		}
	}
	slices.SortFunc(list, func(a, b Call) int { return a.StartedAt.Compare(b.StartedAt) })
	return list
}

func (d *deferred) remove(callID string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.calls, callID)
}

// recordDeferred records the calls that were made, and those that ended, in an outage.
func (l *Ledger) recordDeferred(ctx context.Context) error {
	l.deferred.recording.Lock()
	defer l.deferred.recording.Unlock()
	for _, c := range l.deferred.ended() {
		added, err := l.Store.AddCall(ctx, c)
		if err == nil && !added { // the database has stored it before it stopped to answer
			_, _, err = l.Store.EndCall(ctx, c.ID, Result{Outcome: c.Outcome, Reason: c.Reason, KeyName: c.KeyName, Delivery: c.Delivery, Used: c.Used}, c.EndedAt)
		}
		if err != nil {
			return err
		}
		l.deferred.remove(c.ID)
		l.Log.InfoContext(ctx, "a call of an outage of the database is recorded", "call", c.ID)
		if l.OnSettled != nil {
			l.OnSettled(c)
		}
	}
	settling, ctx := errgroup.WithContext(ctx)
	settling.SetLimit(settledTogether)
	for callID, e := range l.deferred.keptEnds() {
		settling.Go(func() error {
			err := l.settle(ctx, callID, e)
			if err == nil || !unavailable(err) && ctx.Err() == nil {
				l.deferred.removeEnd(callID) // what fails otherwise would fail again; the lease settles it
			}
			return err
		})
	}
	return settling.Wait()
}
