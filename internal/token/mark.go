package token

import (
	"strings"

	"casbroker/internal/secret"
)

const (
	// prefix is how the vendor's access tokens begin.
	prefix = "at_"
	// maxToken is more than any token has, in bytes.
	maxToken = 8 << 10
)

// markOf returns the keyed hash of a token, which is kept in its place.
func markOf(box *secret.Box, value secret.Text) []byte {
	return box.Digest("access token", []byte(value.Reveal()))
}

// isToken reports whether value can be an access token.
func isToken(value string) bool {
	unprintable := func(r rune) bool { return r <= ' ' || r > '~' }
	return strings.HasPrefix(value, prefix) && len(value) <= maxToken && !strings.ContainsFunc(value, unprintable)
}
