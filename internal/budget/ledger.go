package budget

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"log/slog"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"casbroker/internal/apikey"
	"casbroker/internal/audit"
	"casbroker/internal/credit"
	"casbroker/internal/id"
)

// MinLease is the shortest time after which an open call is settled. The lease must be
// longer than any call.
const MinLease = 10 * time.Minute

// mailPrice is what the vendor charges for each valid mail that arrives at a forwarding
// address, and inboundEmail is its name in the vendor's usage.
const (
	mailPrice    credit.Amount = 200
	inboundEmail               = "inbound_email"
)

// Ledger records calls within budgets. Store, Digest, Lease, Log and Now are required. It is
// safe for concurrent use and must not be copied.
type Ledger struct {
	Store   Store
	Budgets []Budget
	// Digest returns a keyed hash.
	Digest func(purpose string, data []byte) []byte
	Lease  time.Duration // how long a call may be open
	Log    *slog.Logger
	Now    func() time.Time
	// OnSettled is called with each call that has ended, and OnReached with each budget
	// that is reached, once in its period; nil for no notice.
	OnSettled func(Call)
	OnReached func(Reached)

	deferred deferred
}

// who returns what stands for subject in counters: its app and a keyed hash.
func (l *Ledger) who(subject string) string {
	return apikey.AppOf(subject) + ":" + base64.RawURLEncoding.EncodeToString(l.Digest("budget/user", []byte(subject)))
}

// Begin records a call that is about to be made, with the credits that it will cost, and
// returns its id. Of c it uses Subject, GrantID, RequestID, Feature and Reserved. It returns
// ErrExhausted if a budget does not allow the call. While the database is unavailable, a
// call that no budget can refuse is recorded later.
func (l *Ledger) Begin(ctx context.Context, c Call) (string, error) {
	now := l.Now()
	c.ID, c.App, c.Who = id.New("gc"), apikey.AppOf(c.Subject), l.who(c.Subject)
	c.StartedAt, c.LeaseEnds = now, now.Add(l.Lease)
	var counters []Counter
	if c.Reserved > 0 {
		counters = c.Counters()
	}
	mayDefer := l.mayDefer(c.App)
	if mayDefer {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, beginTimeout)
		defer cancel()
	}
	var exceeded []Reached
	check := func(sums []credit.Amount, raises func() ([]Raise, error)) (soft []Reached, err error) {
		soft, exceeded, err = l.check(ctx, c, counters, sums, raises)
		if err == nil && len(exceeded) > 0 {
			err = latest(exceeded).Budget.exhausted(now)
		}
		return soft, err
	}
	if !slices.ContainsFunc(l.Budgets, func(b Budget) bool { return b.concerns(c.App) }) {
		check = nil
	}
	reached, err := l.Store.BeginCall(ctx, c, counters, check)
	if errors.Is(err, ErrExhausted) {
		l.markReached(ctx, exceeded)
	}
	if mayDefer && unavailable(err) && l.deferred.add(c) {
		l.Log.WarnContext(ctx, "a call is recorded later, since the database does not answer", "call", c.ID, "error", err)
		return c.ID, nil
	}
	if err != nil {
		return "", err
	}
	l.notify(ctx, reached)
	return c.ID, nil
}

// check returns the soft budgets that a call has reached and the hard ones that it exceeds.
// sums are those of counters, with the call.
func (l *Ledger) check(
	ctx context.Context, c Call, counters []Counter, sums []credit.Amount, raises func() ([]Raise, error),
) (soft, exceeded []Reached, err error) {
	for _, b := range l.Budgets {
		i := b.counter(counters)
		if i < 0 || !b.concerns(c.App) || !b.over(sums[i], b.Credits) {
			continue
		}
		list, err := raises()
		if err != nil {
			return nil, nil, err
		}
		if !b.over(sums[i], b.Credits+b.raised(list, c.Subject, c.App)) {
			continue
		}
		r := l.reached(ctx, b, counters[i], c)
		if b.Soft {
			soft = append(soft, r)
		} else {
			exceeded = append(exceeded, r)
		}
	}
	return soft, exceeded, nil
}

// over reports whether sum exceeds the limit of a hard budget or reaches that of a soft one.
func (b Budget) over(sum, limit credit.Amount) bool {
	return sum > limit || b.Soft && sum == limit
}

