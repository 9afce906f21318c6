package session

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"casbroker/internal/secret"
)

// An admin key is "cbk_", the name of its holder, "_", and 32 random bytes in
// base64url. Names contain no underscore, so a name ends at the next one.
const (
	keyPrefix = "cbk_"
	maxKey    = 256 // bytes; three times the length of the longest key
)

var errName = errors.New("the name of an admin key must be 1 to 32 of a-z, 0-9 and -")

// Key is an admin key as the settings have it.
type Key struct {
	Name string      // of its holder: [a-z0-9-]{1,32}
	Hash secret.Text // "sha256:…" of the whole key; the older "$argon2id$…" works too
}

// NewKey makes an admin key for name and the hash of it for the settings. The key
// cannot be recovered from the hash. It fails for a name that is not 1 to 32 of a-z,
// 0-9 and "-".
func NewKey(name string) (key secret.Text, hash string, err error) {
	if !secret.IsKeyName(name) {
		return "", "", errName
	}
	key, hash = secret.NewKey(keyPrefix, name)
	return key, hash, nil
}

// matches reports whether hash is the hash of key, in a time that does not depend on
// where they differ. It fails only with the error of ctx, while an older hash waits to
// be compared.
func matches(ctx context.Context, key, hash secret.Text) (bool, error) {
	if isArgon2(hash) {
		return matchesArgon2(ctx, key, hash)
	}
	return secret.EqualHash(secret.HashKey(key), hash), nil
}

// CheckKeys returns everything that is wrong with keys at once. Each error begins with
// the settings key: "admin.keys[0].hash: …".
func CheckKeys(keys []Key) error {
	var wrong []error
	add := func(i int, field, format string, args ...any) {
		wrong = append(wrong, fmt.Errorf("admin.keys[%d].%s: %s", i, field, fmt.Sprintf(format, args...)))
	}
	first := map[string]int{}
	for i, k := range keys {
		if !secret.IsKeyName(k.Name) {
			add(i, "name", "want 1 to 32 of a-z, 0-9 and -, not %q", k.Name)
		} else if at, twice := first[k.Name]; twice {
			add(i, "name", "%q is also the name of admin.keys[%d]", k.Name, at)
		} else {
			first[k.Name] = i
		}
		if problem := checkHash(k.Hash); problem != "" {
			add(i, "hash", "%s", problem)
		}
	}
	return errors.Join(wrong...)
}

// CheckHash returns what is wrong with the hash of an admin key. The error has no part of it.
func CheckHash(hash secret.Text) error {
	if problem := checkHash(hash); problem != "" {
		return errors.New(problem)
	}
	return nil
}

// checkHash says what is wrong with hash, "" for nothing. It repeats no part of it.
func checkHash(hash secret.Text) string {
	text := hash.Reveal()
	if strings.HasPrefix(text, keyPrefix) {
		return "this is the key itself; want its hash, which broker admin-key prints too"
	}
	if isArgon2(hash) {
		return checkArgon2(hash)
	}
	if err := secret.CheckHash(hash); err != nil {
		return "want the hash that broker admin-key prints (sha256: and 43 characters)"
	}
	return ""
}

// Outdated returns the names of the keys whose hash has the older form, which is still
// accepted. They are renewed with a new key from broker admin-key.
func Outdated(keys []Key) (names []string) {
	for _, k := range keys {
		if isArgon2(k.Hash) {
			names = append(names, k.Name)
		}
	}
	return names
}

// nameIn returns the name that key claims, which may be any text.
func nameIn(key secret.Text) string {
	rest, _ := strings.CutPrefix(key.Reveal(), keyPrefix)
	name, _, _ := strings.Cut(rest, "_")
	return name
}
