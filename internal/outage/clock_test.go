package outage

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"casbroker/internal/app"
	"casbroker/internal/config"
	"casbroker/internal/testkit/brokertest"
	"casbroker/internal/testkit/logtest"
	"casbroker/internal/testkit/storetest"
)

const skewedLimit = 5 // tokens per minute

// TestReplicaWithAWrongClockDoesNotHarmTheOthers has one of three replicas, whose clock is two
// minutes ahead or behind. It runs in the process of the test, since only there its clock can
// differ from that of the machine.
func TestReplicaWithAWrongClockDoesNotHarmTheOthers(t *testing.T) {
	t.Parallel()
	for name, ahead := range map[string]time.Duration{"ahead": 2 * time.Minute, "behind": -2 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := deployOn(t, storetest.Postgres(t), 2, append(mixedSettings(), fmt.Sprintf("CASBROKER_RATELIMIT_TOKEN_USER=%d-M", skewedLimit))...)
			s := &skewed{t: t, d: d, wrong: d.inProcess(func() time.Time { return time.Now().Add(ahead) })}
			s.right, s.all = d.replicas[0], append([]*brokertest.Program{s.wrong}, d.replicas...)
			s.wantNotReady(map[bool]string{true: " ahead of that of the ", false: " behind that of the "}[ahead > 0])
			for range either(1, 10) {
				s.revocationHolds(s.wrong, s.right)
				s.revocationHolds(s.right, s.wrong)
			}
			s.limitHolds()
			s.tokensEnd(ahead)
		})
	}
}

// skewed is a deployment with a replica whose clock is wrong.
type skewed struct {
	t            *testing.T
	d            *deployment
	wrong, right *brokertest.Program
	all          []*brokertest.Program
	n            int // of users so far
}

// inProcess starts one more replica, with the settings of the first one, in this process.
func (d *deployment) inProcess(now func() time.Time) *brokertest.Program {
	d.t.Helper()
	p := brokertest.New(d.t, d.replicas[0].Extra...)
	p.Address = d.replicas[0].Address // in Settings; the listener has another
	c, err := config.Load(config.Default(), "", append(p.Settings(), p.Extra...))
	if err != nil {
		d.t.Fatal(err)
	}
	l, err := new(net.ListenConfig).Listen(d.t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		d.t.Fatal(err)
	}
	p.Address, p.Output = l.Addr().String(), &logtest.Log{}
	ctx, stop := context.WithCancel(context.WithoutCancel(d.t.Context()))
	a, err := app.New(ctx, c, app.Options{LogTo: p.Output, Now: now, Environ: os.Environ()})
	if err != nil {
		d.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx, l) }()
	d.t.Cleanup(func() {
		stop()
		p.Client.CloseIdleConnections()
		if err := <-ended; err != nil {
			d.t.Error(err)
		}
	})
	return p
}

// newUser returns a JWT of a user without any token that all three clocks accept.
func (s *skewed) newUser() string {
	s.n++
	return brokertest.TokenAt(s.t, time.Now().Add(-150*time.Second), fmt.Sprint("user-", s.n))
}

// wantNotReady waits until the load balancer hears that the one replica has a wrong clock, and the
// operator which; the others are ready.
func (s *skewed) wantNotReady(text string) {
	s.t.Helper()
	eventually(s.t, "the replica with the wrong clock is not ready", func() bool {
		r, err := s.wrong.Call(s.t.Context(), "", http.MethodGet, "/readyz", nil)
		return err == nil && r.Status == http.StatusServiceUnavailable && strings.Contains(string(r.Body), `"clock"`) && strings.Contains(string(r.Body), text)
	})
	for _, r := range s.d.replicas {
		r.Must("", http.MethodGet, "/readyz", nil, http.StatusOK, nil)
	}
}

// revocationHolds revokes a token of one replica on the other. It is refused everywhere then.
func (s *skewed) revocationHolds(issues, revokes *brokertest.Program) {
	s.t.Helper()
	user := s.newUser()
	var g gatewayToken
	issues.Must(user, http.MethodPost, "/v1/token", nil, http.StatusOK, &g)
	for _, r := range s.all {
		if !valid(s.t, r, g.AccessToken) {
			s.t.Errorf("a token of %s is not valid at %s", issues.Address, r.Address)
		}
	}
	revokes.Must(user, http.MethodPost, "/v1/token/revoke", []byte(`{"grant_id":"`+g.GrantID+`"}`), http.StatusOK, nil)
	for _, r := range s.all {
		eventually(s.t, "the revoked token is refused", func() bool { return !valid(s.t, r, g.AccessToken) })
	}
	var next gatewayToken
	issues.Must(user, http.MethodPost, "/v1/token", nil, http.StatusOK, &next)
	for _, r := range s.all {
		if next.GrantID == g.GrantID || !valid(s.t, r, next.AccessToken) {
			s.t.Errorf("the token after the revocation is that of before, or not valid at %s", r.Address)
		}
	}
}

func valid(t *testing.T, r *brokertest.Program, token string) bool {
	t.Helper()
	reply, err := r.Call(t.Context(), "", http.MethodPost, "/gateway/v1/token/verify", nil, "X-Api-Key", token)
	if err != nil || reply.Status != http.StatusOK {
		t.Fatalf("got %v, %d %s", err, reply.Status, reply.Body)
	}
	return strings.Contains(string(reply.Body), `"valid":true`)
}

// limitHolds has one user ask all three replicas for tokens in turn. The minute of the limit may end
// meanwhile, so another user may try again.
func (s *skewed) limitHolds() {
	s.t.Helper()
	given := 0
	for range 3 {
		if given = s.given(s.newUser()); given == skewedLimit {
			return
		}
	}
	s.t.Errorf("one user got %d tokens within a minute from three replicas, want %d", given, skewedLimit)
}

// given returns how many times a user gets a token.
func (s *skewed) given(user string) (n int) {
	s.t.Helper()
	for i := range 4 * skewedLimit {
		r, err := s.all[i%len(s.all)].Call(s.t.Context(), user, http.MethodPost, "/v1/token", nil)
		switch {
		case err == nil && r.Status == http.StatusOK:
			n++
		case err != nil || r.Status != http.StatusTooManyRequests:
			s.t.Errorf("got %v, %d %s", err, r.Status, r.Body)
		}
	}
	return n
}

// tokensEnd takes a token of a minute from the replica with the wrong clock. On the others it ends
// when that minute is over by the clock that it was issued by, and in the long version, when it was
// issued by a right clock, by that.
func (s *skewed) tokensEnd(ahead time.Duration) {
	s.t.Helper()
	var g gatewayToken
	s.wrong.Must(s.newUser(), http.MethodPost, "/v1/token", []byte(`{"expiry_minutes":1}`), http.StatusOK, &g)
	for _, r := range s.d.replicas {
		if got := valid(s.t, r, g.AccessToken); got != (ahead > 0) {
			s.t.Errorf("a token of a minute from a clock that is %s ahead: got %t", ahead, got)
		}
	}
	if !long() {
		return
	}
	s.right.Must(s.newUser(), http.MethodPost, "/v1/token", []byte(`{"expiry_minutes":1}`), http.StatusOK, &g)
	<-time.After(61 * time.Second)
	for _, r := range s.d.replicas {
		if valid(s.t, r, g.AccessToken) {
			s.t.Error("a token is valid a minute after it was issued for one")
		}
	}
}
