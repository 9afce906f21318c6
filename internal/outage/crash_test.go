package outage

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"casbroker/internal/testkit/services"
	"casbroker/internal/testkit/storetest"
)

// victim is a process that is killed, and started again.
type victim struct {
	name        string
	kill, start func()
}

// TestWhatWasAcknowledgedSurvivesKills kills one process after the other under a mixed load:
// replicas, Redis, PostgreSQL. What was acknowledged must be there, once.
func TestWhatWasAcknowledgedSurvivesKills(t *testing.T) {
	t.Parallel()
	postgres := services.OwnPostgres(t)
	d := deployOn(t, postgres.URL, 3, mixedSettings()...)
	victims := append(killed(d), victim{"Redis", d.redis.Kill, func() { d.redis.Start(t) }},
		victim{"PostgreSQL", postgres.Kill, func() { postgres.Start(t) }})
	killUnderLoad(t, d, victims, either(len(victims), 30))
}

// TestWhatWasAcknowledgedSurvivesKillsOnSQLite kills a broker that is alone, and the writer of its
// database file.
func TestWhatWasAcknowledgedSurvivesKillsOnSQLite(t *testing.T) {
	t.Parallel()
	d := deployOn(t, storetest.EmptySQLite(t), 1, mixedSettings()...)
	killUnderLoad(t, d, killed(d), either(4, 20))
}

// killed returns the replicas as victims.
func killed(d *deployment) (list []victim) {
	for i, r := range d.replicas {
		list = append(list, victim{fmt.Sprint("replica ", i), r.Kill, r.Start})
	}
	return list
}

// killUnderLoad kills a victim in each round, all of them in the first ones and then any, at a
// random time, and checks what was acknowledged.
func killUnderLoad(t *testing.T, d *deployment, victims []victim, rounds int) {
	t.Helper()
	random := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0)) //nolint:gosec // a test
	order := random.Perm(len(victims))
	m := newMixed(t, d)
	l := m.start()
	began := time.Now()
	for round := range rounds {
		v := victims[random.IntN(len(victims))]
		if round < len(order) {
			v = victims[order[round]]
		}
		m.progress()
		<-time.After(time.Duration(random.IntN(200)) * time.Millisecond)
		t.Logf("round %d: %s is killed", round+1, v.name)
		killed := time.Now()
		v.kill()
		<-time.After(time.Duration(random.IntN(500)) * time.Millisecond)
		v.start()
		m.progress()
		t.Logf("round %d: all callers were answered again after %s", round+1, time.Since(killed).Round(time.Millisecond))
		if t.Failed() {
			break
		}
	}
	l.end()
	for _, r := range d.replicas {
		r.Wait("/readyz", 200)
	}
	loaded := time.Since(began)
	m.check()
	report(t, "%d kills in %s: %s acknowledged, %d lost or twice; %d tries repeated, the longest wait of a caller was %s", rounds, loaded.Round(time.Second),
		m.acknowledged(), m.faults.Load(), m.retries.Load(), m.longest)
}
