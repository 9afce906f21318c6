// Command broker serves casbroker; broker --help lists what else it does.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"casbroker/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)   // a second signal ends the program at once
	signal.Ignore(syscall.SIGPIPE) // a reader that goes away is a failed write, to be cleaned up after
	os.Exit(cli.Run(ctx, os.Args[1:], cli.Terminal{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Environ: os.Environ()}))
}
