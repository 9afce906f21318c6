package outage

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"casbroker/internal/testkit/brokertest"
	"casbroker/internal/testkit/services"
	"casbroker/internal/testkit/storetest"
)

// redisOutage is a way in which Redis does not do what the broker needs.
type redisOutage struct {
	begin, end func(t *testing.T, r *services.RedisProcess)
	log        string // what each replica logs
	ready      string // what /readyz says of each replica
}

// loadedKeys are what Redis reads at its start in the outage "loading", for half a minute unless
// the pause after each key is ended.
const loadedKeys = 30_000

var redisOutages = map[string]redisOutage{
	"killed": {
		begin: func(_ *testing.T, r *services.RedisProcess) { r.Kill() },
		end:   func(t *testing.T, r *services.RedisProcess) { r.Start(t) },
		log:   "Redis failed", ready: "Redis does not answer",
	},
	"hung": {
		begin: func(t *testing.T, r *services.RedisProcess) { r.Freeze(t) },
		end:   func(t *testing.T, r *services.RedisProcess) { r.Thaw(t) },
		log:   "Redis failed", ready: "Redis does not answer",
	},
	"loading": {
		begin: func(t *testing.T, r *services.RedisProcess) {
			r.Ask(t, fmt.Sprintf(`EVAL "for i=1,%d do redis.call('SET','filler:'..i,'x') end" 0`, loadedKeys), "SAVE")
			r.Kill()
			r.StartLoading(t)
		},
		end: func(t *testing.T, r *services.RedisProcess) { r.Ask(t, "CONFIG SET key-load-delay 0") },
		log: "has read its data", ready: "LOADING",
	},
	"read-only": {
		begin: func(t *testing.T, r *services.RedisProcess) { r.Ask(t, "REPLICAOF 127.0.0.1 1") },
		end:   func(t *testing.T, r *services.RedisProcess) { r.Ask(t, "REPLICAOF NO ONE") },
		log:   "leads to a replica", ready: "READONLY",
	},
	"full": {
		begin: func(t *testing.T, r *services.RedisProcess) { r.Ask(t, "CONFIG SET maxmemory 1") },
		end:   func(t *testing.T, r *services.RedisProcess) { r.Ask(t, "CONFIG SET maxmemory 0") },
		log:   "maxmemory", ready: "OOM",
	},
	"locked": {
		begin: func(t *testing.T, r *services.RedisProcess) {
			r.Ask(t, "CONFIG SET requirepass secret", "CLIENT KILL TYPE normal SKIPME yes", "CLIENT KILL TYPE pubsub")
		},
		end: func(t *testing.T, r *services.RedisProcess) { r.Ask(t, "AUTH secret", `CONFIG SET requirepass ""`) },
		log: "in front of the host in cache.url", ready: "NOAUTH",
	},
	"flushed": {
		begin: func(t *testing.T, r *services.RedisProcess) { r.Ask(t, "FLUSHALL", "SCRIPT FLUSH") },
		end:   func(*testing.T, *services.RedisProcess) {},
	},
}

// userLimit is the limit of tokens of each user.
const userLimit = 15

// TestTokensLimitsAndRevocationsWithoutRedis takes Redis from two replicas under load.
func TestTokensLimitsAndRevocationsWithoutRedis(t *testing.T) {
	t.Parallel()
	for name, outage := range redisOutages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			outage.test(t)
		})
	}
}

