package store

import (
	"context"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// hostTimeout is connectTimeout for each of several hosts: the next one is tried after it.
const hostTimeout = 2 * time.Second

// postgresHosts are the hosts that a URL names. The one that was used last is tried first, so that
// one that is down costs its timeout only once.
type postgresHosts struct {
	count     int
	hasTarget bool                   // the URL says which of them to use (target_session_attrs)
	last      atomic.Pointer[string] // the address, with its port, that was used last; nil for none
	names     sync.Map               // the names of addresses, as config has them

	mu   sync.Mutex
	open map[string]int // the connections of the pool by address, without those that were given up
}

// newPostgresHosts returns the hosts of config, whose names it looks up from then on.
func newPostgresHosts(config *pgx.ConnConfig) *postgresHosts {
	h := &postgresHosts{hasTarget: config.ValidateConnect != nil, open: map[string]int{}}
	all := map[string]bool{}
	for _, f := range candidates(config) { // a host is there twice if it may be used without TLS
		all[net.JoinHostPort(f.Host, strconv.Itoa(int(f.Port)))] = true
	}
	h.count = len(all)
	lookup := config.LookupFunc
	config.LookupFunc = func(ctx context.Context, name string) ([]string, error) {
		addresses, err := lookup(ctx, name)
		for _, a := range addresses {
			h.names.Store(a, name)
		}
		return addresses, err
	}
	return h
}

// candidates returns what config tries, in its order.
func candidates(config *pgx.ConnConfig) []*pgconn.FallbackConfig {
	first := &pgconn.FallbackConfig{Host: config.Host, Port: config.Port, TLSConfig: config.TLSConfig}
	return append([]*pgconn.FallbackConfig{first}, config.Fallbacks...)
}

// lastFirst puts the host that was used last first in config.
func (h *postgresHosts) lastFirst(_ context.Context, config *pgx.ConnConfig) error {
	last := h.last.Load()
	if h.count == 1 || last == nil {
		return nil
	}
	address, port, _ := net.SplitHostPort(*last)
	name, _ := h.names.Load(address)
	rank := func(f *pgconn.FallbackConfig) int {
		if f.Host == name && strconv.Itoa(int(f.Port)) == port {
			return 0
		}
		return 1
	}
	all := candidates(config)
	slices.SortStableFunc(all, func(a, b *pgconn.FallbackConfig) int { return rank(a) - rank(b) })
	config.Host, config.Port, config.TLSConfig, config.Fallbacks = all[0].Host, all[0].Port, all[0].TLSConfig, all[1:]
	return nil
}

// use notes that address is the one that was used last, and reports whether it is another one than
// before, or than that of an open connection.
func (h *postgresHosts) use(address string) (other bool) {
	last := h.last.Swap(&address)
	h.mu.Lock()
	defer h.mu.Unlock()
	for a := range h.open {
		other = other || a != address
	}
	return other || last != nil && *last != address
}

// countOpen changes the number of open connections to address.
func (h *postgresHosts) countOpen(address string, change int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.open[address] += change; h.open[address] == 0 {
		delete(h.open, address)
	}
}

func addressOf(conn *pgx.Conn) string { return conn.PgConn().Conn().RemoteAddr().String() }

// reaching returns a function that connects with config as the pool does. moved reports whether the
// URL has another host be used than the last one, as after a failover.
func (h *postgresHosts) reaching(config *pgx.ConnConfig) func(ctx context.Context) (moved bool, err error) {
	config = config.Copy()
	config.ConnectTimeout = probeTimeout
	return func(ctx context.Context) (moved bool, err error) {
		config := config.Copy()
		if err := h.lastFirst(ctx, config); err != nil {
			return false, err
		}
		conn, err := pgx.ConnectConfig(ctx, config)
		if err != nil {
			return false, err
		}
		moved = h.use(addressOf(conn)) && h.hasTarget && h.count > 1
		return moved, conn.Close(ctx)
	}
}
