// Package id makes the ids that callers see: a prefix for the kind of resource and a
// ULID (48 bits of time, 80 random bits), so ids sort by the time they were made. Keys
// come from secret.RandomKey, request ids from telemetry.NewRequestID.
package id

import (
	"crypto/rand"
	"strings"

	"github.com/oklog/ulid/v2"
)

// entropy makes the random bits, ascending within a millisecond.
var entropy = &ulid.LockedMonotonicReader{MonotonicReader: ulid.Monotonic(rand.Reader, 0)}

// New returns a new id such as "pf_01k2…": prefix, underscore, 26 lower-case letters
// and digits. It sorts after all that this process has made, unless the clock was set back. It
// is safe for concurrent use.
func New(prefix string) string {
	u, err := ulid.New(ulid.Now(), entropy)
	if err != nil { // no larger random bits are left in this millisecond
		u = ulid.MustNew(ulid.Now(), rand.Reader)
	}
	return prefix + "_" + strings.ToLower(u.String())
}

// Is reports whether s has the form of an id that New(prefix) returns.
func Is(prefix, s string) bool {
	rest, ok := strings.CutPrefix(s, prefix+"_")
	if !ok || rest != strings.ToLower(rest) {
		return false
	}
	_, err := ulid.ParseStrict(strings.ToUpper(rest))
	return err == nil
}

// Bytes returns the 16 bytes that an id of New(prefix) stands for, false for other texts.
func Bytes(prefix, s string) (b [16]byte, ok bool) {
	if !Is(prefix, s) {
		return b, false
	}
	u, err := ulid.ParseStrict(strings.ToUpper(s[len(prefix)+1:]))
	return u, err == nil
}

// FromBytes returns the id that Bytes(prefix, id) has turned into b.
func FromBytes(prefix string, b [16]byte) string {
	text := make([]byte, len(prefix)+1+ulid.EncodedSize)
	n := copy(text, prefix)
	text[n] = '_'
	_ = ulid.ULID(b).MarshalTextTo(text[n+1:]) // only fails for another size
	for i := n + 1; i < len(text); i++ {
		if text[i] >= 'A' {
			text[i] += 'a' - 'A'
		}
	}
	return string(text)
}