// reached returns that the counter of b was reached by c.
func (l *Ledger) reached(ctx context.Context, b Budget, counter Counter, c Call) Reached {
	r := Reached{Budget: b, Counter: counter, At: c.StartedAt}
	if b.Scope == User {
		r.Subject = c.Subject
	}
	detail := string(b.Scope) + " " + string(b.Period) + " " + counter.Starts.Format(time.DateOnly)
	r.Record = audit.New(ctx, c.StartedAt, audit.Broker, audit.BudgetReached, r.Subject, b.Name).
		WithRole(audit.RoleBroker).WithDetail(detail).Anonymous()
	return r
}

// latest returns the one of list that renews last.
func latest(list []Reached) Reached {
	last := list[0]
	for _, r := range list[1:] {
		if r.Budget.Period == Month {
			last = r
		}
	}
	return last
}

// markReached records hard budgets that were reached. A failure is only logged: the call is
// refused anyway.
func (l *Ledger) markReached(ctx context.Context, list []Reached) {
	for _, r := range list {
		isNew, err := l.Store.MarkReached(ctx, r)
		if err != nil {
			l.Log.WarnContext(ctx, "cannot record that a budget is used up", "budget", r.Budget.Name, "error", err)
		}
		if isNew {
			l.notify(ctx, []Reached{r})
		}
	}
}

func (l *Ledger) notify(ctx context.Context, list []Reached) {
	for _, r := range list {
		l.Log.WarnContext(ctx, "budget reached", "budget", r.Budget.Name, "scope", r.Budget.Scope,
			"period", r.Budget.Period, "starts", r.Counter.Starts.Format(time.DateOnly), "soft", r.Budget.Soft)
		if l.OnReached != nil {
			l.OnReached(r)
		}
	}
}

// End settles a call. A call that is not open stays as it is. If End fails, SettleOverdue
// settles the call later.
func (l *Ledger) End(ctx context.Context, callID string, r Result) error {
	now := l.Now()
	if l.deferred.end(callID, r, now) {
		return l.recordDeferred(ctx)
	}
	e := ending{r, now}
	err := l.settle(ctx, callID, e)
	if unavailable(err) {
		l.deferred.keepEnd(callID, e)
	}
	return err
}

// settle records the end of a call.
func (l *Ledger) settle(ctx context.Context, callID string, e ending) error {
	c, ended, err := l.Store.EndCall(ctx, callID, e.result, e.at)
	if err == nil && ended && l.OnSettled != nil {
		l.OnSettled(c)
	}
	return err
}

// overdueCalls is how many calls SettleOverdue reads at a time.
const overdueCalls = 100

// SettleOverdue settles the calls whose lease has ended, at the price that was reserved, and
// records those that were made or ended while the database was unavailable. It may run on several
// replicas at the same time.
func (l *Ledger) SettleOverdue(ctx context.Context) error {
	if err := l.recordDeferred(ctx); err != nil {
		return err
	}
	for {
		list, err := l.Store.OverdueCalls(ctx, l.Now(), overdueCalls)
		if err != nil {
			return err
		}
		settling, ctx := errgroup.WithContext(ctx)
		settling.SetLimit(settledTogether)
		for _, callID := range list {
			settling.Go(func() error {
				err := l.End(ctx, callID, Result{Outcome: OutcomeUnknown, Delivery: Unknown})
				if err == nil {
					l.Log.WarnContext(ctx, "the end of a call was not recorded; it counts with its price", "call", callID)
				}
				return err
			})
		}
		if err := settling.Wait(); err != nil {
			return err
		}
		if len(list) < overdueCalls {
			return nil
		}
	}
}

// RecordMail records that a valid mail has arrived at a forwarding address of subject, for
// which the vendor charges. key identifies the mail: recorded twice, it counts once.
// Budgets do not refuse it, since the vendor has charged for it.
func (l *Ledger) RecordMail(ctx context.Context, subject, key string, at time.Time) error {
	c := Call{
		ID:      "gc_" + hex.EncodeToString(l.Digest("budget/mail", []byte(key))[:16]),
		Subject: subject, App: apikey.AppOf(subject), Who: l.who(subject), Feature: inboundEmail,
		StartedAt: at, EndedAt: at, Outcome: OutcomeOK, Delivery: Answered, Reserved: mailPrice, Used: mailPrice,
	}
	added, err := l.Store.AddCall(ctx, c)
	if err == nil && added && l.OnSettled != nil {
		l.OnSettled(c)
	}
	return err
}
