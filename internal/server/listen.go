package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"syscall"
	"time"
)

// maxHeaderBytes is what a request line and headers may take: a token of 8 KiB,
// cookies and the usual.
const maxHeaderBytes = 32 << 10

// Timeouts bound how long a connection may take; all but Delay are required.
type Timeouts struct {
	ReadHeader time.Duration
	Read       time.Duration // of a whole request
	Write      time.Duration // from the end of the headers to the end of the answer
	Idle       time.Duration // between two requests
	Delay      time.Duration // between retiring and taking no more connections; may be 0
	Drain      time.Duration // for requests under way when the server stops
}

// Listen opens address (host:port). When another program has it, the error says so
// and that setting chooses another.
func Listen(ctx context.Context, address, setting string) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%s is taken by another program: choose another with %s, such as 127.0.0.1:8181", address, setting)
	}
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	return l, nil
}

// Serve answers requests on l until ctx ends. Then it calls retire, goes on for
// t.Delay so that this can be noticed, lets requests under way finish for t.Drain at
// most, and returns nil.
func Serve(ctx context.Context, l net.Listener, h http.Handler, t Timeouts, log *slog.Logger, retire func()) error {
	s := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: t.ReadHeader,
		ReadTimeout:       t.Read,
		WriteTimeout:      t.Write,
		IdleTimeout:       t.Idle,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	failed := make(chan error, 1)
	go func() { failed <- s.Serve(l) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	retire()
	select {
	case err := <-failed:
		return fmt.Errorf("serve %s: %w", l.Addr(), err)
	case <-time.After(t.Delay):
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), t.Drain)
	defer cancel()
	if err := s.Shutdown(drain); err != nil {
		log.Warn("requests were still under way at the end of the drain time", "drain", t.Drain)
		return s.Close()
	}
	return nil
}
