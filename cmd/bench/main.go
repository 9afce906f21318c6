// Command bench compares POST /v1/token with two baselines on the same machine: plain Echo
// that verifies an HS256 token, and a naive limit and lookup with two round trips to Redis.
// It also compares the gateway with a bare reverse proxy. Every server is a process of its
// own; this process creates the load, over loopback. The ratios can be compared between
// machines, the absolute figures cannot.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// plan is the extent of the measurement.
type plan struct {
	users       int // each with a cached token
	connections int
	requests    int // in each measurement
	rounds      int // the median of which is reported
	only        string
	profiles    string // the folder for CPU profiles of brokers; "" for none
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case loadCommand:
			exit(runLoad(ctx, os.Args[2:]))
			return
		case growthCommand:
			exit(runGrowth(ctx, os.Args[2:]))
			return
		}
	}
	if len(os.Args) > 2 {
		switch os.Args[1] {
		case baselineCommand:
			exit(serveBaseline(ctx, os.Args[2:]))
			return
		case vendorCommand:
			exit(serveVendor(ctx, os.Args[2]))
			return
		case proxyCommand:
			exit(serveProxy(ctx, os.Args[2], os.Args[3]))
			return
		}
	}
	var p plan
	flag.IntVar(&p.users, "users", 50_000, "users with a cached token")
	flag.IntVar(&p.connections, "connections", 64, "concurrent connections")
	flag.IntVar(&p.requests, "requests", 100_000, "requests in each measurement")
	flag.IntVar(&p.rounds, "rounds", 3, "rounds; the median is reported")
	flag.StringVar(&p.only, "only", "", "measure only: tokens, reads or gateway")
	flag.StringVar(&p.profiles, "profiles", "", "write CPU profiles of the brokers to this folder; the figures are then of no use")
	flag.Parse()
	exit(run(ctx, p))
}

func exit(err error) {
	if err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}
