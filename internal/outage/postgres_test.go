//go:build unix

package outage

import (
	"database/sql"
	"net/http"
	"strings"
	"testing"
	"time"

	"casbroker/internal/testkit/brokertest"
	"casbroker/internal/testkit/services"
	"casbroker/internal/testkit/storetest"
)

// maxStaleness is the access.max_staleness of the brokers here.
const maxStaleness = 2 * time.Second

// databaseOutage is a way in which a database cannot be used.
type databaseOutage struct {
	name    string
	options []string // of the server
	begin   func(t *testing.T, p *services.PostgresProcess, broker *brokertest.Program) (end func())
	reason  string // in the log and in what broker doctor finds
	remedy  string // of broker doctor
	// tokens and reads say whether blocks and revocations, and portfolios, can be read still.
	tokens, reads bool
}

func postgresOutages() []databaseOutage {
	return []databaseOutage{
		{name: "killed", begin: killPostgres, reason: "connection refused",
			remedy: "start the database, and check the host and the port in store.url"},
		{name: "hung", begin: freezePostgres, reason: "the server hangs",
			remedy: "the server takes no connection in time: see its disk, its memory and the network to it"},
		{name: "full", begin: fillPostgres, reason: "No space left on device",
			remedy: "free space on the disk of the server", tokens: true, reads: true},
		{name: "read-only", begin: makeReadOnly, reason: "read-only",
			remedy: "have store.url lead to the server that takes changes", reads: true},
		{name: "all connections taken", options: []string{"max_connections=20"}, begin: takeConnections, reason: "too many clients already",
			remedy: "lower store.max_conns, or raise max_connections of the server"},
	}
}

// TestPostgresOutages has PostgreSQL fail under load in each way: tokens that are cached and gateway tokens
// go on until blocks and revocations are unknown for access.max_staleness; the rest is refused with
// 503 and Retry-After; nothing is done by half; all is back by itself.
func TestPostgresOutages(t *testing.T) {
	t.Parallel()
	for _, o := range postgresOutages() {
		t.Run(o.name, func(t *testing.T) {
			t.Parallel()
			server := services.OwnPostgres(t, o.options...)
			broker := observedBroker(t, server.URL)
			if o.name == "full" {
				server.MoveTo(t, services.SmallDisk(t, "200m"))
			}
			broker.Start()
			o.run(t, broker, func() (end func()) { return o.begin(t, server, broker) })
		})
	}
}

// observedBroker returns a broker on database for startObserved.
func observedBroker(t *testing.T, database string) *brokertest.Program {
	t.Helper()
	return onDatabase(t, database, startVendor(t), "CASBROKER_TOKEN_MODE=both",
		"CASBROKER_ACCESS_POLL=200ms", "CASBROKER_ACCESS_MAX_STALENESS="+maxStaleness.String(), "CASBROKER_PORTFOLIO_MAX_PER_USER=100000")
}

// run makes the outage under load, and checks all that the tests of outages want.
func (o databaseOutage) run(t *testing.T, broker *brokertest.Program, begin func() (end func())) {
	t.Helper()
	m := startObserved(t, broker)
	began := time.Now()
	end := begin()
	m.mark()
	o.wantRefusals(m, began)
	o.wantReasons(t, broker)
	<-time.After(either(0, 20*time.Second))
	longest, slowest := m.longestAnswer()
	end()
	ended := time.Now()
	m.wantAll("after the end")
	eventually(t, "nothing is degraded", func() bool {
		r, err := broker.Call(t.Context(), "", http.MethodGet, "/readyz", nil)
		return err == nil && r.Status == http.StatusOK && !strings.Contains(string(r.Body), "degraded")
	})
	t.Logf("the longest answer took %v (%s); all was back %v after the end", longest.Round(time.Millisecond), slowest, time.Since(ended).Round(time.Millisecond))
	if long() && longest > 13*time.Second {
		t.Errorf("the longest answer took %v (%s), want 13s at most", longest, slowest)
	}
	m.wantNothingHalf()
}

