package app_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"casbroker/internal/auth"
	"casbroker/internal/config"
	"casbroker/internal/id"
	"casbroker/internal/sandbox"
	"casbroker/internal/secret"
	"casbroker/internal/testkit/services"
	"casbroker/internal/testkit/storetest"
)

var operator = auth.Principal{Subject: "admin:meera", Roles: auth.RoleAdmin}

// within polls condition until it holds, and fails the test if that takes longer than d. It polls
// less often the more time there is, since what it asks takes processor time from other tests.
func within(t *testing.T, d time.Duration, what string, condition func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	tick := time.NewTicker(min(max(20*time.Millisecond, d/50), 100*time.Millisecond))
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("not within %s: %s", d, what)
		}
	}
}

// revoked is the answer of POST /v1/token/revoke.
type revoked struct {
	Already            bool      `json:"already"`
	Subject            string    `json:"subject"`
	GrantID            string    `json:"grant_id"`
	UpstreamValidUntil time.Time `json:"upstream_valid_until"`
	UpstreamNote       string    `json:"upstream_note"`
}

func (b *broker) signOut(t *testing.T, who, body string) (r revoked) {
	t.Helper()
	b.call(t, who, http.MethodPost, "/v1/token/revoke", body).must(t, 200).decode(t, &r)
	return r
}

// blocked reports whether who gets no token because of a block.
func (b *broker) blocked(t *testing.T, who string) bool {
	t.Helper()
	a := b.call(t, who, http.MethodPost, "/v1/token", "")
	if a.status != 200 && (a.status != 403 || !strings.Contains(a.body, `"code":"subject_blocked"`)) {
		t.Fatalf("got %d: %s", a.status, a.body)
	}
	return a.status == 403
}

func TestUserSignsOut(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, _ *sandbox.Sandbox) {
		b := start(t, settings)
		first, other := b.token(t, "asha"), b.token(t, "rohan")
		r := b.signOut(t, "asha", "")
		if r.Already || r.Subject != "app:asha" || r.UpstreamNote == "" || time.Until(r.UpstreamValidUntil) < 59*time.Minute {
			t.Errorf("revoke all: got %+v", r)
		}
		second := b.token(t, "asha")
		if second.AccessToken == first.AccessToken || b.token(t, "rohan").AccessToken != other.AccessToken {
			t.Error("want a new token for asha and the same one for rohan")
		}
		one := `{"grant_id":"` + second.GrantID + `"}`
		for _, already := range []bool{false, true} {
			if r := b.signOut(t, "asha", one); r.Already != already || r.GrantID != second.GrantID || r.UpstreamValidUntil.IsZero() {
				t.Errorf("revoke one: got %+v, want already %v", r, already)
			}
		}
		if b.token(t, "asha").AccessToken == second.AccessToken {
			t.Error("asha got the token that she revoked")
		}
		for body, want := range map[string]int{
			`{"grant_id":"` + other.GrantID + `"}`: 404, `{"grant_id":""}`: 404, `{"grant_id":"gr_nothing"}`: 404,
			`{`: 400, `null`: 400, `{"grant":"gr_1"}`: 400, `{"grant_id":1}`: 400, strings.Repeat(" ", 2000): 413,
		} {
			b.call(t, "asha", http.MethodPost, "/v1/token/revoke", body).must(t, want)
		}
		b.call(t, "asha", http.MethodPost, "/v1/token/revoke", one, "Content-Type", "text/plain").must(t, 415)
		b.call(t, "", http.MethodPost, "/v1/token/revoke", "").must(t, 401)
		if b.token(t, "rohan").AccessToken != other.AccessToken {
			t.Error("want rohan's token unchanged")
		}
	})
}

