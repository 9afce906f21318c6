package link

import (
	"strings"

	"casbroker/internal/secret"
)

// What begins the token of a link and the secret of a session. Logs hide words that begin so.
const (
	tokenPrefix   = "cbl_"
	sessionPrefix = "cbls_"
)

// secretLength is the number of characters after the prefix: 32 bytes in base64url.
const secretLength = 43

// newToken returns the token of a new link.
func newToken() secret.Text { return secret.Text(tokenPrefix + secret.RandomToken()) }

func isToken(text string) bool   { return hasForm(text, tokenPrefix) }
func isSession(text string) bool { return hasForm(text, sessionPrefix) }

func hasForm(text, prefix string) bool {
	rest, ok := strings.CutPrefix(text, prefix)
	return ok && len(rest) == secretLength && strings.Trim(rest, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") == ""
}

// tokenHash returns the keyed hash that is stored of the token of a link.
func (s *Service) tokenHash(token string) []byte { return s.Digest("link token", []byte(token)) }

// sessionHash returns the keyed hash that is stored of the secret of a session.
func (s *Service) sessionHash(text string) []byte { return s.Digest("link session", []byte(text)) }

// keyHash returns the keyed hash of the Idempotency-Key of a save, nil for none.
func (s *Service) keyHash(key string) []byte {
	if key == "" {
		return nil
	}
	return s.Digest("link save", []byte(key))
}
