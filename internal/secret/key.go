package secret

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"regexp"
	"strings"
)

// hashPrefix begins the hash of a key in the settings.
const hashPrefix = "sha256:"

var keyName = regexp.MustCompile(`^[a-z0-9-]{1,32}$`)

// errHash describes the form of a hash; it repeats no part of what was given instead.
var errHash = errors.New("want sha256: and 43 characters")

// IsKeyName reports whether name can name a key: 1 to 32 of a-z, 0-9 and "-".
func IsKeyName(name string) bool { return keyName.MatchString(name) }

// NewKey makes a key and its hash for the settings. The key is prefix, name, "_" and 32
// random bytes in base64url; since names contain no underscore, a name ends at the next
// one. The key cannot be recovered from the hash.
func NewKey(prefix, name string) (key Text, hash string) {
	key = Text(prefix + name + "_" + RandomToken())
	return key, HashKey(key)
}

// RandomToken returns KeySize random bytes in base64url.
func RandomToken() string { return base64.RawURLEncoding.EncodeToString([]byte(RandomKey())) }

// HashKey returns the hash of key for the settings. A fast hash is enough: a key has 256
// random bits, so an attacker cannot try them all, however cheap one try is. A slow hash, which
// passwords need, would only let a wrong key cost the broker memory and time.
func HashKey(key Text) string {
	sum := sha256.Sum256([]byte(key))
	return hashPrefix + base64.RawURLEncoding.EncodeToString(sum[:])
}

// EqualHash reports whether two hashes are equal, in a time that does not depend on where
// they differ.
func EqualHash(a string, b Text) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// CheckHash returns nil if hash has the form that HashKey returns.
func CheckHash(hash Text) error {
	encoded, ok := strings.CutPrefix(string(hash), hashPrefix)
	if sum, err := base64.RawURLEncoding.Strict().DecodeString(encoded); !ok || err != nil || len(sum) != sha256.Size {
		return errHash
	}
	return nil
}