// wantRefusals returns once all that needs what is away is refused, and fails the test if something else
// is, or if tokens are refused before their time.
func (o databaseOutage) wantRefusals(m *observed, began time.Time) {
	m.t.Helper()
	m.wait("changes are refused", func(a map[string]*answers) bool { return a[save].refused > 2 && a[askNew].refused > 0 })
	tokens := []string{askCached, askGateway, callGateway}
	if o.tokens {
		m.wait("tokens are handed out after access.max_staleness", func(a map[string]*answers) bool {
			return a[askCached].lastGiven.After(began.Add(2*maxStaleness)) && a[callGateway].lastGiven.After(began.Add(2*maxStaleness))
		})
	} else {
		m.wait("tokens are refused after access.max_staleness", func(a map[string]*answers) bool {
			return a[askCached].refused > 0 && a[askGateway].refused > 0 && a[callGateway].refused > 0
		})
	}
	if !o.reads {
		m.wait("reads are refused", func(a map[string]*answers) bool { return a[read].refused > 0 })
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if o.reads && m.answers[read].refused > 0 {
		m.t.Errorf("%d reads were refused: %v", m.answers[read].refused, m.answers[read].codes)
	}
	for _, way := range tokens {
		a := m.answers[way]
		if o.tokens {
			if a.refused > 0 {
				m.t.Errorf("%s: %d were refused: %v", way, a.refused, a.codes)
			}
			continue
		}
		refused, given := a.firstRefused.Sub(began), a.lastGiven.Sub(began)
		m.t.Logf("%s: handed out until %v, refused after %v: %v", way, given, refused, a.codes)
		if long() && (refused < maxStaleness/2 || given > 2*maxStaleness) {
			m.t.Errorf("%s: handed out until %v and refused after %v, want both at %v", way, given, refused, maxStaleness)
		}
	}
}

// wantReasons fails the test unless operators read on /readyz that the database is away, and in the log and
// from broker doctor why.
func (o databaseOutage) wantReasons(t *testing.T, broker *brokertest.Program) {
	t.Helper()
	status := http.StatusServiceUnavailable
	if o.tokens {
		status = http.StatusOK
	}
	r, err := broker.Call(t.Context(), "", http.MethodGet, "/readyz", nil)
	if err != nil || r.Status != status || !strings.Contains(string(r.Body), "The database does not answer or cannot be written to.") {
		t.Errorf("/readyz: got %v, %d %s, want %d with the database", err, r.Status, r.Body, status)
	}
	if log := broker.Output.String(); !strings.Contains(log, o.reason) {
		t.Errorf("got a log without %q: %.2000s", o.reason, log[max(0, len(log)-2000):])
	}
	if out, code := runCommand(t, broker, "doctor"); code != 1 || !strings.Contains(out, "fault   database: ") || !strings.Contains(out, o.remedy) {
		t.Errorf("doctor: got exit code %d and %s, want the database as a fault, and %q", code, out, o.remedy)
	}
}

// wantAll returns once each way of calling succeeds again.
func (m *observed) wantAll(when string) {
	m.t.Helper()
	m.mark()
	m.wait("all succeeds "+when, func(a map[string]*answers) bool {
		for _, way := range a {
			if way.given == 0 {
				return false
			}
		}
		return true
	})
}

func (m *observed) longestAnswer() (time.Duration, string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.longest, m.slowest
}

func killPostgres(t *testing.T, p *services.PostgresProcess, _ *brokertest.Program) (end func()) {
	t.Helper()
	p.Kill()
	return func() { p.Start(t) }
}

func freezePostgres(t *testing.T, p *services.PostgresProcess, _ *brokertest.Program) (end func()) {
	t.Helper()
	p.Freeze(t)
	return func() { p.Thaw(t) }
}

func fillPostgres(t *testing.T, p *services.PostgresProcess, _ *brokertest.Program) (end func()) {
	t.Helper()
	free := services.FillDisk(t, p.Folder+"/data")
	return func() {
		free()
		if !p.IsUp() { // it ends when it cannot write its log
			t.Log("PostgreSQL has ended")
			p.Start(t)
		}
	}
}

func makeReadOnly(t *testing.T, p *services.PostgresProcess, _ *brokertest.Program) (end func()) {
	t.Helper()
	server := storetest.SQL(t, p.URL)
	set := func(statement string) {
		for _, s := range []string{"SET default_transaction_read_only = off", statement, "SELECT pg_reload_conf()"} {
			if _, err := server.ExecContext(t.Context(), s); err != nil {
				t.Fatal(err)
			}
		}
	}
	server.SetMaxOpenConns(1)
	set("ALTER SYSTEM SET default_transaction_read_only = on")
	return func() { set("ALTER SYSTEM RESET default_transaction_read_only") }
}

// takeConnections opens all connections that the server gives, after it has closed those of the broker.
func takeConnections(t *testing.T, p *services.PostgresProcess, broker *brokertest.Program) (end func()) {
	t.Helper()
	broker.Freeze()
	server, others := storetest.SQL(t, p.URL), storetest.SQL(t, p.URL)
	server.SetMaxOpenConns(1)
	const sessions = ` FROM pg_stat_activity WHERE application_name = 'casbroker'`
	if _, err := server.ExecContext(t.Context(), `SELECT pg_terminate_backend(pid)`+sessions); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the sessions of the broker have ended", func() (ended bool) {
		err := server.QueryRowContext(t.Context(), `SELECT COUNT(*) = 0`+sessions).Scan(&ended)
		return ended && err == nil
	})
	var taken []*sql.Conn
	for conn, err := others.Conn(t.Context()); err == nil; conn, err = others.Conn(t.Context()) {
		taken = append(taken, conn)
	}
	broker.Thaw()
	return func() {
		for _, c := range taken {
			_ = c.Close()
		}
		_ = others.Close()
	}
}
