package store

import (
	"database/sql"
	"log/slog"
	"sync"
	"time"
)

const (
	// fullRetry is the pause between two attempts to open a connection while the server refuses all
	// and the pool has no connection.
	fullRetry = 100 * time.Millisecond
	// growEvery is how long after a refusal the pool tries to open one more connection than it has.
	growEvery = time.Second
	// fullWait is how long callers wait while the server refuses each connection and the pool has none.
	// Later callers fail at once.
	fullWait = 5 * time.Second
)

// poolSize is how many connections a pool may have: the setting, or as many as the server
// has given, when that refuses more. Callers then wait for one of these within their deadlines,
// as they do for a pool in full use. Once a second it grows by one.
type poolSize struct {
	log *slog.Logger
	max int

	mu      sync.Mutex // held while the size of db is changed
	db      *sql.DB
	current int
	growing *time.Timer // nil while current is max
	empty   time.Time   // since when the server refuses while there is no connection; zero for not at all

	countMu sync.Mutex // separate: a change of the size closes connections
	open    int
}

// opened counts a connection.
func (p *poolSize) opened() {
	p.count(1)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.empty = time.Time{}
	if open := p.count(0); p.current < open {
		p.set(min(open, p.max))
	}
}

// closed is the opposite of opened.
func (p *poolSize) closed() { p.count(-1) }

// count changes and returns the number of open connections.
func (p *poolSize) count(change int) int {
	p.countMu.Lock()
	defer p.countMu.Unlock()
	p.open += change
	return p.open
}

// refused limits the pool to the connections that it has, since the server has refused another one. It
// returns false if it has no connection.
func (p *poolSize) refused() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	open := p.count(0)
	if open == 0 {
		if p.empty.IsZero() {
			p.log.Warn("the database server refuses each connection, since others have as many as it gives; " +
				"lower store.max_conns of all replicas or raise max_connections of the server")
			p.empty = time.Now()
		}
		return false
	}
	if p.growing == nil {
		p.log.Warn("the database server refuses more connections, so requests wait for those that are open; "+
			"lower store.max_conns or raise max_connections of the server", "open", open, "max_conns", p.max)
		p.growing = time.AfterFunc(growEvery, p.grow)
	}
	p.set(min(open, p.max))
	return true
}

// failed notes that the opening of a connection has failed for another reason than that the server is full.
func (p *poolSize) failed() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.empty = time.Time{}
}

// starved reports whether the server has refused each connection for fullWait, while the pool had none.
func (p *poolSize) starved() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.empty.IsZero() && time.Since(p.empty) > fullWait
}

// grow lets the pool try one connection more.
func (p *poolSize) grow() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.set(min(p.current+1, p.max))
	if p.growing = nil; p.current < p.max {
		p.growing = time.AfterFunc(growEvery, p.grow)
	}
}

func (p *poolSize) set(size int) {
	p.current = size
	p.db.SetMaxOpenConns(size)
	p.db.SetMaxIdleConns(size)
}

// close stops the growth.
func (p *poolSize) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.growing != nil {
		p.growing.Stop()
	}
}
