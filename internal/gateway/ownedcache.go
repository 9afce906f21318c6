package gateway

import (
	"sync"
	"time"
)

const (
	// ownedTTL is how long it is remembered that a resource is the caller's. The vendor itself
	// answers 404 for what was deleted through another replica meanwhile.
	ownedTTL = 30 * time.Second
	// maxOwned is how many resources are remembered.
	maxOwned = 10_000
)

// ownedCache remembers which resources a token may use, so that calls that follow each other
// do not read the database each time. A token from before an erasure is revoked, so it finds
// nothing here. The zero value is empty. It is safe for concurrent use.
type ownedCache struct {
	mu   sync.RWMutex
	list map[ownedKey]ownedEntry
}

// ownedKey is a resource that a token asks for.
type ownedKey struct {
	grantID string // of the token
	kind    Kind
	id      string
}

type ownedEntry struct {
	resource Resource
	until    time.Time
}

// get returns the resource if it is remembered.
func (c *ownedCache) get(k ownedKey, now time.Time) (Resource, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	e, ok := c.list[k]
	return e.resource, ok && now.Before(e.until)
}

// put remembers r, which the token may use.
func (c *ownedCache) put(k ownedKey, r Resource, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.list == nil || len(c.list) >= maxOwned {
		c.list = map[ownedKey]ownedEntry{}
	}
	c.list[k] = ownedEntry{r, now.Add(ownedTTL)}
}

// remove forgets a resource.
func (c *ownedCache) remove(k ownedKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.list, k)
}
