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

// maxHeaderBytes limits the request line and the headers together: room for a token of
// 16 KiB, cookies and the usual headers.
const maxHeaderBytes = 32 << 10

// Timeouts limits each phase of a connection. All but Delay are required.
type Timeouts struct {
	ReadHeader time.Duration
	Read       time.Duration // of a whole request
	Write      time.Duration // from the end of the request headers to the end of the answer
	Idle       time.Duration // between two requests
	Delay      time.Duration // between the call of stopping and the close of the listener; may be 0
	Drain      time.Duration // for requests in progress when the listener is closed
}

// Listen opens address (host:port). If another program uses the port, the error says so
// and names the setting that changes it.
func Listen(ctx context.Context, address, setting string) (net.Listener, error) {
	var listen net.ListenConfig
	listen.SetMultipathTCP(false) // whose sockets refuseConnections cannot filter
	l, err := listen.Listen(ctx, "tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%s is in use by another program: choose another address with %s, such as 127.0.0.1:8181", address, setting)
	}
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	return l, nil
}

// Serve answers requests on l until ctx ends. Then it calls stopping, keeps serving for
// t.Delay so that load balancers notice, closes l, waits up to t.Drain for requests in
// progress, and returns nil. From stopping on, answers of h should close their connections:
// those that are left are closed once nothing has come on them for idleGrace, or t.Delay if
// that is less.
func Serve(ctx context.Context, l net.Listener, h http.Handler, t Timeouts, log *slog.Logger, stopping func()) error {
	open := &connections{changed: map[net.Conn]connection{}}
	s := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: t.ReadHeader,
		ReadTimeout:       t.Read,
		WriteTimeout:      t.Write,
		IdleTimeout:       t.Idle,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		ConnState:         open.set,
	}
	failed := make(chan error, 1)
	go func() { failed <- s.Serve(l) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	stopping()
	select {
	case err := <-failed:
		return fmt.Errorf("serve %s: %w", l.Addr(), err)
	case <-time.After(t.Delay):
	}
	if t.Delay > 0 {
		refuseConnections(l)
	}
	_ = l.Close() // fails only if it is closed
	if err := <-failed; !errors.Is(err, net.ErrClosed) {
		log.Warn("new connections could not be accepted until the end", "error", err)
	}
	// Server.Shutdown would drop requests that arrive now on open connections.
	if !open.drain(min(t.Delay, idleGrace), t.Drain) {
		log.Warn("requests were cut off: they were still in progress after the drain timeout", "drain", t.Drain)
	}
	return s.Close()
}
