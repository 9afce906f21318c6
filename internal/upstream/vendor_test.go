package upstream_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"casbroker/internal/fault"
	"casbroker/internal/upstream"
)

const (
	apiKey    = "invented-key-77c1e0"
	goodToken = `{"access_token":"at_invented0001","token_type":"api_key","expires_in":1800}`
)

// vendor answers with one handler after the other, repeating the last, and records the
// requests.
type vendor struct {
	mu       sync.Mutex
	answers  []http.HandlerFunc
	requests []*http.Request
}

func (v *vendor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v.mu.Lock()
	next := v.answers[min(len(v.requests), len(v.answers)-1)]
	v.requests = append(v.requests, r)
	v.mu.Unlock()
	next(w, r)
}

func (v *vendor) calls() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.requests)
}

// answer writes status, body and headers, which are given as name, value, name, value.
func answer(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

// hang answers nothing until the client has disconnected.
func hang(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // the server notices a disconnect only after this
	<-r.Context().Done()
}

// quickOptions returns options with short pauses between attempts.
func quickOptions(url string) upstream.Options {
	return upstream.Options{
		URL: url, APIKey: apiKey,
		Backoff: upstream.Backoff{Base: time.Millisecond, Max: 2 * time.Millisecond},
	}
}

// serve starts a vendor on loopback and returns a client of it with short pauses.
func serve(t *testing.T, answers ...http.HandlerFunc) (*upstream.Client, *vendor) {
	t.Helper()
	v := &vendor{answers: answers}
	server := httptest.NewServer(v)
	t.Cleanup(server.Close)
	return upstream.New(quickOptions(server.URL)), v
}

// serveInMemory starts a vendor on pipes, for tests that run in a bubble of package
// synctest. The caller must call the returned function at the end.
func serveInMemory(o upstream.Options, answers ...http.HandlerFunc) (*upstream.Client, *vendor, func()) {
	v := &vendor{answers: answers}
	l := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
	server := &http.Server{Handler: v, ReadHeaderTimeout: time.Hour}
	go func() { _ = server.Serve(l) }()
	transport := &http.Transport{DialContext: l.dial}
	o.URL, o.APIKey, o.Transport = "http://vendor.example", apiKey, transport
	return upstream.New(o), v, func() {
		transport.CloseIdleConnections()
		_ = server.Close()
	}
}

// pipes is a net.Listener whose connections never leave the process.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p.conns <- server:
		return client, nil
	case <-p.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes", Net: "unix"} }

// wantFault fails the test unless err is want, of kind Unavailable, and shows the API key
// and tokens in no form, and has a detail without advice for operators. It returns the
// fault.
func wantFault(t *testing.T, err error, want *fault.Fault) fault.Fault {
	t.Helper()
	var f *fault.Fault
	if !errors.As(err, &f) || !errors.Is(err, want) || f.Kind != fault.Unavailable {
		t.Fatalf("got %v, want %s", err, want.Code)
	}
	for _, word := range []string{"upstream.", "key", "credits", "account"} {
		if strings.Contains(f.Detail, word) {
			t.Errorf("the detail for callers of %s mentions %q: %s", f.Code, word, f.Detail)
		}
	}
	for e := err; e != nil; e = errors.Unwrap(e) {
		for _, verb := range []string{"%v", "%+v", "%#v", "%q"} {
			shown := fmt.Sprintf(verb, e)
			for _, secret := range []string{apiKey, "at_a", "at_inv"} {
				if strings.Contains(shown, secret) {
					t.Errorf("%T shows a secret: %s", e, shown)
				}
			}
		}
	}
	return *f
}
