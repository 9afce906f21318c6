package services

import (
	"context"
	"net"
	"net/url"
	"sync"
	"testing"
)

// Link is a network between a program and a server, which a test can interrupt.
type Link struct {
	listener net.Listener
	target   string

	mu    sync.Mutex
	open  chan struct{} // closed while packets pass
	conns []net.Conn
}

// NewLink returns a Link to the server at address, which is a URL, and the URL that leads through it.
func NewLink(t testing.TB, address string) (link *Link, through string) {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	link = &Link{listener: l, target: u.Host, open: make(chan struct{})}
	close(link.open)
	go link.serve()
	t.Cleanup(link.close)
	u.Host = l.Addr().String()
	return link, u.String()
}

// Swallow keeps all packets from now on, also those of new connections, without closing any,
// until Restore.
func (l *Link) Swallow() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open = make(chan struct{})
}

// Restore lets the packets pass that Swallow kept, and all later ones.
func (l *Link) Restore() {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.open:
	default:
		close(l.open)
	}
}

func (l *Link) wait() {
	l.mu.Lock()
	open := l.open
	l.mu.Unlock()
	<-open
}

func (l *Link) serve() {
	for {
		client, err := l.listener.Accept()
		if err != nil {
			return
		}
		go l.connect(client)
	}
}

func (l *Link) connect(client net.Conn) {
	l.keep(client)
	l.wait()
	server, err := new(net.Dialer).DialContext(context.Background(), "tcp", l.target)
	if err != nil {
		_ = client.Close()
		return
	}
	l.keep(server)
	go l.forward(server, client)
	l.forward(client, server)
}

func (l *Link) forward(to, from net.Conn) {
	defer func() { _ = to.Close() }()
	b := make([]byte, 64<<10)
	for {
		n, err := from.Read(b)
		l.wait()
		if n > 0 {
			if _, err := to.Write(b[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (l *Link) keep(c net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns = append(l.conns, c)
}

func (l *Link) close() {
	_ = l.listener.Close()
	l.Restore()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.conns {
		_ = c.Close()
	}
}