func (o redisOutage) test(t *testing.T) {
	// A Redis that takes its time when it reads many keys at its start.
	redis := services.OwnRedis(t, "--dir", services.TempDir(t), "--loading-process-events-interval-bytes", "1024", "--key-load-delay", "1000")
	d := deployWith(t, storetest.Postgres(t), redis, 2, "CASBROKER_ACCESS_POLL=200ms",
		fmt.Sprintf("CASBROKER_RATELIMIT_TOKEN_USER=%d-D", userLimit))
	revoked := d.wantToken(t, 0, "revoked-user")
	if again := d.wantToken(t, 1, "revoked-user"); again != revoked {
		t.Fatal("the replicas share no tokens")
	}
	longest := d.underTokenLoad(t)

	o.begin(t, redis)
	for i, r := range d.replicas {
		eventually(t, "a replica says what is wrong: "+o.ready, func() bool { return strings.Contains(ready(t, r), o.ready) })
		if n := d.tokens(t, fmt.Sprint("limited-by-replica-", i), i); n != userLimit {
			t.Errorf("replica %d gives %d tokens, want %d", i, n, userLimit)
		}
	}
	d.replicas[0].Must(brokertest.Token(t, "revoked-user"), http.MethodPost, "/v1/token/revoke", nil, http.StatusOK, nil)
	d.wantAnotherToken(t, 1, "revoked-user", revoked)
	<-time.After(either(0, 20*time.Second))

	o.end(t, redis)
	for i, r := range d.replicas {
		eventually(t, "Redis is used again", func() bool { return !strings.Contains(ready(t, r), `"cache"`) })
		if lines := r.Output.String(); !strings.Contains(lines, o.log) || o.ready != "" && !strings.Contains(lines, "Redis answers again") {
			t.Errorf("replica %d does not log %q: %s", i, o.log, lines)
		}
	}
	if n := d.tokens(t, "limited-by-both", 0, 1); n != userLimit {
		t.Errorf("after the outage: got %d tokens from both replicas, want %d", n, userLimit)
	}
	report(t, "the longest answer took %v", longest())
}

// underTokenLoad has four callers ask for tokens of more and more users until the test ends.
// It returns a function that ends this and returns the time of the longest answer.
func (d *deployment) underTokenLoad(t *testing.T) (longest func() time.Duration) {
	t.Helper()
	var slowest atomic.Int64
	l := under(t, 4, func(_ context.Context, caller, number int) {
		begun := time.Now()
		d.wantToken(t, number%len(d.replicas), fmt.Sprintf("user-%d-%d", caller, number/(userLimit-1)))
		slowest.Store(max(slowest.Load(), int64(time.Since(begun))))
		<-time.After(20 * time.Millisecond)
	})
	return func() time.Duration {
		l.end()
		return time.Duration(slowest.Load())
	}
}

// wantToken returns a token of user from a replica.
func (d *deployment) wantToken(t *testing.T, replica int, user string) (token string) {
	t.Helper()
	r, err := d.replicas[replica].Call(t.Context(), brokertest.Token(t, user), http.MethodPost, "/v1/token", nil)
	if err != nil || r.Status != http.StatusOK {
		t.Errorf("a token of %s from replica %d: got %v, %d %s", user, replica, err, r.Status, r.Body)
		return ""
	}
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(r.Body, &answer); err != nil || answer.AccessToken == "" {
		t.Errorf("%v in %s", err, r.Body)
	}
	return answer.AccessToken
}

// wantAnotherToken returns once user gets another token than revoked from a replica. It waits longer and
// longer in between, since each call counts.
func (d *deployment) wantAnotherToken(t *testing.T, replica int, user, revoked string) {
	t.Helper()
	pause := 50 * time.Millisecond
	eventually(t, "the replica reuses the token no longer", func() bool {
		<-time.After(pause)
		pause *= 2
		return d.wantToken(t, replica, user) != revoked
	})
}

// tokens returns how many tokens user gets from the replicas in turn, before each refuses.
func (d *deployment) tokens(t *testing.T, user string, replicas ...int) (given int) {
	t.Helper()
	jwt := brokertest.Token(t, user)
	for i := range userLimit + 4 {
		r, err := d.replicas[replicas[i%len(replicas)]].Call(t.Context(), jwt, http.MethodPost, "/v1/token", nil)
		switch {
		case err != nil || r.Status != http.StatusOK && r.Status != http.StatusTooManyRequests:
			t.Errorf("a token of %s: got %v, %d %s", user, err, r.Status, r.Body)
		case r.Status == http.StatusOK:
			given++
		}
	}
	return given
}

// ready returns what /readyz says, which must be 200.
func ready(t *testing.T, r *brokertest.Program) string {
	t.Helper()
	answer, err := r.Call(t.Context(), "", http.MethodGet, "/readyz", nil)
	if err != nil || answer.Status != http.StatusOK {
		t.Errorf("/readyz: got %v, %d %s", err, answer.Status, answer.Body)
	}
	return string(answer.Body)
}
