package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// site is a number of brokers with what they need.
type site struct {
	brokers  []*process
	metrics  []string // addresses
	postgres *postgres
	events   atomic.Int64 // received by the webhook
	stops    []func()
}

// stop ends all processes, the newest first.
func (s *site) stop() {
	for _, stop := range slices.Backward(s.stops) {
		stop()
	}
}

// siteOptions say what a site has.
type siteOptions struct {
	folder   string
	store    string // sqlite, or postgres with Redis
	replicas int
	unsynced bool     // PostgreSQL does not wait for the disk
	environ  []string // more settings of brokers
	before   func(context.Context, *postgres) error
}

// startSite starts a site, with a stub vendor and a receiver of events.
func startSite(ctx context.Context, o siteOptions) (s *site, err error) {
	s = &site{}
	defer func() {
		if err != nil {
			s.stop()
		}
	}()
	me, err := self()
	if err != nil {
		return s, err
	}
	start, stop := newStarter(ctx, o.folder, "")
	s.stops = append(s.stops, stop)
	vendor, err := start("vendor", func(string, string) []string { return nil }, me, vendorCommand, "ADDRESS")
	if err != nil {
		return s, err
	}
	cache, database, err := s.startStores(ctx, o)
	if err != nil {
		return s, err
	}
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		s.events.Add(1)
		w.WriteHeader(http.StatusNoContent)
	}))
	s.stops = append(s.stops, receiver.Close)
	for i := range o.replicas {
		metrics, err := freeAddress(ctx)
		if err != nil {
			return s, err
		}
		broker, err := start(fmt.Sprint("broker-", i+1), func(address, folder string) []string {
			environ := append(brokerEnvironment(address, folder, cache, "http://"+vendor.address, apiKey),
				siteEnvironment(metrics, receiver.URL)...)
			if database != "" {
				environ = append(environ, "CASBROKER_STORE_URL="+database)
			}
			return append(environ, o.environ...)
		}, brokerProgram, "serve")
		if err != nil {
			return s, err
		}
		s.brokers, s.metrics = append(s.brokers, broker), append(s.metrics, metrics)
	}
	return s, s.ready(ctx)
}

// startStores starts Redis and PostgreSQL if the brokers need them, with a migrated database.
func (s *site) startStores(ctx context.Context, o siteOptions) (cache, database string, err error) {
	if o.store != "postgres" {
		return "memory", "", nil
	}
	cache, stop, err := startRedis(ctx, o.folder)
	if err != nil {
		return "", "", err
	}
	if s.stops = append(s.stops, stop); cache == "" {
		return "", "", errors.New("redis-server is not installed")
	}
	if s.postgres, err = startPostgres(ctx, o.folder, o.unsynced); err != nil {
		return "", "", err
	}
	s.stops = append(s.stops, s.postgres.server.stop)
	migrate := exec.CommandContext(ctx, brokerProgram, "migrate")
	migrate.Env = append(os.Environ(), brokerEnvironment("127.0.0.1:0", o.folder, cache, "http://127.0.0.1:1", apiKey)...)
	migrate.Env = append(migrate.Env, "CASBROKER_STORE_URL="+s.postgres.url)
	if out, err := migrate.CombinedOutput(); err != nil {
		return "", "", fmt.Errorf("migrate: %w: %s", err, out)
	}
	if o.before != nil {
		err = o.before(ctx, s.postgres)
	}
	return cache, s.postgres.url, err
}

// siteEnvironment returns the settings of a broker with everything on, and without limits that one
// address would reach.
func siteEnvironment(metrics, receiver string) []string {
	secret := base64.StdEncoding.EncodeToString([]byte("benchmark-webhook-0123456789-abc"))
	return []string{
		"CASBROKER_SERVER_METRICS_ADDRESS=" + metrics,
		"CASBROKER_TOKEN_MODE=gateway",
		"CASBROKER_GATEWAY_CAPTURE=save",
		"CASBROKER_WEBHOOKS_ALLOW_PRIVATE=127.0.0.0/8",
		"CASBROKER_WEBHOOKS_ENDPOINTS_0_NAME=load", "CASBROKER_WEBHOOKS_ENDPOINTS_0_URL=" + receiver,
		"CASBROKER_WEBHOOKS_ENDPOINTS_0_SECRETS_0_SECRET=whsec_" + secret,
		"CASBROKER_RATELIMIT_ADMIN_USER=", "CASBROKER_RATELIMIT_ADMIN_ADDRESS=",
		"CASBROKER_RATELIMIT_FAILURES=100000000-M",
	}
}

// ready waits until each broker is ready.
func (s *site) ready(ctx context.Context) error {
	for _, b := range s.brokers {
		for tries := 0; ; tries++ {
			status, err := getStatus(ctx, "http://"+b.address+"/readyz")
			if err == nil && status == http.StatusOK {
				break
			}
			if tries == 600 || ctx.Err() != nil {
				return fmt.Errorf("a broker is not ready after a minute: status %d, %w", status, err)
			}
			pause(ctx, 100*time.Millisecond)
		}
	}
	return nil
}

