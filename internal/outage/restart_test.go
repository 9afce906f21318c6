package outage

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"casbroker/internal/testkit/brokertest"
	"casbroker/internal/testkit/services"
)

// failTimeout is how long nginx avoids a server that has refused a connection, unless it is told
// otherwise.
const failTimeout = 10 * time.Second

// TestRollingRestartLosesNoRequest stops and starts one replica after the other behind nginx, with
// the drain delay of the default settings, under a mixed load of which no request may fail.
func TestRollingRestartLosesNoRequest(t *testing.T) {
	t.Parallel()
	restartUnderLoad(t, either(3, 15), 0, recipe)
}

// recipe returns the configuration of nginx that the documents recommend.
func recipe(t *testing.T, address string, replicas ...string) string {
	t.Helper()
	return services.NginxRecipe(t, "../../config/nginx.conf", address, replicas...)
}

// TestRollingRestartBehindAPlainUpstreamLosesNoRequest has an nginx with a list of replicas and no
// other setting. It avoids a replica that was away for failTimeout: after two in a row, the third
// one must wait for that.
func TestRollingRestartBehindAPlainUpstreamLosesNoRequest(t *testing.T) {
	t.Parallel()
	restartUnderLoad(t, either(2, 6), either(0, failTimeout), func(_ *testing.T, address string, replicas ...string) string {
		return "upstream brokers { server " + strings.Join(replicas, "; server ") + "; }\n" +
			"server { listen " + address + "; location / { proxy_pass http://brokers; } }"
	})
}

// restartUnderLoad makes this many restarts of three replicas, one after the other. pause is the
// time between the start of one and the stop of the next.
func restartUnderLoad(t *testing.T, restarts int, pause time.Duration, conf nginxConf) {
	t.Helper()
	d := deployOn(t, services.Postgres(t), 3, rollingSettings()...)
	m := d.behindNginx(conf)
	l := m.start()
	m.progress()
	for i := range restarts {
		r := d.replicas[i%len(d.replicas)]
		began := time.Now()
		r.Stop()
		stopped := time.Now()
		r.Start()
		started := time.Now()
		m.progress()
		t.Logf("replica %d has stopped after %s, is ready %s later, and all callers are answered after %s more", i%len(d.replicas)+1,
			stopped.Sub(began).Round(time.Millisecond), started.Sub(stopped).Round(time.Millisecond), time.Since(started).Round(time.Millisecond))
		<-time.After(pause)
	}
	l.end()
	m.at = d.replicas
	report(t, "%d restarts: %d of %d requests failed, %d were refused since a revocation was read late; the longest answer took %s", restarts, m.faults.Load(), m.calls.Load(), m.late.Load(), m.longest)
	m.wantFewLate()
	m.check()
}

// rollingStaleness is the access.max_staleness of replicas that are replaced: on a busy machine, blocks
// and revocations may be read late, but no request may fail for that.
const rollingStaleness = time.Minute

func rollingSettings() []string {
	return append(mixedSettings(), "CASBROKER_SERVER_DRAIN_DELAY=2s", "CASBROKER_ACCESS_MAX_STALENESS="+rollingStaleness.String())
}

// nginxConf returns the blocks of an nginx that listens on address, in front of replicas.
type nginxConf func(t *testing.T, address string, replicas ...string) string

// behindNginx starts an nginx in front of the replicas, and returns callers of it, of whose requests
// none may fail.
func (d *deployment) behindNginx(conf nginxConf) *mixed {
	d.t.Helper()
	var addresses []string
	for _, r := range d.replicas {
		addresses = append(addresses, r.Address)
	}
	url := services.Nginx(d.t, func(address string) string { return conf(d.t, address, addresses...) })
	m := newMixed(d.t, d)
	m.lossy, m.stale = false, 2*staleness // the database and Redis are there all the time
	m.at = []*brokertest.Program{{T: d.t, Address: strings.TrimPrefix(url, "http://"), Client: &http.Client{Timeout: time.Minute}}}
	return m
}
