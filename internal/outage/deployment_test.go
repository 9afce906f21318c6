package outage

import (
	"context"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"casbroker/internal/sandbox"
	"casbroker/internal/testkit/brokertest"
	"casbroker/internal/testkit/services"
)

const apiKey = "an-api-key-of-the-sandbox"

// deployment is replicas of the broker on one database and, usually, one Redis.
type deployment struct {
	t        *testing.T
	replicas []*brokertest.Program
	vendor   *sandbox.Sandbox
	upstream string                 // the vendor's URL
	database string                 // its URL
	redis    *services.RedisProcess // nil for none
}

// deployOn starts n replicas on the database at this URL and a Redis of their own, without limits
// of tokens, with further settings in the form NAME=value. Those on SQLite have no Redis.
func deployOn(t *testing.T, database string, n int, settings ...string) *deployment {
	t.Helper()
	if strings.HasPrefix(database, "sqlite:") {
		return deployWith(t, database, nil, n, settings...)
	}
	return deployWith(t, database, services.OwnRedis(t), n, settings...)
}

// deployWith is deployOn with this Redis, nil for none.
func deployWith(t *testing.T, database string, redis *services.RedisProcess, n int, settings ...string) *deployment {
	t.Helper()
	d := newDeployment(t, database, redis, n, settings...)
	d.start()
	return d
}

// newDeployment is deployWith without starting the replicas.
func newDeployment(t *testing.T, database string, redis *services.RedisProcess, n int, settings ...string) *deployment {
	t.Helper()
	d := &deployment{t: t, database: database, redis: redis}
	cache := "memory"
	if redis != nil {
		cache = redis.URL
	}
	d.vendor = sandbox.New(sandbox.Options{APIKey: apiKey, Credits: sandbox.Unlimited, RateLimit: sandbox.Unlimited})
	at := httptest.NewServer(d.vendor)
	t.Cleanup(at.Close)
	d.upstream = at.URL
	for range n {
		d.add(append([]string{
			"CASBROKER_STORE_URL=" + d.database, "CASBROKER_CACHE_URL=" + cache,
			"CASBROKER_UPSTREAM_URL=" + at.URL, "CASBROKER_UPSTREAM_API_KEY=", "CASBROKER_UPSTREAM_KEYS_0_NAME=default",
			"CASBROKER_UPSTREAM_KEYS_0_API_KEY=" + apiKey, "CASBROKER_UPSTREAM_KEYS_0_WEIGHT=1", "CASBROKER_UPSTREAM_KEYS_0_RATE=0",
			"CASBROKER_RATELIMIT_TOKEN_USER=", "CASBROKER_RATELIMIT_TOKEN_ADDRESS=", "CASBROKER_RATELIMIT_TOKEN_ALL=",
			"CASBROKER_SERVER_DRAIN_DELAY=0s",
		}, settings...)...)
	}
	return d
}

// start starts each replica, and shows their logs if the test fails.
func (d *deployment) start() {
	d.t.Helper()
	d.t.Cleanup(d.showLogs)
	for _, r := range d.replicas {
		r.Start()
	}
}

// showLogs shows the last lines of each replica's log that are not about requests if the test has failed.
func (d *deployment) showLogs() {
	if !d.t.Failed() {
		return
	}
	for i, r := range d.replicas {
		if r.Output == nil { // not started
			continue
		}
		lines := slices.DeleteFunc(strings.Split(r.Output.String(), "\n"), func(line string) bool { return strings.Contains(line, `"msg":"request"`) })
		d.t.Logf("replica %d logged:\n%s", i, strings.Join(lines[max(len(lines)-8, 0):], "\n"))
	}
}

// add adds a replica that is not started yet.
func (d *deployment) add(settings ...string) *brokertest.Program {
	d.t.Helper()
	r := brokertest.New(d.t, settings...)
	d.replicas = append(d.replicas, r)
	return r
}

// long reports whether `make chaos` runs the tests: they then last as long as long outages do.
func long() bool { return chaos }

// either returns the short or, with make chaos, the long one.
func either[T any](short, longer T) T {
	if long() {
		return longer
	}
	return short
}

// load is callers that call one after another until it is stopped.
type load struct {
	stop    context.CancelFunc
	callers sync.WaitGroup
}

// under starts n callers. call gets the number of the caller and that of its call; it returns
// once the answer is there, and checks it.
func under(t *testing.T, n int, call func(ctx context.Context, caller, number int)) *load {
	ctx, stop := context.WithCancel(t.Context())
	l := &load{stop: stop}
	for caller := range n {
		l.callers.Go(func() {
			for number := 0; ctx.Err() == nil; number++ {
				call(ctx, caller, number)
			}
		})
	}
	t.Cleanup(l.end)
	return l
}

// end lets each caller finish its call, and returns when all have.
func (l *load) end() {
	l.stop()
	l.callers.Wait()
}

// eventually waits until done returns true, for half a minute.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	retry := time.NewTicker(20 * time.Millisecond)
	defer retry.Stop()
	for !done() {
		select {
		case <-deadline:
			t.Fatalf("still not: %s", what)
		case <-retry.C:
		}
	}
}
