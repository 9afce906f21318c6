package webhook

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"casbroker/internal/tracing"
)

const (
	// giveUpAfter is how long an event is tried to be delivered, and minTries how often at
	// least: also one that waited for that long behind another one.
	giveUpAfter = 24 * time.Hour
	minTries    = 3
	// firstPause and maxPause are the times between tries, which grow by pauseFactor.
	firstPause  = 5 * time.Second
	maxPause    = 3 * time.Hour
	pauseFactor = 3

	// perEndpoint is how many users' events one replica sends to an endpoint at a time.
	perEndpoint = 16
	// leaseTime is how long the events of a user are reserved for a replica, which renews it
	// before each try. After that long another one goes on if the replica was killed.
	leaseTime = tryTimeout + 5*time.Second
)

// ErrLeaseLost is returned when another replica delivers the events of a user.
var ErrLeaseLost = errors.New("another replica delivers the events of this user")

// Delivery is an event that is to be sent to an endpoint. Whoever has it has reserved the
// events of its user at that endpoint.
type Delivery struct {
	Endpoint string
	Who      string // stands for the user
	Lease    string // identifies the reservation
	MadeAt   time.Time
	Attempts int // before
	Event    Event
}

// Outcome is what a try has led to.
type Outcome struct {
	Result
	At      time.Time
	State   State
	RetryAt time.Time // with Pending
	Disable bool      // the receiver wants no more events
}

// State is the state of a delivery.
type State string

// The states.
const (
	Pending   State = "pending"
	Delivered State = "delivered"
	Failed    State = "failed" // it was given up
)

// Deliveries has what is to be sent.
type Deliveries interface {
	// Claim reserves up to limit users with events that are due at now, and returns the
	// first event of each. A disabled endpoint has none.
	Claim(ctx context.Context, endpoint string, now, lease time.Time, limit int) ([]Delivery, error)
	// Finish records a try. Unless the event stays pending it returns the next one of the
	// user, reserved until lease; nil if there is none. It returns ErrLeaseLost if the
	// reservation has ended.
	Finish(ctx context.Context, d Delivery, o Outcome, lease time.Time) (*Delivery, error)
	// Release ends a reservation without a try.
	Release(ctx context.Context, d Delivery) error
}

// Deliverer sends events to endpoints. All fields but Observe are required.
type Deliverer struct {
	Deliveries Deliveries
	Endpoints  func(ctx context.Context) ([]Endpoint, error)
	Sender     *Sender
	Feed       *Feed // announces new events
	Log        *slog.Logger
	Now        func() time.Time
	// Observe is called after each try with what became of it: delivered, retried, failed
	// or disabled.
	Observe func(endpoint, result string)
	Tracer  *tracing.Tracer // nil for none
}

// run is one run of a Deliverer.
type run struct {
	*Deliverer
	ctx   context.Context // that of Run, for its goroutines
	freed chan struct{}   // has a value when a user's events were sent
	work  sync.WaitGroup

	mu   sync.Mutex
	busy map[string]int // goroutines of each endpoint
}

// Run sends events until ctx ends, and returns when no try is in progress. It returns the
// errors of the database, after which it may be called again.
func (d *Deliverer) Run(ctx context.Context) error {
	r := &run{Deliverer: d, ctx: ctx, freed: make(chan struct{}, 1), busy: map[string]int{}}
	defer r.work.Wait()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		news := d.Feed.News() // before looking, so none is missed
		if err := r.startDue(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-news:
		case <-r.freed:
		case <-tick.C:
		}
	}
}

// startDue starts to send what is due.
func (r *run) startDue() error {
	endpoints, err := r.Endpoints(r.ctx)
	if err != nil {
		return err
	}
	for _, e := range endpoints {
		free := r.free(e.Name)
		if free == 0 {
			continue
		}
		now := r.Now()
		list, err := r.Deliveries.Claim(r.ctx, e.Name, now, now.Add(leaseTime), free)
		if err != nil {
			return err
		}
		for _, delivery := range list {
			r.count(e.Name, 1)
			r.work.Go(func() {
				defer r.count(e.Name, -1)
				r.deliver(e, delivery)
			})
		}
	}
	return nil
}

func (r *run) free(endpoint string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return perEndpoint - r.busy[endpoint]
}