func TestBlockedUserGetsNoTokenUntilUnblocked(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, vendor *sandbox.Sandbox) {
		b := start(t, settings)
		for _, who := range []string{"asha", "a/b c?d%2f", "😀" + strings.Repeat("é", 126)} {
			first := b.token(t, who)
			if _, err := b.app.Access().Block(t.Context(), operator, "app:"+who, "stolen phone", time.Time{}); err != nil {
				t.Fatal(err)
			}
			refused := b.call(t, who, http.MethodPost, "/v1/token", "").must(t, 403)
			if !strings.Contains(refused.body, `"code":"subject_blocked"`) || strings.Contains(refused.body, "stolen") {
				t.Errorf("%q: got %s, want subject_blocked without the reason", who, refused.body)
			}
			if _, err := b.app.Access().Unblock(t.Context(), operator, "app:"+who); err != nil {
				t.Fatal(err)
			}
			if b.token(t, who).AccessToken == first.AccessToken {
				t.Errorf("%q got the token from before the block", who)
			}
		}
	})
}

// replicas starts three brokers on the same database and Redis.
func replicas(t *testing.T, settings config.Config) [3]*broker {
	t.Helper()
	settings.RateLimit.Token = config.Limits{}
	settings.RateLimit.Save = config.Limits{}
	return [3]*broker{start(t, settings), start(t, settings), start(t, settings)}
}

// checkPropagation revokes one user and blocks another at one broker, and waits until a
// second broker knows.
func checkPropagation(t *testing.T, at, ask *broker, soon time.Duration) {
	t.Helper()
	asha, rohan := id.New("asha"), id.New("rohan")
	at.token(t, asha)
	ask.token(t, rohan)
	old := ask.token(t, asha)
	at.signOut(t, asha, "")
	within(t, soon, "a new token at another broker", func() bool { return ask.token(t, asha).AccessToken != old.AccessToken })
	if at.token(t, asha).AccessToken == old.AccessToken {
		t.Error("the broker that revoked it gives the old token")
	}
	if _, err := at.app.Access().Block(t.Context(), operator, "app:"+rohan, "", time.Time{}); err != nil {
		t.Fatal(err)
	}
	if !at.blocked(t, rohan) {
		t.Error("the broker that blocked a user gives a token")
	}
	within(t, soon, "a block at another broker", func() bool { return ask.blocked(t, rohan) })
	if _, err := at.app.Access().Unblock(t.Context(), operator, "app:"+rohan); err != nil {
		t.Fatal(err)
	}
	within(t, soon, "no block at another broker", func() bool { return !ask.blocked(t, rohan) })
}

func TestReplicasLearnOfRevocationsWithRedisAndWithout(t *testing.T) {
	t.Parallel()
	redis := services.OwnRedis(t)
	settings, _ := settingsFor(t, secret.URL(storetest.Postgres(t)), secret.URL(redis.URL))
	all := replicas(t, settings)
	everyPair := func(soon time.Duration) {
		for i := range all {
			for j := range all {
				if i != j {
					checkPropagation(t, all[i], all[j], soon)
				}
			}
		}
	}
	everyPair(time.Second)

	redis.Stop()
	slow := settings.Access.Poll + time.Second
	checkPropagation(t, all[0], all[1], slow)
	checkPropagation(t, all[1], all[2], slow)

	redis.Start(t)
	for i, b := range all {
		within(t, 10*time.Second, fmt.Sprintf("broker %d uses Redis again", i), func() bool {
			return strings.Contains(b.log.String(), "Redis answers again")
		})
	}
	everyPair(time.Second)
}

