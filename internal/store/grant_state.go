package store

import "casbroker/internal/token"

// SQL for the state of a row g of grants. token.Grant.StateAt is the same in Go.
//
// The replica that wrote a revocation may have a faster clock than the one that reads it.
// So an unexpired token is revoked if there is any revocation, whatever its instant. For
// an expired token the instant decides whether the revocation came before the expiry.
const (
	// userRevocations and allRevocations select the revocations of g's user and of all
	// users that came after g was issued.
	userRevocations = ` FROM access_changes c WHERE c.subject = g.subject AND c.version > g.access_version AND ` + isRevocation
	allRevocations  = ` FROM access_changes c WHERE c.subject = '' AND c.version > g.access_version AND ` + isRevocation

	// userRevokedMS and allRevokedMS are the instants of the first of those, 0 for none.
	userRevokedMS = `COALESCE((SELECT at_ms` + userRevocations + ` ORDER BY c.version LIMIT 1), 0)`
	allRevokedMS  = `COALESCE((SELECT at_ms` + allRevocations + ` ORDER BY c.version LIMIT 1), 0)`

	// hasRevocation is the condition that g was revoked at any instant.
	hasRevocation = `(g.revoked_ms > 0 OR EXISTS (SELECT 1` + userRevocations + `) OR EXISTS (SELECT 1` + allRevocations + `))`

	// revokedInTime is the condition that g was revoked before it expired.
	revokedInTime = `((g.revoked_ms > 0 AND g.revoked_ms < g.expires_ms)
		OR (` + userRevokedMS + ` BETWEEN 1 AND g.expires_ms - 1) OR (` + allRevokedMS + ` BETWEEN 1 AND g.expires_ms - 1))`
)

// stateCondition returns the condition that g is in state at the instant in the
// placeholder now.
func stateCondition(state token.State, now string) string {
	unexpired := `g.expires_ms > ` + now
	switch state {
	case token.StateActive:
		return unexpired + ` AND NOT ` + hasRevocation
	case token.StateRevoked:
		return `(` + revokedInTime + ` OR ` + unexpired + ` AND ` + hasRevocation + `)`
	case token.StateExpired:
		return `NOT (` + unexpired + `) AND NOT ` + revokedInTime
	default:
		return `1 = 1`
	}
}

// activeCondition is the condition that g is active at $1. $2 is maxTokenAge before that:
// it lets the index on issued_ms skip all older grants.
var activeCondition = `g.issued_ms > $2 AND ` + stateCondition(token.StateActive, "$1")
