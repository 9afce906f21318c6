package webhook_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"casbroker/internal/access"
	"casbroker/internal/audit"
	"casbroker/internal/secret"
	"casbroker/internal/store"
	"casbroker/internal/testkit/storetest"
	"casbroker/internal/webhook"
)

// clock is a clock that tests move.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time       { return started.Add(time.Duration(c.ahead.Load())) }
func (c *clock) move(d time.Duration) { c.ahead.Add(int64(d)) }

// moveUntil moves the clock by d until done. It moves it again each second, since a try may
// have failed while the clock moved, and then the next one is due later.
func (c *clock) moveUntil(t *testing.T, d time.Duration, what string, done func() bool) {
	t.Helper()
	var moved time.Time
	until(t, what, func() bool {
		if time.Since(moved) > time.Second {
			c.move(d)
			moved = time.Now()
		}
		return done()
	})
}

// receiver takes events and remembers them.
type receiver struct {
	url    string
	status atomic.Int32 // that it answers
	header http.Header  // that it answers besides

	mu    sync.Mutex
	tries int
	has   map[string]bool
	ids   []string            // in the order in which it took them, once each
	users map[string][]string // the same by user
	again int                 // how often it took an event that it had
}

func newReceiver(t testing.TB) *receiver {
	t.Helper()
	r := &receiver{users: map[string][]string{}, has: map[string]bool{}, header: http.Header{}}
	r.status.Store(200)
	s := httptest.NewServer(r)
	t.Cleanup(s.Close)
	r.url = s.URL
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	var m struct{ Data struct{ Subject string } }
	body, _ := io.ReadAll(req.Body)
	_ = json.Unmarshal(body, &m)
	status := int(r.status.Load())
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tries++
	if id := req.Header.Get("webhook-id"); status == 200 {
		if r.has[id] {
			r.again++
		} else {
			r.has[id] = true
			r.ids = append(r.ids, id)
			r.users[m.Data.Subject] = append(r.users[m.Data.Subject], id)
		}
	}
	for name, values := range r.header {
		w.Header()[name] = values
	}
	w.WriteHeader(status)
}

func (r *receiver) taken() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.ids)
}

func (r *receiver) tried() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.tries
}

// until waits until done.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !done(); <-time.After(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within 20s", what)
		}
	}
}

// killable is a store that a process loses when it is killed.
type killable struct {
	*store.DB
	dead atomic.Bool
}

var errKilled = errors.New("the process was killed")

func (k *killable) Finish(ctx context.Context, d webhook.Delivery, o webhook.Outcome, lease time.Time) (*webhook.Delivery, error) {
	if k.dead.Load() {
		return nil, errKilled
	}
	return k.DB.Finish(ctx, d, o, lease)
}

func (k *killable) Release(ctx context.Context, d webhook.Delivery) error {
	if k.dead.Load() {
		return errKilled
	}
	return k.DB.Release(ctx, d)
}

// replica runs what works on events, with the given endpoints.
type replica struct {
	store   *killable
	results sync.Map
	stop    func()
}

func runReplica(t testing.TB, db *store.DB, now func() time.Time, endpoints ...webhook.Endpoint) *replica {
	t.Helper()
	r := &replica{store: &killable{DB: db}}
	feed := &webhook.Feed{Store: db, Now: now}
	d := &webhook.Deliverer{
		Deliveries: r.store, Sender: webhook.NewSender(loopback(t), now), Feed: feed, Log: slog.New(slog.DiscardHandler), Now: now,
		Endpoints: func(context.Context) ([]webhook.Endpoint, error) { return endpoints, nil },
		Observe: func(_, result string) {
			n, _ := r.results.LoadOrStore(result, new(atomic.Int64))
			n.(*atomic.Int64).Add(1)
		},
	}
	if err := db.SyncEndpoints(t.Context(), webhook.Filters(endpoints), now()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for _, run := range []func(context.Context) error{feed.Run, d.Run} {
		running.Go(func() {
			for ctx.Err() == nil {
				_ = run(ctx)
			}
		})
	}
	r.stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
		d.Sender.Close()
	})
	t.Cleanup(r.stop)
	return r
}

// kill ends the replica without releasing what it has reserved.
func (r *replica) kill() {
	r.store.dead.Store(true)
	r.stop()
}

func (r *replica) result(name string) int64 {
	n, ok := r.results.Load(name)
	if !ok {
		return 0
	}
	return n.(*atomic.Int64).Load()
}

func (r *receiver) endpoint(events ...webhook.Type) webhook.Endpoint {
	return webhook.Endpoint{Name: "app", URL: r.url, Secrets: []secret.Text{newSecret}, Events: events}
}

