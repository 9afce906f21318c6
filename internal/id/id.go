// Package id makes the ids that callers see: a prefix that says what is named,
// and a ULID, so that ids sort by the time they were made.
package id

import (
	"crypto/rand"
	"strings"

	"github.com/oklog/ulid/v2"
)

// New returns a new id such as "pf_01k2…": prefix, underscore, 26 lower-case
// letters and digits. It is safe for concurrent use and panics only when the
// system has no randomness.
func New(prefix string) string {
	u := ulid.MustNew(ulid.Now(), rand.Reader)
	return prefix + "_" + strings.ToLower(u.String())
}

// Is reports whether s could have come from New with the same prefix.
func Is(prefix, s string) bool {
	rest, ok := strings.CutPrefix(s, prefix+"_")
	if !ok || rest != strings.ToLower(rest) {
		return false
	}
	_, err := ulid.ParseStrict(strings.ToUpper(rest))
	return err == nil
}
