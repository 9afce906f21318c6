package portfolio

import (
	"container/list"
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"casbroker/internal/auth"
)

// Bounds of an ownedCache.
const (
	ownedCacheBytes = 16 << 20
	maxOwnedAnswer  = 1 << 20
	ownedCacheTTL   = 10 * time.Minute // since an answer was last used
)

// ownedKey identifies an answer of GET /v1/holdings.
type ownedKey struct {
	subject string
	Selection
	Filter
	limit  int
	cursor string
}

// ownedCache keeps answers in memory, each with the version of the statements that it is made
// of. Reading a version costs a fifth of making an answer. The zero value is an empty cache.
// It is safe for concurrent use.
type ownedCache struct {
	mu      sync.Mutex
	entries map[ownedKey]*list.Element
	order   list.List // of ownedAnswers, the last used first
	bytes   int
}

type ownedAnswer struct {
	key     ownedKey
	version string
	body    []byte // never changed
	used    time.Time
}

// get returns the answer for key if it is of this version, nil otherwise.
func (c *ownedCache) get(key ownedKey, version string, now time.Time) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.entries[key]
	if e == nil {
		return nil
	}
	a, ok := e.Value.(*ownedAnswer)
	if !ok || a.version != version {
		c.remove(e)
		return nil
	}
	a.used = now
	c.order.MoveToFront(e)
	return a.body
}

// put keeps a copy of an answer, and forgets those that were not used for long.
func (c *ownedCache) put(key ownedKey, version string, body []byte, now time.Time) {
	if len(body) > maxOwnedAnswer {
		return
	}
	a := &ownedAnswer{key, version, slices.Clone(body), now}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries == nil {
		c.entries = map[ownedKey]*list.Element{}
	}
	if e := c.entries[key]; e != nil {
		c.remove(e)
	}
	c.entries[key] = c.order.PushFront(a)
	c.bytes += len(a.body)
	for e := c.order.Back(); e != nil && (c.bytes > ownedCacheBytes || c.isOld(e, now)); e = c.order.Back() {
		c.remove(e)
	}
}

func (*ownedCache) isOld(e *list.Element, now time.Time) bool {
	a, ok := e.Value.(*ownedAnswer)
	return !ok || now.Sub(a.used) > ownedCacheTTL
}

func (c *ownedCache) remove(e *list.Element) {
	if a, ok := c.order.Remove(e).(*ownedAnswer); ok {
		delete(c.entries, a.key)
		c.bytes -= len(a.body)
	}
}

// StatementsVersion returns the version of the statements of who, which is another one after
// each change of what who owns. It waits for statements that are being saved.
func (s *Service) StatementsVersion(ctx context.Context, who auth.Principal) (string, error) {
	s.settle(ctx, who)
	return s.Reader.StatementsVersion(ctx, who.Subject)
}

// versionOf returns the version of statements, as AccountReader.StatementsVersion does.
func versionOf(statements []AccountStatement) string {
	parts := make([]string, len(statements))
	for i := range statements {
		s := &statements[i]
		known := "known"
		if s.Unknown {
			known = "unknown"
		}
		parts[i] = s.PortfolioID + " " + string(s.Provenance) + " " + strconv.Itoa(s.Owner) + " " + known
	}
	slices.Sort(parts)
	return strings.Join(parts, ",")
}
