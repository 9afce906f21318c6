// Command bench measures POST /v1/token against two baselines in the same run, on
// this machine: plain Echo that checks an HS256 token, and the naive way to limit
// and look up with two trips to Redis. Every server is a process of its own; the
// load comes from this one, over loopback. Read the ratios: the figures are this
// machine's.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
)

// plan is what is measured.
type plan struct {
	users       int // with a cached token each
	connections int
	requests    int // in each measurement
	rounds      int // of which the median counts
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if len(os.Args) > 1 && os.Args[1] == baselineCommand {
		exit(serveBaseline(ctx, os.Args[2:]))
		return
	}
	var p plan
	flag.IntVar(&p.users, "users", 50_000, "users with a cached token")
	flag.IntVar(&p.connections, "connections", 64, "connections that ask at the same time")
	flag.IntVar(&p.requests, "requests", 100_000, "requests in each measurement")
	flag.IntVar(&p.rounds, "rounds", 3, "rounds, of which the median counts")
	flag.Parse()
	exit(run(ctx, p))
}

func exit(err error) {
	if err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}