// happen causes n events of each of some users.
func happen(t testing.TB, db *store.DB, users, n int) {
	t.Helper()
	for range n {
		for u := range users {
			subject := fmt.Sprintf("app:%d", u)
			c := access.Change{Kind: access.Block, Subject: subject, Reason: fmt.Sprint(time.Now().UnixNano()), At: started, Actor: "admin/x"}
			if _, err := db.ChangeAccess(t.Context(), c, audit.New(t.Context(), started, "admin/x", audit.UserBlock, subject, "")); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// checkOrder fails unless r took every event of db, those of each user in their order.
func (r *receiver) checkOrder(t *testing.T, db *store.DB) {
	t.Helper()
	list, _, err := db.Events(t.Context(), 0, 10000)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{}
	for _, e := range list {
		want[e.Subject] = append(want[e.Subject], e.ID)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.ids) != len(list) {
		t.Errorf("the receiver took %d events, want %d", len(r.ids), len(list))
	}
	for user, ids := range want {
		if !slices.Equal(r.users[user], ids) {
			t.Errorf("%s: took %v, want %v", user, r.users[user], ids)
		}
	}
}

func TestEveryEventArrivesInOrderAfterAnOutageAndAKill(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		box := storetest.NewBox(t)
		db, other := storetest.Open(t, url, box), storetest.Open(t, url, box)
		var c clock
		r := newReceiver(t)
		first := runReplica(t, db, c.now, r.endpoint())
		happen(t, db, 5, 2)
		until(t, "the first events", func() bool { return r.taken() == 10 })
		r.status.Store(503)
		happen(t, db, 5, 4)
		for minute := range 10 {
			if minute == 4 {
				first.kill()
				happen(t, other, 5, 1)
				runReplica(t, other, c.now, r.endpoint())
			}
			before := r.tried()
			if minute < 2 || minute == 5 { // later pauses are longer than a minute
				c.moveUntil(t, time.Minute, "a try", func() bool { return r.tried() > before })
			} else {
				c.move(time.Minute)
			}
		}
		if r.taken() != 10 {
			t.Errorf("took %d events while it was down, want none", r.taken()-10)
		}
		r.status.Store(200)
		c.moveUntil(t, 4*time.Hour, "all events", func() bool { return r.taken() == 35 })
		r.checkOrder(t, db)
	})
}

func TestReplicasSendEachEventOnce(t *testing.T) {
	t.Parallel()
	url, box := storetest.Postgres(t), storetest.NewBox(t)
	r := newReceiver(t)
	var dbs []*store.DB
	for range 3 {
		db := storetest.Open(t, url, box)
		dbs = append(dbs, db)
		runReplica(t, db, time.Now, r.endpoint())
	}
	var writers sync.WaitGroup
	for _, db := range dbs {
		writers.Go(func() { happen(t, db, 6, 5) })
	}
	writers.Wait()
	until(t, "all events", func() bool { return r.taken() == 3*6*5 })
	r.checkOrder(t, dbs[0])
	if r.again != 0 {
		t.Errorf("%d events were sent twice without a failure", r.again)
	}
}

func TestReceiverThatIsGoneGetsNoMore(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		var c clock
		r := newReceiver(t)
		r.status.Store(http.StatusGone)
		replica := runReplica(t, db, c.now, r.endpoint())
		happen(t, db, 1, 2)
		until(t, "the end of the endpoint", func() bool { return replica.result("disabled") == 1 })
		c.move(24 * time.Hour)
		happen(t, db, 1, 1)
		if due, err := db.Claim(t.Context(), "app", c.now(), c.now().Add(time.Minute), 10); err != nil || len(due) != 0 || r.tried() != 1 {
			t.Errorf("got %v, %v and %d tries, want nothing to send after one", due, err, r.tried())
		}
	})
}

func TestRetryAfterIsHonouredAndAnEventIsGivenUpAfterADay(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		r := newReceiver(t)
		var c clock
		r.status.Store(503)
		r.header.Set("Retry-After", "7200")
		replica := runReplica(t, db, c.now, r.endpoint())
		happen(t, db, 1, 2)
		until(t, "the first try", func() bool { return replica.result("retried") == 1 })
		c.move(2*time.Hour - time.Minute)
		if due, err := db.Claim(t.Context(), "app", c.now(), c.now().Add(time.Minute), 10); err != nil || len(due) != 0 {
			t.Errorf("got %v, %v, want nothing before Retry-After", due, err)
		}
		for n := int64(2); replica.result("failed") == 0; n++ {
			c.move(3 * time.Hour)
			until(t, "another try", func() bool { return replica.result("retried")+replica.result("failed") >= n })
		}
		if passed := time.Duration(c.ahead.Load()); passed < 24*time.Hour || passed > 28*time.Hour {
			t.Errorf("given up after %s, want a day", passed)
		}
		r.status.Store(200)
		until(t, "the event after it", func() bool {
			c.move(10 * time.Minute) // its first try may have failed, at a time that is not known here
			return r.taken() == 1
		})
	})
}

func TestEndpointGetsTheEventsOfItsFilter(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		blocks, erasures := newReceiver(t), newReceiver(t)
		second := erasures.endpoint(webhook.UserErased, webhook.PortfolioDeleted)
		second.Name = "erasures"
		runReplica(t, db, time.Now, blocks.endpoint(webhook.UserBlocked), second)
		happen(t, db, 2, 1)
		if _, err := db.Erase(t.Context(), "app:0", audit.New(t.Context(), started, "app:0", audit.DataErase, "app:0", "")); err != nil {
			t.Fatal(err)
		}
		until(t, "all events", func() bool { return blocks.taken() == 2 && erasures.taken() == 1 })
		if blocks.tried() != 2 || len(erasures.users["app:0"]) != 1 {
			t.Errorf("got %v and %v, want the blocks at one and the erasure at the other", blocks.users, erasures.users)
		}
	})
}