func getStatus(ctx context.Context, url string) (int, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	answer, err := client.Do(r)
	if err != nil {
		return 0, err
	}
	return answer.StatusCode, answer.Body.Close()
}

// addresses returns the addresses of the brokers.
func (s *site) addresses() (list []string) {
	for _, b := range s.brokers {
		list = append(list, b.address)
	}
	return list
}

// cpu returns the processor time of all brokers so far in seconds.
func (s *site) cpu() (seconds float64) {
	for _, b := range s.brokers {
		seconds += b.cpu()
	}
	return seconds
}

// figuresOf are what a broker says about itself.
type figuresOf struct{ rss, heap, goroutines, files float64 }

// measure asks the metrics of a broker.
func (s *site) measure(ctx context.Context, broker int) (f figuresOf, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.metrics[broker]+"/metrics", nil)
	if err != nil {
		return f, err
	}
	answer, err := client.Do(r)
	if err != nil {
		return f, err
	}
	defer func() { _ = answer.Body.Close() }()
	into := map[string]*float64{
		"process_resident_memory_bytes": &f.rss, "go_memstats_heap_alloc_bytes": &f.heap, "go_goroutines": &f.goroutines, "process_open_fds": &f.files,
	}
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if to := into[name]; to != nil {
			if *to, err = strconv.ParseFloat(value, 64); err != nil {
				return f, fmt.Errorf("metric %s: %w", name, err)
			}
		}
	}
	if f.rss == 0 {
		return f, errors.New("the metrics of a broker have no resident memory")
	}
	return f, nil
}

// postgres is a server with its own data.
type postgres struct {
	url    string
	bin    string
	server *process
}

// startPostgres starts a server whose data is in folder.
func startPostgres(ctx context.Context, folder string, unsynced bool) (*postgres, error) {
	bin, err := postgresPrograms()
	if err != nil {
		return nil, err
	}
	own := filepath.Join(folder, "postgres")
	if err := os.Mkdir(own, 0o700); err != nil {
		return nil, err
	}
	as := []string{}
	if os.Geteuid() == 0 { // PostgreSQL does not run as root
		as = []string{"setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--"}
		for _, args := range [][]string{{"chown", "postgres", own}, {"chmod", "o+x", folder}} {
			if out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput(); err != nil { //nolint:gosec // of this function
				return nil, fmt.Errorf("%s: %w: %s", args[0], err, out)
			}
		}
	}
	data := filepath.Join(own, "data")
	initdb := append(slices.Clone(as), filepath.Join(bin, "initdb"), "--pgdata", data, "--username", "casbroker", "--auth", "trust", "--encoding", "UTF8", "--locale", "C.UTF-8")
	cmd := exec.CommandContext(ctx, initdb[0], initdb[1:]...) //nolint:gosec // found by us
	cmd.Dir = own
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	address, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(address)
	args := append(slices.Clone(as), filepath.Join(bin, "postgres"), "-D", data, "-c", "listen_addresses=127.0.0.1", "-c", "port="+port,
		"-c", "unix_socket_directories=", "-c", "max_connections=200", "-c", "shared_buffers=512MB", "-c", "max_wal_size=8GB")
	if unsynced {
		args = append(args, "-c", "fsync=off", "-c", "full_page_writes=off", "-c", "wal_level=minimal", "-c", "max_wal_senders=0")
	}
	server, err := spawn(ctx, address, nil, filepath.Join(folder, "postgres.log"), args[0], args[1:]...)
	if err != nil {
		return nil, err
	}
	p := &postgres{url: "postgres://casbroker@" + address + "/postgres?sslmode=disable", bin: bin, server: server}
	for range 100 {
		if err = p.run(ctx, "SELECT 1"); err == nil {
			return p, nil
		}
		pause(ctx, 100*time.Millisecond)
	}
	server.stop()
	return nil, err
}

// postgresPrograms returns the folder of PostgreSQL's programs.
func postgresPrograms() (string, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin") // Debian's
	if path, err := exec.LookPath("postgres"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			found = append(found, filepath.Dir(path))
		}
	}
	for _, folder := range slices.Backward(found) {
		_, server := os.Stat(filepath.Join(folder, "initdb"))
		_, shell := os.Stat(filepath.Join(folder, "psql"))
		if server == nil && shell == nil {
			return folder, nil
		}
	}
	return "", errors.New("PostgreSQL is not installed, or without initdb and psql")
}

// run runs statements.
func (p *postgres) run(ctx context.Context, statements string) error {
	cmd := exec.CommandContext(ctx, filepath.Join(p.bin, "psql"), p.url, "-q", "-v", "ON_ERROR_STOP=1") //nolint:gosec // found by us
	cmd.Stdin = strings.NewReader(statements)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("psql: %w: %s", err, out)
	}
	return nil
}
