package outage

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"casbroker/internal/testkit/brokertest"
	"casbroker/internal/testkit/services"
	"casbroker/internal/testkit/storetest"
)

// TestRollingUpgradeLosesNoRequest replaces three replicas of the previous schema by those of this
// one, one after the other behind nginx, under a mixed load of which no request may fail. The first
// one migrates the database, on which both versions serve until the last one is replaced.
func TestRollingUpgradeLosesNoRequest(t *testing.T) {
	t.Parallel()
	previous := brokertest.Previous(t)
	d := newDeployment(t, services.Postgres(t), services.OwnRedis(t), 3, rollingSettings()...)
	current := d.replicas[0].Path
	for _, r := range d.replicas {
		r.Path = previous
	}
	d.start()
	before := d.schema()
	m := d.behindNginx(recipe)
	l := m.start()
	m.progress()
	for i, r := range d.replicas {
		r.Stop()
		r.Path = current
		r.Start()
		if after := d.schema(); after <= before {
			t.Fatalf("the database has schema %d after the upgrade of replica %d, want a newer one than %d", after, i+1, before)
		}
		m.progress()
		d.wantAllServe()
		<-time.After(either(0, 10*time.Second))
	}
	l.end()
	m.at = d.replicas
	report(t, "upgraded from schema %d to %d: %d of %d requests failed, %d were refused since a revocation was read late; the longest answer took %s", before, d.schema(), m.faults.Load(), m.calls.Load(), m.late.Load(), m.longest)
	m.wantFewLate()
	m.check()
}

// schema returns the number of the last migration of the database.
func (d *deployment) schema() (version int) {
	d.t.Helper()
	if err := storetest.SQL(d.t, d.database).QueryRowContext(d.t.Context(), `SELECT MAX(version_id) FROM goose_db_version`).Scan(&version); err != nil {
		d.t.Fatal(err)
	}
	return version
}

// wantAllServe returns once each replica has answered further requests.
func (d *deployment) wantAllServe() {
	d.t.Helper()
	served := func(r *brokertest.Program) int { return strings.Count(r.Output.String(), `"msg":"request"`) }
	for i, r := range d.replicas {
		before := served(r)
		eventually(d.t, fmt.Sprint("a request is sent to replica ", i+1), func() bool { return served(r) > before })
	}
}
