package token

import (
	"encoding/binary"
	"errors"
	"strconv"
	"time"

	"casbroker/internal/secret"
)

// CacheKey identifies a cached token. Tokens that were requested for different lifetimes
// are separate, so that a caller never gets one that lives longer than requested.
type CacheKey struct {
	Subject string
	Minutes int  // the requested lifetime
	Gateway bool // a token of the gateway, not the vendor's
}

// CacheKeyFor returns the key of the vendor's token of subject for a lifetime of ttl.
func CacheKeyFor(subject string, ttl time.Duration) CacheKey {
	return CacheKey{Subject: subject, Minutes: int(ttl / time.Minute)}
}

// String returns "subject|minutes", or "subject|minutes|gateway", which is unique to the key.
func (k CacheKey) String() string { return k.after("") }

// after returns prefix and the text of k.
func (k CacheKey) after(prefix string) string {
	if k.Gateway {
		return prefix + k.Subject + "|" + strconv.Itoa(k.Minutes) + "|gateway"
	}
	return prefix + k.Subject + "|" + strconv.Itoa(k.Minutes)
}

// associatedData binds a sealed token to its key.
func (k CacheKey) associatedData() string { return k.after("token/") }

// The layout of a cached token before it is sealed: format (1 byte), issued and expires
// (unix milliseconds, 8 bytes each), access version (8 bytes, since format 2), features (1
// byte, in format 3), length of the grant id (1 byte), grant id, token. Format 3 is for
// gateway tokens: reading their features in the token itself would cost as much as the rest
// of a reuse.
const (
	format1       = 1
	format2       = 2
	format3       = 3
	format1Header = 1 + 8 + 8 + 1
)

var errFormat = errors.New("cached token has an unknown format")

// cachedToken is a token as it is cached.
type cachedToken struct {
	value     secret.Text
	grantID   string
	issuedAt  time.Time
	expiresAt time.Time
	version   int64    // 0 in format 1: older than every revocation
	features  Features // of a gateway token; 0 in formats 1 and 2
}

func (t cachedToken) encode() []byte {
	b := make([]byte, 0, format1Header+9+len(t.grantID)+len(t.value))
	format := byte(format2)
	if t.features != 0 {
		format = format3
	}
	b = append(b, format)
	b = binary.BigEndian.AppendUint64(b, uint64(t.issuedAt.UnixMilli()))
	b = binary.BigEndian.AppendUint64(b, uint64(t.expiresAt.UnixMilli()))
	b = binary.BigEndian.AppendUint64(b, uint64(t.version)) //nolint:gosec // decoded to the same value
	if format == format3 {
		b = append(b, byte(t.features))
	}
	b = append(b, byte(len(t.grantID))) //nolint:gosec // our own id: 29 bytes
	b = append(b, t.grantID...)
	return append(b, t.value.Reveal()...)
}

func decodeCachedToken(b []byte) (cachedToken, error) {
	if len(b) < format1Header {
		return cachedToken{}, errFormat
	}
	t := cachedToken{issuedAt: instantAt(b[1:]), expiresAt: instantAt(b[9:])}
	rest := b[17:]
	switch {
	case b[0] == format2 && len(rest) > 8:
		t.version = int64(binary.BigEndian.Uint64(rest)) //nolint:gosec // written by encode
		rest = rest[8:]
	case b[0] == format3 && len(rest) > 9 && rest[8] != 0:
		t.version = int64(binary.BigEndian.Uint64(rest)) //nolint:gosec // written by encode
		t.features = Features(rest[8])
		rest = rest[9:]
	case b[0] != format1:
		return cachedToken{}, errFormat
	}
	n := int(rest[0])
	if len(rest) <= 1+n {
		return cachedToken{}, errFormat
	}
	text := string(rest[1:])
	t.grantID, t.value = text[:n], secret.Text(text[n:])
	return t, nil
}

func instantAt(b []byte) time.Time {
	return time.UnixMilli(int64(binary.BigEndian.Uint64(b))) //nolint:gosec // written by encode
}
