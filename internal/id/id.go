// Package id makes the ids that callers see: a prefix for the kind of resource and a
// ULID (48 bits of time, 80 random bits), so ids sort by the time they were made. Keys
// come from secret.RandomKey, request ids from telemetry.NewRequestID.
package id

import (
	"crypto/rand"
	"strings"
	"sync"

	"github.com/oklog/ulid/v2"
)

// ids makes the ids of this process.
var ids = generator{random: ulid.Monotonic(rand.Reader, 0)}

type generator struct {
	mu     sync.Mutex
	lastMS uint64
	random *ulid.MonotonicEntropy // ascends within a millisecond
}

// New returns a new id such as "pf_01k2…": prefix, underscore, 26 lower-case letters
// and digits. It sorts after all ids that this process has made before. It is safe for
// concurrent use.
func New(prefix string) string { return prefix + "_" + strings.ToLower(ids.next().String()) }

func (g *generator) next() ulid.ULID {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.lastMS = max(g.lastMS, ulid.Now())
	u, err := ulid.New(g.lastMS, g.random)
	if err != nil { // no larger random bits are left in this millisecond
		g.lastMS++
		u = ulid.MustNew(g.lastMS, g.random)
	}
	return u
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
