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

// proxy forwards connections to Redis. It counts round trips, and can hold back the
// answers of Redis.
type proxy struct {
	listener    net.Listener
	target      string
	roundTrips  atomic.Int64  // times that the client wrote first, or after Redis did
	connections atomic.Int64  // that clients made
	requests    chan struct{} // receives at each write of a client, up to its capacity
	answers     sync.RWMutex  // locked while answers are held back
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
	p := &proxy{listener: l, target: u.Host, requests: make(chan struct{}, 1000)}
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
		p.connections.Add(1)
		server, err := net.Dial("tcp", p.target) //nolint:noctx // loopback: answers or fails immediately
		if err != nil {
			_ = client.Close()
			continue
		}
		var answered atomic.Bool
		answered.Store(true)
		go p.forward(server, client, func() {
			if answered.Swap(false) {
				p.roundTrips.Add(1)
			}
			select {
			case p.requests <- struct{}{}:
			default:
			}
		})
		go p.forward(client, server, func() {
			p.answers.RLock()
			defer p.answers.RUnlock()
			answered.Store(true)
		})
	}
}

func (p *proxy) forward(to io.WriteCloser, from io.Reader, onRead func()) {
	defer func() { _ = to.Close() }()
	b := make([]byte, 64<<10)
	for {
		n, err := from.Read(b)
		if n > 0 {
			onRead()
			if _, err := to.Write(b[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
