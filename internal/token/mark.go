package token

import (
	"regexp"

	"casbroker/internal/secret"
)

// maxValue is the maximum length of an access token, in bytes.
const maxValue = 4096

// valueForm matches access tokens. The alphabet is the unreserved characters of URLs,
// which need no escaping in JSON, headers and logs.
var valueForm = regexp.MustCompile(`^at_[A-Za-z0-9._~-]+$`)

// ValidValue reports whether value has the form of the vendor's access tokens: at_
// followed by A-Z a-z 0-9 . _ ~ -, 4096 bytes at most.
func ValidValue(value string) bool { return len(value) <= maxValue && valueForm.MatchString(value) }

// markOf returns the keyed hash of a token, which is kept in its place.
func markOf(box *secret.Box, value secret.Text) []byte {
	return box.Digest("access token", []byte(value.Reveal()))
}
