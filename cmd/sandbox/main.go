// Command sandbox runs the emulated CAS Parser API as a program of its own.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"casbroker/internal/sandbox"
)

const keyVariable = "SANDBOX_API_KEY"

// shutdownTimeout is how long requests in progress may take when the program stops.
const shutdownTimeout = 5 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Getenv(keyVariable), os.Stdout, os.Stderr)
	stop()
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "sandbox:", err)
		os.Exit(1)
	}
}

// errUsage means that the command line is invalid and that run has printed why.
var errUsage = errors.New("usage")

// run serves until ctx ends. It writes usage errors to errOut.
func run(ctx context.Context, args []string, envKey string, out, errOut io.Writer) error {
	flags := flag.NewFlagSet("sandbox", flag.ContinueOnError)
	flags.SetOutput(errOut)
	addr := flags.String("addr", "127.0.0.1:8090", "`address` to listen on")
	key := flags.String("api-key", "", "API `key` to accept; default $"+keyVariable+", else a random key, which is printed")
	delay := flags.Duration("parse-delay", 0, "duration of each parse, such as 2s")
	credits := flags.Int("credits", 1000, "`number` of credits of the API key; 0 means none are left, -1 that they never run out")
	rateLimit := flags.Int("rate-limit", sandbox.AccountLimit, "requests a minute of the API key and its tokens; -1 means no `limit`")
	oldErrors := flags.Bool("old-errors", false, `send errors with "status":"error", as in the vendor's older documents`)
	openAPIErrors := flags.Bool("openapi-errors", false,
		"answer an unknown key, an expired token and used-up credits with the same 403, as in the vendor's OpenAPI description")
	onPremise := flags.Bool("on-premise", false, "serve the parser that the vendor's customers run themselves: no API key, tokens or credits")
	personas := flags.Bool("personas", false, "print the fictional investors whose statements can be fetched, and exit")
	flags.Usage = func() {
		_, _ = fmt.Fprintf(flags.Output(), "Usage: sandbox [flags]\n\nServes an emulated CAS Parser API, all in memory.\n\nFlags:\n")
		flags.PrintDefaults()
	}
	if err := parse(flags, args, out); err != nil {
		return err
	}
	if *credits < sandbox.Unlimited || *rateLimit < sandbox.Unlimited || *rateLimit == 0 {
		_, _ = fmt.Fprintln(errOut, "-credits must be -1 or more, -rate-limit -1, 1 or more")
		return errUsage
	}
	if *personas {
		return printPersonas(out)
	}
	if *key == "" {
		*key = envKey
	}
	generated := *key == "" && !*onPremise
	if generated {
		*key = "sk_sandbox_" + strings.ToLower(rand.Text())
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", *addr)
	if err != nil {
		return fmt.Errorf("listen on %s (choose another address with -addr): %w", *addr, err)
	}
	base := "http://" + l.Addr().String()
	_, _ = fmt.Fprintf(out, "Emulated CAS Parser API on %s\nSample PDF: %s/_sandbox/samples/cdsl.pdf\n", base, base)
	_, _ = fmt.Fprintf(out, "Investors to type in: %s/_sandbox/personas\n", base)
	if generated {
		_, _ = fmt.Fprintf(out, "API key, generated for this run: %s\n", *key)
	}
	vendor := sandbox.New(sandbox.Options{
		Accounts:  []sandbox.Account{{APIKey: *key, Credits: *credits}},
		RateLimit: *rateLimit, ParseDelay: *delay, OldErrors: *oldErrors, OpenAPIErrors: *openAPIErrors, OnPremise: *onPremise,
	})
	return serve(ctx, l, vendor, *delay)
}

// printPersonas prints a table of the fictional investors.
func printPersonas(out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "ID\tNAME\tPAN AND PDF PASSWORD\tBO ID\tBIRTH DATE\tOTP\tEMAIL")
	for _, p := range sandbox.Personas() {
		_, _ = fmt.Fprintln(table, strings.Join([]string{p.ID, p.Name, p.PAN, p.BOID, p.DOB, p.OTP, p.Email}, "\t"))
	}
	_, _ = fmt.Fprintln(table, "\nPDFs: /_sandbox/samples/ID-SOURCE.pdf, with SOURCE cdsl, nsdl, cams or kfintech")
	if err := table.Flush(); err != nil {
		return fmt.Errorf("print the investors: %w", err)
	}
	return nil
}

// parse parses the flags. It prints help to out and errors to the output of flags.
func parse(flags *flag.FlagSet, args []string, out io.Writer) error {
	for _, a := range args {
		if a == "-h" || a == "-help" || a == "--help" {
			flags.SetOutput(out)
		}
	}
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return errUsage
	}
	if flags.NArg() > 0 {
		_, _ = fmt.Fprintf(flags.Output(), "unexpected argument: %s\n", flags.Arg(0))
		flags.Usage()
		return errUsage
	}
	return nil
}

// serve serves h on l until ctx ends, then waits for requests in progress.
func serve(ctx context.Context, l net.Listener, h http.Handler, parseDelay time.Duration) error {
	srv := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       time.Minute,
		WriteTimeout:      2*time.Minute + parseDelay,
		IdleTimeout:       time.Minute,
	}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(l) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if err := srv.Shutdown(stopping); err != nil {
		return errors.Join(fmt.Errorf("stop: %w", err), srv.Close())
	}
	return nil
}