func TestRevokeAllEndsTheTokensOfAThousandUsers(t *testing.T) {
	t.Parallel()
	settings, _ := settingsFor(t, secret.URL(storetest.Postgres(t)), secret.URL(services.OwnRedis(t).URL))
	all := replicas(t, settings)
	const users = 1000
	var tokens [users]string
	var asking sync.WaitGroup
	for worker := range 8 {
		asking.Go(func() {
			for i := worker; i < users; i += 8 {
				tokens[i] = all[i%3].token(t, fmt.Sprint("user", i)).AccessToken
			}
		})
	}
	asking.Wait()

	before := all[0].app.Access().Watcher.Version()
	r, err := all[0].app.Access().RevokeAll(t.Context(), operator)
	if err != nil || r.Already || r.UpstreamValidUntil.IsZero() {
		t.Fatalf("got %+v, %v", r, err)
	}
	for i, b := range all {
		within(t, time.Second, fmt.Sprintf("broker %d knows", i), func() bool { return b.app.Access().Watcher.Version() == before+1 })
	}
	for worker := range 8 {
		asking.Go(func() {
			for i := worker; i < users; i += 8 {
				if all[(i+1)%3].token(t, fmt.Sprint("user", i)).AccessToken == tokens[i] {
					t.Errorf("user%d got the old token", i)
				}
			}
		})
	}
	asking.Wait()
	if r, err := all[1].app.Access().RevokeUser(t.Context(), operator, "app:user0"); err != nil || r.Already {
		t.Errorf("the new token could not be revoked: %+v, %v", r, err)
	}
}

func TestStaleAccessListRefusesTokensUnlessSetToServe(t *testing.T) {
	t.Parallel()
	database := storetest.Postgres(t)
	settings, _ := settingsFor(t, secret.URL(database), "memory")
	settings.RateLimit.Token = config.Limits{}
	settings.Access.Poll, settings.Access.MaxStaleness = 200*time.Millisecond, 2*time.Second
	b := start(t, settings)
	settings.Access.WhenStale = config.WhenStaleServe
	serving := start(t, settings)
	cached, theirs := b.token(t, "asha"), serving.token(t, "asha")

	services.RefuseConnections(t, database)
	if b.token(t, "asha").AccessToken != cached.AccessToken {
		t.Error("want the cached token while the list is recent")
	}
	var stale answer
	within(t, 10*time.Second, "the list is stale", func() bool {
		stale = b.call(t, "asha", http.MethodPost, "/v1/token", "")
		return stale.status != 200
	})
	if stale.status != 503 || stale.header.Get("Retry-After") == "" || !strings.Contains(stale.body, `"code":"access_stale"`) {
		t.Errorf("got %d %v %s", stale.status, stale.header, stale.body)
	}
	if ready := b.call(t, "", http.MethodGet, "/readyz", "").must(t, 503); !strings.Contains(ready.body, `"name":"access"`) {
		t.Errorf("readyz: got %s", ready.body)
	}
	if serving.token(t, "asha").AccessToken != theirs.AccessToken {
		t.Error("want the cached token with when_stale: serve")
	}

	services.AllowConnections(t, database)
	within(t, 10*time.Second, "the broker is ready again", func() bool {
		return b.call(t, "", http.MethodGet, "/readyz", "").status == 200
	})
	if b.token(t, "asha").AccessToken != cached.AccessToken {
		t.Error("want the cached token once the database is back")
	}
}

func TestBrokerIsNotReadyBeforeItKnowsWhoIsBlocked(t *testing.T) {
	t.Parallel()
	database := storetest.Postgres(t)
	settings, _ := settingsFor(t, secret.URL(database), "memory")
	settings.Access.Poll = 200 * time.Millisecond
	settings.Access.WhenStale = config.WhenStaleServe
	first := start(t, settings)
	if _, err := first.app.Access().Block(t.Context(), operator, "app:asha", "", time.Time{}); err != nil {
		t.Fatal(err)
	}
	services.RefuseConnections(t, database)
	settings.Store.MigrateAtStart = false
	b := start(t, settings)
	if ready := b.call(t, "", http.MethodGet, "/readyz", "").must(t, 503); !strings.Contains(ready.body, `"name":"access"`) {
		t.Errorf("readyz: got %s", ready.body)
	}
	b.call(t, "asha", http.MethodPost, "/v1/token", "").must(t, 503)
	services.AllowConnections(t, database)
	within(t, 10*time.Second, "the broker is ready", func() bool {
		return b.call(t, "", http.MethodGet, "/readyz", "").status == 200
	})
	if !b.blocked(t, "asha") {
		t.Error("a user who was blocked before the start got a token")
	}
}
