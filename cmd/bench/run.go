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

// apiKey is of the emulated vendor.
const apiKey = "benchmark-api-key" //nolint:gosec // opens nothing

// rung is one server with one kind of load.
type rung struct {
	name   string
	server *process
	fresh  bool // every JWT is new
	found  []figures
	memory float64 // MB, after the last round
}

// ladder is all that is compared. Those that need Redis are nil without it.
type ladder struct {
	plain, naive, fresh, repeat, memory *rung
}

func (l *ladder) rungs() []*rung {
	return slices.DeleteFunc([]*rung{l.plain, l.naive, l.fresh, l.repeat, l.memory}, func(r *rung) bool { return r == nil })
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
		fmt.Println("!!! redis-server is NOT INSTALLED: what needs it is SKIPPED !!!")
	}
	l, stop, err := build(ctx, folder, redis)
	defer stop()
	if err != nil {
		return err
	}
	if err := measure(ctx, l, p); err != nil {
		return err
	}
	report(l, p)
	return nil
}

// build starts all servers. stop ends those that were started.
func build(ctx context.Context, folder, redis string) (l *ladder, stop func(), err error) {
	vendor := httptest.NewServer(sandbox.New(sandbox.Options{APIKey: apiKey}))
	var started []*process
	stop = func() {
		for _, p := range started {
			p.stop()
		}
		vendor.Close()
	}
	start := func(name string, environ func(address, folder string) []string, program string, args ...string) (*process, error) {
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
		p, err := spawn(ctx, address, environ(address, own), filepath.Join(own, "log"), program, args...)
		if err == nil {
			started = append(started, p)
		}
		return p, err
	}
	l, err = climb(ctx, folder, redis, vendor.URL, start)
	return l, stop, err
}

// starter starts program as a server with a folder of its own; ADDRESS in args
// stands for where it is to listen.
type starter func(name string, environ func(address, folder string) []string, program string, args ...string) (*process, error)

func climb(ctx context.Context, folder, redis, vendor string, start starter) (*ladder, error) {
	me, err := self()
	if err != nil {
		return nil, err
	}
	program, err := buildBroker(ctx, folder)
	if err != nil {
		return nil, err
	}
	none := func(string, string) []string { return nil }
	with := func(cache string) func(string, string) []string {
		return func(address, folder string) []string {
			return brokerEnvironment(address, folder, cache, vendor, apiKey)
		}
	}
	l := &ladder{}
	server, err := start("plain", none, me, baselineCommand, "ADDRESS")
	if err != nil {
		return nil, err
	}
	l.plain = &rung{name: "(c) plain Echo + HS256", server: server, fresh: true}
	if server, err = start("memory", with("memory"), program, "serve"); err != nil {
		return nil, err
	}
	l.memory = &rung{name: "broker in memory, JWTs that repeat", server: server}
	if redis == "" {
		return l, nil
	}
	if server, err = start("naive", none, me, baselineCommand, "ADDRESS", redis); err != nil {
		return nil, err
	}
	l.naive = &rung{name: "(f) naive: ulule's Redis store, then GET", server: server, fresh: true}
	if server, err = start("redis", with(redis), program, "serve"); err != nil {
		return nil, err
	}
	l.fresh = &rung{name: "broker on Redis, every JWT new", server: server, fresh: true}
	l.repeat = &rung{name: "broker on Redis, JWTs that repeat", server: server}
	return l, nil
}

// measure gives every user a token, then takes the rungs in turn, round by round,
// so that what else the machine does falls on all of them.
func measure(ctx context.Context, l *ladder, p plan) error {
	repeating, err := tokens(p.users, p.users)
	if err != nil {
		return err
	}
	fmt.Printf("%d users get their tokens …\n", p.users)
	for _, r := range l.rungs() {
		if r == l.fresh {
			continue // the same server as repeat
		}
		if _, err := load(ctx, r.server.address, repeating, p.users, p.connections); err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
	}
	for round := range p.rounds {
		fmt.Printf("round %d of %d …\n", round+1, p.rounds)
		fresh, err := tokens(p.requests, p.users)
		if err != nil {
			return err
		}
		for _, r := range l.rungs() {
			jwts := repeating
			if r.fresh {
				jwts = fresh
			}
			f, err := load(ctx, r.server.address, jwts, p.requests, p.connections)
			if err != nil {
				return fmt.Errorf("%s: %w", r.name, err)
			}
			r.found, r.memory = append(r.found, f), r.server.memory(ctx)
		}
	}
	return nil
}

// median returns the figures of the round in the middle, by requests per second.
func (r *rung) median() figures {
	sorted := slices.SortedFunc(slices.Values(r.found), func(a, b figures) int { return int(a.perSecond - b.perSecond) })
	return sorted[len(sorted)/2]
}

func report(l *ladder, p plan) {
	fmt.Printf("\nPOST /v1/token, %d users with a cached token, %d connections, median of %d × %d requests\n\n",
		p.users, p.connections, p.rounds, p.requests)
	fmt.Printf("%-42s %10s %9s %8s %8s %8s\n", "", "requests/s", "p99", "of (c)", "of (f)", "RSS")
	base := l.plain.median().perSecond
	for _, r := range l.rungs() {
		f := r.median()
		ofNaive := "-"
		if l.naive != nil {
			ofNaive = fmt.Sprintf("%.2f", f.perSecond/l.naive.median().perSecond)
		}
		fmt.Printf("%-42s %10.0f %9s %8.2f %8s %5.0f MB\n",
			r.name, f.perSecond, f.p99.Round(10*time.Microsecond), f.perSecond/base, ofNaive, r.memory)
	}
}
