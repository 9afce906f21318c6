package session

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/alexedwards/argon2id"

	"casbroker/internal/secret"
)

// argon2Prefix begins a hash of the older form, which releases before 0.2.0 made.
const argon2Prefix = "$argon2id$"

// The limits of an older hash. A longer computation would keep the broker busy; a short
// tag would accept other keys, and an empty one every key.
const (
	minMemory, maxMemory         = 8 << 10, 256 << 10 // KiB
	minIterations, maxIterations = 1, 10
	minThreads, maxThreads       = 1, 8
	minSalt, minTag, maxBytes    = 8, 16, 64
)

func isArgon2(hash secret.Text) bool { return strings.HasPrefix(hash.Reveal(), argon2Prefix) }

// checkArgon2 says what is wrong with an older hash, "" for nothing.
func checkArgon2(hash secret.Text) string {
	p, salt, tag, err := argon2id.DecodeHash(hash.Reveal())
	switch {
	case err != nil:
		return "this argon2id hash cannot be read; want the hash that broker admin-key prints (sha256: and 43 characters)"
	case p.Memory < minMemory || p.Memory > maxMemory:
		return fmt.Sprintf("want m from %d to %d KiB, not %d", minMemory, maxMemory, p.Memory)
	case p.Iterations < minIterations || p.Iterations > maxIterations:
		return fmt.Sprintf("want t from %d to %d, not %d", minIterations, maxIterations, p.Iterations)
	case p.Parallelism < minThreads || p.Parallelism > maxThreads:
		return fmt.Sprintf("want p from %d to %d, not %d", minThreads, maxThreads, p.Parallelism)
	case len(salt) < minSalt || len(salt) > maxBytes:
		return fmt.Sprintf("want a salt of %d to %d bytes, not %d", minSalt, maxBytes, len(salt))
	case len(tag) < minTag || len(tag) > maxBytes:
		return fmt.Sprintf("want a tag of %d to %d bytes, not %d", minTag, maxBytes, len(tag))
	}
	return ""
}

// argon2Slot holds the one comparison with an older hash that may run at a time in this
// process: each takes up to maxMemory and a core.
var argon2Slot = make(chan struct{}, 1)

// matchesArgon2 reports whether an older hash is the hash of key. It waits for the slot
// until ctx is done.
func matchesArgon2(ctx context.Context, key, hash secret.Text) (bool, error) {
	select {
	case argon2Slot <- struct{}{}:
	case <-ctx.Done():
		return false, ctx.Err()
	}
	defer func() { <-argon2Slot }()
	return argon2id.ComparePasswordAndHash(key.Reveal(), hash.Reveal())
}

// proven has the fast hashes of keys that were found right by an older hash, by that hash.
// The zero value is empty. It is safe for concurrent use.
type proven struct {
	mu     sync.Mutex
	hashes map[secret.Text]string
}

// has reports whether the key with this fast hash was found right by the older hash.
func (p *proven) has(older secret.Text, hash string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return secret.EqualHash(hash, secret.Text(p.hashes[older]))
}

func (p *proven) add(older secret.Text, hash string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.hashes == nil {
		p.hashes = map[secret.Text]string{}
	}
	p.hashes[older] = hash
}
