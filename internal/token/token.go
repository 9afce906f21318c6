// Package token hands out the vendor's short-lived access tokens: one per user is
// minted, recorded, kept sealed and given again while enough of its life is left and
// it was not revoked. Who is blocked and what was revoked is asked of the Gate; how a
// token is minted, recorded and cached is asked of the doors.
package token

import (
	"context"
	"time"

	"casbroker/internal/audit"
	"casbroker/internal/fault"
	"casbroker/internal/secret"
)

// MaxLife is the longest that an access token lives: the vendor's cap.
const MaxLife = 60 * time.Minute

// Mode says whose token was handed out.
type Mode string

// ModeDirect: the token is the vendor's own, and works at the vendor until it expires.
const ModeDirect Mode = "direct"

// Failures of this room.
var (
	// ErrRevoked: tokens were revoked while this one was minted, so it was not recorded.
	ErrRevoked = fault.New(fault.Unavailable, "token_revoked",
		"This user's tokens were revoked while a new one was made. Ask again.").After(time.Second)

	errMinutes = fault.New(fault.Unprocessable, "invalid_expiry_minutes",
		"expiry_minutes must be a whole number from 1 to 60.").
		At(fault.Field{Pointer: "/expiry_minutes", Detail: "must be a whole number from 1 to 60"})
)

// Minted is a token fresh from the vendor.
type Minted struct {
	Value     secret.Text
	ExpiresIn time.Duration // as the vendor says: 1 s to MaxLife
	RequestID string        // the vendor's own, "req_…"
}

// Minter mints a token upstream that lives for life or less. Its errors are faults.
type Minter interface {
	Mint(ctx context.Context, life time.Duration) (Minted, error)
}

// Grant is the record of one access token handed out. It does not hold the token.
type Grant struct {
	ID              string // "gr_…"
	Subject         string
	Mode            Mode
	IssuedAt        time.Time
	ExpiresAt       time.Time
	VendorRequestID string
	AccessVersion   int64  // what the Gate knew when the mint began
	Mark            []byte // keyed hash of the token, by which it is found; nil where that is not known
}

// Gate says who may have a token, and which tokens still count.
type Gate interface {
	// Admit returns the version that a token minted for subject from now on carries. It
	// returns a fault when subject is blocked, or when that cannot be told at the moment.
	Admit(subject string) (version int64, err error)
	// Valid reports whether the token of grantID, which carries version, was not revoked.
	Valid(subject, grantID string, version int64) bool
	// CatchUp returns once the Gate knows all changes up to version.
	CatchUp(ctx context.Context, version int64) error
}

// Ledger keeps grants. When RecordGrant returns nil, the grant and its audit
// record are durable. When the subject was blocked since the mint began, it returns a
// fault of kind fault.Forbidden, and ErrRevoked when its tokens were revoked since.
type Ledger interface {
	RecordGrant(ctx context.Context, g Grant, r audit.Record) error
}

// Cache keeps sealed tokens for a while; it may forget. Token returns nil for a
// key that is not there.
type Cache interface {
	Token(ctx context.Context, key string) ([]byte, error)
	KeepToken(ctx context.Context, key string, sealed []byte, life time.Duration) error
}

// Issued is a token on its way to the caller.
type Issued struct {
	Value        secret.Text
	GrantID      string
	IssuedAt     time.Time
	ExpiresAt    time.Time
	RefreshAfter time.Time // from then on, asking again gives a newer token
	Reused       bool
}
