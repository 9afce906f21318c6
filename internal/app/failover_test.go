package app_test

import (
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"casbroker/internal/app"
	"casbroker/internal/secret"
	"casbroker/internal/testkit/services"
)

func TestFormerPrimaryIsLeftAfterAFailover(t *testing.T) {
	t.Parallel()
	servers := services.NewReplicated(t)
	primary := newFloating(t, servers.Primary)
	settings, _ := settingsFor(t, secret.URL(primary.URL), "memory")
	settings.Access.Poll = 200 * time.Millisecond
	polling := start(t, settings)
	settings.Access.Poll, settings.Access.MaxStaleness = time.Minute, time.Hour // so that only changes notice
	changing := start(t, settings)
	statement := parse(t, settings.Upstream.URL, changing.token(t, "rohan").AccessToken, "cdsl", "right").must(t, 200).body
	polling.token(t, "asha")

	servers.Failover(t)
	primary.pointTo(t, servers.Standby)
	save := func(b *broker) {
		b.call(t, "rohan", http.MethodPost, "/v1/portfolios", statement, "Idempotency-Key", "k").must(t, http.StatusCreated)
	}
	save(changing) // although the former primary refuses it
	if _, err := changing.app.Access().Block(t.Context(), operator, "app:asha", "stolen phone", time.Time{}); err != nil {
		t.Fatal(err)
	}
	within(t, 10*time.Second, "the block is seen that the new primary has", func() bool {
		return polling.call(t, "asha", http.MethodPost, "/v1/token", "").status == http.StatusForbidden
	})
	save(polling)
	polling.call(t, "", http.MethodGet, "/readyz", "").must(t, 200)
}

func TestBrokerMigratesOnceItsDatabaseCanBeReached(t *testing.T) {
	t.Parallel()
	database := services.Postgres(t)
	later := newFloating(t, database)
	nowhere := "127.0.0.1:1"
	later.target.Store(&nowhere)
	settings, _ := settingsFor(t, secret.URL(later.URL), "memory")
	b := start(t, settings)
	b.call(t, "", http.MethodGet, "/healthz", "").must(t, 200)
	b.call(t, "", http.MethodGet, "/readyz", "").must(t, 503)
	b.call(t, "asha", http.MethodPost, "/v1/token", "").must(t, 503)

	later.pointTo(t, database)
	within(t, 20*time.Second, "it is ready", func() bool { return b.call(t, "", http.MethodGet, "/readyz", "").status == 200 })
	b.token(t, "asha")
}

func TestMissingDatabaseStopsTheStart(t *testing.T) {
	t.Parallel()
	settings, _ := settingsFor(t, secret.URL(strings.Replace(services.Postgres(t), "/test_", "/no_", 1)), "memory")
	_, err := app.New(t.Context(), settings, app.Options{LogTo: io.Discard})
	if err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("got %v, want an error that says that the database does not exist", err)
	}
}

// floating is an address that can be given to another server, while connections that are open
// stay where they are.
type floating struct {
	URL    string
	target atomic.Pointer[string] // host and port
}

func newFloating(t *testing.T, server string) *floating {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	a := &floating{}
	u := a.pointTo(t, server)
	u.Host = l.Addr().String()
	a.URL = u.String()
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go a.forward(client)
		}
	}()
	return a
}

// pointTo makes server the one that new connections lead to.
func (a *floating) pointTo(t *testing.T, server string) *url.URL {
	t.Helper()
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	host := u.Host
	a.target.Store(&host)
	return u
}

func (a *floating) forward(client net.Conn) {
	defer func() { _ = client.Close() }()
	server, err := net.Dial("tcp", *a.target.Load()) //nolint:noctx // loopback
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	go func() {
		_, _ = io.Copy(server, client)
		_ = server.Close()
	}()
	_, _ = io.Copy(client, server)
}
