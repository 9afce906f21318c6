// Command broker runs casbroker; broker --help lists its commands.
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
	signal.Ignore(syscall.SIGPIPE) // a closed pipe is a failed write, which the commands handle
	code := cli.Run(ctx, os.Args[1:], cli.Terminal{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Environ: os.Environ()})
	atExit()
	os.Exit(code)
}

// atExit is called before the program ends.
var atExit = func() {}
