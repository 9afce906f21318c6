package token

import (
	"context"
	"strings"
	"time"

	"casbroker/internal/audit"
	"casbroker/internal/fault"
	"casbroker/internal/secret"
)

// MaxTTL is the longest lifetime of an access token: the vendor's limit.
const MaxTTL = 60 * time.Minute

// Mode says whose token was handed out.
type Mode string

const (
	// ModeDirect means that the token is the vendor's own and works at the vendor until it
	// expires.
	ModeDirect Mode = "direct"
	// ModeGateway means that the token is the broker's own and works at the gateway until it
	// expires or is revoked.
	ModeGateway Mode = "gateway"
)

// Request is a request for a token.
type Request struct {
	TTL      time.Duration // of the token at most: 1 minute to MaxTTL, in whole minutes
	Mode     Mode          // "" means ModeDirect
	Features Features      // of a gateway token; at least one
}

// cacheKey returns the key under which the token of subject is cached.
func (r Request) cacheKey(subject string) CacheKey {
	k := CacheKeyFor(subject, r.TTL)
	k.Gateway = r.Mode == ModeGateway
	return k
}

// Errors of this package.
var (
	// ErrRevoked is returned when the user's tokens were revoked during the mint, so that
	// the new token was not recorded.
	ErrRevoked = fault.New(fault.Unavailable, "token_revoked",
		"The tokens of this account were revoked while a new one was made. Try again.").After(time.Second)

	// ErrUnavailable is the answer to every request if there are no access tokens.
	ErrUnavailable = fault.New(fault.Forbidden, "tokens_unavailable",
		"This service has no access tokens. Send the statement to POST /v1/statements instead.")

	errMinutes = fault.New(fault.Unprocessable, "invalid_expiry_minutes",
		"expiry_minutes must be a whole number from 1 to 60.").
		At(fault.Field{Pointer: "/expiry_minutes", Detail: "must be a whole number from 1 to 60"})
)

// Minted is a new token from the vendor.
type Minted struct {
	Value     secret.Text
	ExpiresIn time.Duration // as the vendor says: 1 s to MaxTTL
	RequestID string        // the vendor's own, "req_…"
}

// Minter mints a token upstream that lives for ttl or less. Its errors are faults.
type Minter interface {
	Mint(ctx context.Context, ttl time.Duration) (Minted, error)
}

// AccessPolicy says who may have a token, and which tokens are still valid.
type AccessPolicy interface {
	// Admit returns the version for a token whose mint for subject begins now. It returns
	// a fault if subject is blocked, or if the latest revocations are unknown.
	Admit(subject string) (version int64, err error)
	// Valid reports whether the token of grantID, which carries version, was not revoked.
	Valid(subject, grantID string, version int64) bool
	// CatchUp returns once all changes up to version are known.
	CatchUp(ctx context.Context, version int64) error
}

// GrantStore records grants. When RecordGrant returns nil, the grant and its audit record
// are durable. It returns a fault of kind fault.Forbidden if the subject was blocked since
// the mint began, and ErrRevoked if its tokens were revoked since.
type GrantStore interface {
	RecordGrant(ctx context.Context, g Grant, r audit.Record) error
}

// Cache stores sealed tokens and may drop them at any time. Token returns nil for a key
// that is not there.
type Cache interface {
	Token(ctx context.Context, key CacheKey) ([]byte, error)
	KeepToken(ctx context.Context, key CacheKey, sealed []byte, ttl time.Duration) error
}

// Issued is a token for the caller.
type Issued struct {
	Value        secret.Text
	Mode         Mode
	GrantID      string
	IssuedAt     time.Time
	ExpiresAt    time.Time
	RefreshAfter time.Time // from then on, a request returns a newer token
	Reused       bool
	Features     Features // of a gateway token
}

const (
	// prefix begins every access token of the vendor.
	prefix = "at_"
	// maxToken is the longest access token that is accepted, in bytes.
	maxToken = 4096
	// tokenBytes are the bytes that may follow prefix, as in RFC 3986, section 2.3.
	tokenBytes = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
)

// WellFormed reports whether value has the form of a vendor's access token: "at_", then
// one or more of A-Z a-z 0-9 - . _ ~, with 4096 bytes at most in all.
func WellFormed(value string) bool {
	rest, ok := strings.CutPrefix(value, prefix)
	return ok && rest != "" && len(value) <= maxToken && strings.Trim(rest, tokenBytes) == ""
}

// hash returns the keyed hash of a token, which is stored instead of the token.
func hash(box *secret.Box, value secret.Text) []byte {
	return box.Digest("access token", []byte(value.Reveal()))
}
