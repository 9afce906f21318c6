package token

import "time"

// Grant is the record of one access token that was handed out. It does not hold the token.
type Grant struct {
	ID              string // "gr_…"
	Subject         string
	Mode            Mode
	IssuedAt        time.Time
	ExpiresAt       time.Time
	VendorRequestID string
	AccessVersion   int64  // the version from AccessPolicy.Admit when the mint began
	TokenHash       []byte // keyed hash of the token, by which the grant is found; nil in old grants
}

// State is the state of a grant's token.
type State string

// The states. A token that was revoked before it expired stays StateRevoked.
const (
	StateActive  State = "active"
	StateExpired State = "expired"
	StateRevoked State = "revoked"
)

// StateAt returns the state of g at now, and when g was revoked; zero if it was not.
// revocations are the times of all revocations that apply to g; zero ones are ignored.
//
// The clock that dated a revocation may be ahead of the one that asks. So a token that has
// not expired is revoked if there is any revocation, whatever its time. Once the token has
// expired, the time alone tells whether the revocation came before that.
func (g Grant) StateAt(now time.Time, revocations ...time.Time) (State, time.Time) {
	var first time.Time
	for _, at := range revocations {
		if !at.IsZero() && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	expired := !now.Before(g.ExpiresAt)
	switch {
	case !first.IsZero() && (!expired || first.Before(g.ExpiresAt)):
		return StateRevoked, first
	case expired:
		return StateExpired, time.Time{}
	default:
		return StateActive, time.Time{}
	}
}

// GrantInfo is a grant with its current state.
type GrantInfo struct {
	Grant
	State     State
	RevokedAt time.Time // zero unless State is StateRevoked
}

// UpstreamUntil returns until when the token of a revoked grant still works at the vendor,
// which has no call to revoke one; zero if it does not work at now.
func (i GrantInfo) UpstreamUntil(now time.Time) time.Time {
	if i.State == StateRevoked && i.Mode == ModeDirect && i.ExpiresAt.After(now) {
		return i.ExpiresAt
	}
	return time.Time{}
}