func (r *run) count(endpoint string, change int) {
	r.mu.Lock()
	r.busy[endpoint] += change
	r.mu.Unlock()
	if change < 0 {
		select {
		case r.freed <- struct{}{}:
		default:
		}
	}
}

// deliver sends delivery, and the events of its user after it.
func (r *run) deliver(e Endpoint, delivery Delivery) {
	for next := &delivery; next != nil; {
		next = r.try(e, *next)
	}
}

// try sends d once and records that, as a trace with a link to the one in which the event came
// about. It returns the event of the user that is to be sent now, nil if there is none.
func (r *run) try(e Endpoint, d Delivery) *Delivery {
	traced, span := r.Tracer.StartLinked(r.ctx, "webhook delivery", tracing.Client, d.Event.Traceparent)
	defer span.End()
	result, err := r.Sender.Send(traced, e, d.Event.Message())
	describe(span, e, d, result)
	// What has been sent is recorded also at the end of the program.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(traced), tryTimeout)
	defer cancel()
	if err != nil {
		r.Log.ErrorContext(ctx, "an event cannot be sent", "endpoint", e.Name, "event", d.Event.ID, "error", err)
		result.Error = ErrorEndpoint
	}
	var next *Delivery
	switch {
	case r.ctx.Err() != nil && !result.OK():
		err = r.Deliveries.Release(ctx, d)
	default:
		o := r.decide(d, result)
		next, err = r.Deliveries.Finish(ctx, d, o, r.Now().Add(leaseTime))
		r.report(e.Name, o)
	}
	if err != nil { // the event is sent again when the lease has ended
		r.Log.WarnContext(ctx, "a delivery of an event could not be recorded", "endpoint", e.Name, "event", d.Event.ID, "error", err)
		return nil
	}
	if next != nil && r.ctx.Err() != nil {
		if err := r.Deliveries.Release(context.WithoutCancel(r.ctx), *next); err != nil {
			r.Log.Warn("the events of a user stay reserved", "endpoint", e.Name, "error", err)
		}
		return nil
	}
	return next
}

// describe notes what was sent where, and how that ended.
func describe(span *tracing.Span, e Endpoint, d Delivery, result Result) {
	span.Text("casbroker.endpoint", e.Name)
	span.Text("casbroker.event_type", string(d.Event.Type))
	span.Number("casbroker.attempt", d.Attempts+1)
	if result.Status != 0 {
		span.Number("http.response.status_code", result.Status)
	}
	if !result.OK() {
		span.Text("error.type", result.Error)
		span.Fail()
	}
}

// decide returns what follows from the result of a try.
func (r *run) decide(d Delivery, result Result) Outcome {
	o := Outcome{Result: result, At: r.Now(), State: Delivered}
	if result.OK() {
		return o
	}
	o.Disable = result.Error == ErrorGone
	left := d.MadeAt.Add(giveUpAfter).Sub(o.At)
	if left <= 0 && d.Attempts+1 >= minTries && !o.Disable {
		o.State = Failed
		return o
	}
	pause := pauseAfter(d.Attempts + 1)
	if left > 0 {
		pause = min(pause, left)
	}
	o.State, o.RetryAt = Pending, o.At.Add(max(pause, result.RetryAfter))
	return o
}

// pauseAfter returns the time until the next try after n failed ones, a fifth more or less.
func pauseAfter(n int) time.Duration {
	pause := firstPause
	for ; n > 1 && pause < maxPause; n-- {
		pause *= pauseFactor
	}
	return time.Duration(float64(min(pause, maxPause)) * (0.8 + 0.4*rand.Float64())) //nolint:gosec // jitter
}

func (r *run) report(endpoint string, o Outcome) {
	result := "delivered"
	switch {
	case o.Disable:
		result = "disabled"
		r.Log.Error("a webhook's receiver answered 410 and is disabled", "endpoint", endpoint)
	case o.State == Failed:
		result = "failed"
		r.Log.Error("an event was given up: its receiver did not take it for a day", "endpoint", endpoint, "status", o.Status, "reason", o.Error)
	case o.State == Pending:
		result = "retried"
	}
	if r.Observe != nil {
		r.Observe(endpoint, result)
	}
}

// Backlog is what waits for an endpoint.
type Backlog struct {
	Endpoint string
	Events   int
	Oldest   time.Time // when it came to wait; zero if nothing waits
}
