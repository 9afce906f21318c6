package main

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"time"

	"casbroker/internal/sandbox"
)

// apiKey is the API key of the emulated vendor.
const apiKey = "benchmark-api-key" //nolint:gosec // not a real key

// scenario is one server with one kind of load.
type scenario struct {
	name   string
	server *process
	fresh  bool // every JWT is new
	rounds []figures
	cpu    float64 // seconds that the server used in all rounds
	memory float64 // MB, after the last round
}

// comparison has all scenarios. Those that need Redis are nil without it.
type comparison struct {
	plain, naive, fresh, repeat, memory, gateway *scenario
}

// scenarios returns the scenarios that can run.
func (l *comparison) scenarios() []*scenario {
	return slices.DeleteFunc([]*scenario{l.plain, l.naive, l.fresh, l.repeat, l.memory, l.gateway}, func(s *scenario) bool { return s == nil })
}

func run(ctx context.Context, p plan) error {
	folder, err := os.MkdirTemp("", "casbroker-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	redis, stopRedis, err := startRedis(ctx, folder)
	if err != nil {
		return err
	}
	defer stopRedis()
	if redis == "" {
		fmt.Println("!!! redis-server is NOT INSTALLED: comparisons with Redis are SKIPPED !!!")
	}
	if brokerProgram, err = buildBroker(ctx, folder, p.profiles != ""); err != nil {
		return err
	}
	if p.measures("tokens") {
		if err := compareTokens(ctx, p, folder, redis); err != nil {
			return err
		}
	}
	for _, part := range []struct {
		name    string
		measure func(context.Context, plan, starter) error
	}{{"reads", measureReads}, {"gateway", measureGateway}} {
		if !p.measures(part.name) {
			continue
		}
		start, stop := newStarter(ctx, folder, p.profiles)
		err := part.measure(ctx, p, start)
		stop()
		if err != nil {
			return err
		}
	}
	return nil
}

// measures reports whether a part is measured.
func (p plan) measures(part string) bool { return p.only == "" || p.only == part }

// brokerProgram is the path of the broker.
var brokerProgram string

// compareTokens measures POST /v1/token and prints the result.
func compareTokens(ctx context.Context, p plan, folder, redis string) error {
	vendor := httptest.NewServer(sandbox.New(sandbox.Options{APIKey: apiKey, RateLimit: sandbox.Unlimited}))
	defer vendor.Close()
	start, stop := newStarter(ctx, folder, p.profiles)
	defer stop()
	l, err := startScenarios(redis, vendor.URL, start)
	if err != nil {
		return err
	}
	if err := measure(ctx, l, p); err != nil {
		return err
	}
	report(l, p)
	return nil
}

// newStarter returns a starter of servers, which stop ends. Brokers write CPU profiles to the
// folder profiles unless that is "".
func newStarter(ctx context.Context, folder, profiles string) (start starter, stop func()) {
	var started []*process
	stop = func() {
		for _, p := range started {
			p.stop()
		}
	}
	start = func(name string, environ func(address, folder string) []string, program string, args ...string) (*process, error) {
		address, err := freeAddress(ctx)
		if err != nil {
			return nil, err
		}
		own := filepath.Join(folder, name)
		if err := os.Mkdir(own, 0o700); err != nil {
			return nil, err
		}
		for i, a := range args {
			if a == "ADDRESS" {
				args[i] = address
			}
		}
		env := environ(address, own)
		if profiles != "" {
			env = append(env, "BROKER_CPU_PROFILE="+filepath.Join(profiles, name+".prof"))
		}
		p, err := spawn(ctx, address, env, filepath.Join(own, "log"), program, args...)
		if err != nil {
			return nil, err
		}
		started = append(started, p)
		if program == brokerProgram {
			err = p.waitReady(ctx)
		}
		return p, err
	}
	return start, stop
}

// starter starts program as a server with its own folder. ADDRESS in args is replaced by
// the address to listen on.
type starter func(name string, environ func(address, folder string) []string, program string, args ...string) (*process, error)

// startScenarios starts each server with start.
func startScenarios(redis, vendor string, start starter) (*comparison, error) {
	me, err := self()
	if err != nil {
		return nil, err
	}
	none := func(string, string) []string { return nil }
	with := func(cache string, more ...string) func(string, string) []string {
		return func(address, folder string) []string {
			return append(brokerEnvironment(address, folder, cache, vendor, apiKey), more...)
		}
	}
	l := &comparison{}
	server, err := start("plain", none, me, baselineCommand, "ADDRESS")
	if err != nil {
		return nil, err
	}
	l.plain = &scenario{name: "(c) plain Echo + HS256", server: server, fresh: true}
	if server, err = start("memory", with("memory"), brokerProgram, "serve"); err != nil {
		return nil, err
	}
	l.memory = &scenario{name: "broker in memory, repeated JWTs", server: server}
	if server, err = start("tokens", with("memory", "CASBROKER_TOKEN_MODE=gateway"), brokerProgram, "serve"); err != nil {
		return nil, err
	}
	l.gateway = &scenario{name: "the same, gateway tokens", server: server}
	if redis == "" {
		return l, nil
	}
	if server, err = start("naive", none, me, baselineCommand, "ADDRESS", redis); err != nil {
		return nil, err
	}
	l.naive = &scenario{name: "(f) naive: ulule's Redis store, then GET", server: server, fresh: true}
	if server, err = start("redis", with(redis), brokerProgram, "serve"); err != nil {
		return nil, err
	}
	l.fresh = &scenario{name: "broker on Redis, every JWT new", server: server, fresh: true}
	l.repeat = &scenario{name: "broker on Redis, repeated JWTs", server: server}
	return l, nil
}

// measure gets a token for every user, then measures the scenarios in turn, round by round,
// so that other load on the machine affects all of them.
func measure(ctx context.Context, l *comparison, p plan) error {
	repeating, err := tokens(p.users, p.users)
	if err != nil {
		return err
	}
	fmt.Printf("getting tokens for %d users …\n", p.users)
	for _, r := range l.scenarios() {
		if r == l.fresh {
			continue // the same server as repeat
		}
		if _, err := load(ctx, r.server.address, tokenRequests(repeating), p.users, p.connections); err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
	}
	for round := range p.rounds {
		fmt.Printf("round %d of %d …\n", round+1, p.rounds)
		fresh, err := tokens(p.requests, p.users)
		if err != nil {
			return err
		}
		for _, r := range l.scenarios() {
			jwts := repeating
			if r.fresh {
				jwts = fresh
			}
			before := r.server.cpu()
			f, err := load(ctx, r.server.address, tokenRequests(jwts), p.requests, p.connections)
			if err != nil {
				return fmt.Errorf("%s: %w", r.name, err)
			}
			r.rounds, r.cpu, r.memory = append(r.rounds, f), r.cpu+r.server.cpu()-before, r.server.memory(ctx)
		}
	}
	return nil
}

// median returns the figures of the median round by requests per second.
func median(rounds []figures) figures {
	sorted := slices.SortedFunc(slices.Values(rounds), func(a, b figures) int { return int(a.perSecond - b.perSecond) })
	return sorted[len(sorted)/2]
}

// report prints the comparison as a table: requests per second, and the processor time of the
// server for each, which other load on the machine changes least.
func report(l *comparison, p plan) {
	fmt.Printf("\nPOST /v1/token, %d users with a cached token, %d connections, median of %d × %d requests\n\n",
		p.users, p.connections, p.rounds, p.requests)
	fmt.Printf("%-42s %10s %9s %8s %8s %8s %8s %8s\n", "", "requests/s", "p99", "of (c)", "of (f)", "CPU", "of (c)", "RSS")
	base := median(l.plain.rounds).perSecond
	for _, r := range l.scenarios() {
		f := median(r.rounds)
		ofNaive := "-"
		if l.naive != nil {
			ofNaive = fmt.Sprintf("%.2f", f.perSecond/median(l.naive.rounds).perSecond)
		}
		fmt.Printf("%-42s %10.0f %9s %8.2f %8s %5.0f us %8.2f %5.0f MB\n",
			r.name, f.perSecond, f.p99.Round(10*time.Microsecond), f.perSecond/base, ofNaive,
			1e6*r.cpu/float64(p.rounds*p.requests), r.cpu/l.plain.cpu, r.memory)
	}
}
