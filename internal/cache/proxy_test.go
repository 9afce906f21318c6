package cache_test

import (
	"io"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"

	"casbroker/internal/secret"
)

// proxy stands between a client and Redis. It counts round trips, and can hold
// back what Redis answers.
type proxy struct {
	listener net.Listener
	target   string
	trips    atomic.Int64 // times that the client spoke first, or after Redis did
	lines    atomic.Int64 // connections that were made
	asked    chan struct{}
	gate     sync.RWMutex // locked while answers are held back
}

func newProxy(t *testing.T, redisURL string) *proxy {
	t.Helper()
	u, err := url.Parse(redisURL)
	if err != nil {
		t.Fatal(err)
	}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	p := &proxy{listener: l, target: u.Host, asked: make(chan struct{}, 1000)}
	go p.serve()
	return p
}

func (p *proxy) url() secret.URL { return secret.URL("redis://" + p.listener.Addr().String()) }

func (p *proxy) serve() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.lines.Add(1)
		server, err := net.Dial("tcp", p.target) //nolint:noctx // answers at once or not at all
		if err != nil {
			_ = client.Close()
			continue
		}
		var answered atomic.Bool
		answered.Store(true)
		go p.pass(server, client, func() {
			if answered.Swap(false) {
				p.trips.Add(1)
			}
			select {
			case p.asked <- struct{}{}:
			default:
			}
		})
		go p.pass(client, server, func() {
			p.gate.RLock()
			defer p.gate.RUnlock()
			answered.Store(true)
		})
	}
}

func (p *proxy) pass(to io.WriteCloser, from io.Reader, seen func()) {
	defer func() { _ = to.Close() }()
	b := make([]byte, 64<<10)
	for {
		n, err := from.Read(b)
		if n > 0 {
			seen()
			if _, err := to.Write(b[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
