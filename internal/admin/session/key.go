package session

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/alexedwards/argon2id"

	"casbroker/internal/secret"
)

// An admin key is "cbk_", the name of who holds it, "_", and 32 random bytes in
// base64url. Names have no underscore, so the name ends where the next one stands.
const (
	keyPrefix = "cbk_"
	maxKey    = 256 // bytes; three times what the longest name makes
)

// cost is what it takes to try one key: what OWASP asks of argon2id at least. Keys
// are random, so more would only make it easier to keep the broker busy.
var cost = argon2id.Params{Memory: 19 << 10, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32}

// What a hash in the settings may cost and hold. A short tag would let other keys in,
// and every key where it is empty.
const (
	minMemory, maxMemory     = 8 << 10, 256 << 10 // KiB
	minIterations, maxPasses = 1, 10
	minLanes, maxLanes       = 1, 8
	minSalt, minTag, maxPart = 8, 16, 64 // bytes
)

var errName = errors.New("the name of an admin key is 1 to 32 of a-z, 0-9 and -")

var keyName = regexp.MustCompile(`^[a-z0-9-]{1,32}$`)

// NewKey makes an admin key for name, and the hash of it for the settings. The key is
// not to be had again. It fails for a name that is not 1 to 32 of a-z, 0-9 and "-".
func NewKey(name string) (key secret.Text, hash string, err error) {
	if !keyName.MatchString(name) {
		return "", "", errName
	}
	text := keyPrefix + name + "_" + random()
	hash, err = argon2id.CreateHash(text, &cost)
	if err != nil {
		return "", "", fmt.Errorf("hash the key: %w", err)
	}
	return secret.Text(text), hash, nil
}

// random returns secret.KeySize random bytes in base64url, for keys and session tokens.
func random() string {
	return base64.RawURLEncoding.EncodeToString([]byte(secret.RandomKey().Reveal()))
}

// CheckKeys returns everything that is wrong with keys at once, each fault beginning
// with the place in the settings: "admin.keys[0].hash: …".
func CheckKeys(keys []Key) error {
	var wrong []error
	add := func(i int, part, format string, args ...any) {
		wrong = append(wrong, fmt.Errorf("admin.keys[%d].%s: %s", i, part, fmt.Sprintf(format, args...)))
	}
	first := map[string]int{}
	for i, k := range keys {
		if !keyName.MatchString(k.Name) {
			add(i, "name", "want 1 to 32 of a-z, 0-9 and -, not %q", k.Name)
		} else if at, twice := first[k.Name]; twice {
			add(i, "name", "%q is also the name of admin.keys[%d]", k.Name, at)
		} else {
			first[k.Name] = i
		}
		if what := faultOfHash(k.Hash); what != "" {
			add(i, "hash", "%s", what)
		}
	}
	return errors.Join(wrong...)
}

// faultOfHash says what is wrong with hash, "" when nothing is. It repeats nothing of it.
func faultOfHash(hash secret.Text) string {
	if strings.HasPrefix(hash.Reveal(), keyPrefix) {
		return "this is the key itself; want the hash of it, which broker admin-key prints too"
	}
	p, salt, tag, err := argon2id.DecodeHash(hash.Reveal())
	switch {
	case err != nil:
		return "want an argon2id hash such as broker admin-key prints ($argon2id$v=19$m=…)"
	case p.Memory < minMemory || p.Memory > maxMemory:
		return fmt.Sprintf("want m from %d to %d KiB, not %d", minMemory, maxMemory, p.Memory)
	case p.Iterations < minIterations || p.Iterations > maxPasses:
		return fmt.Sprintf("want t from %d to %d, not %d", minIterations, maxPasses, p.Iterations)
	case p.Parallelism < minLanes || p.Parallelism > maxLanes:
		return fmt.Sprintf("want p from %d to %d, not %d", minLanes, maxLanes, p.Parallelism)
	case len(salt) < minSalt || len(salt) > maxPart:
		return fmt.Sprintf("want a salt of %d to %d bytes, not %d", minSalt, maxPart, len(salt))
	case len(tag) < minTag || len(tag) > maxPart:
		return fmt.Sprintf("want a tag of %d to %d bytes, not %d", minTag, maxPart, len(tag))
	}
	return ""
}

// nameIn returns whose key says it is, which may be anything.
func nameIn(key secret.Text) string {
	rest, _ := strings.CutPrefix(key.Reveal(), keyPrefix)
	name, _, _ := strings.Cut(rest, "_")
	return name
}

// comparing has room for the comparisons that go on at a time in this process: each
// takes the memory that its hash asks for, and a core.
var comparing = make(chan struct{}, 2)

// compare reports whether hash is that of key. It waits for its turn while ctx lasts.
func compare(ctx context.Context, key, hash secret.Text) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	select {
	case comparing <- struct{}{}:
	case <-ctx.Done():
		return false, ctx.Err()
	}
	defer func() { <-comparing }()
	return argon2id.ComparePasswordAndHash(key.Reveal(), hash.Reveal())
}
