package access

import (
	"context"
	"time"

	"casbroker/internal/audit"
	"casbroker/internal/fault"
)

// Horizon is how long revocations are kept in memory: an access token lives for at most
// 60 minutes (the vendor's limit), and the clocks of replicas may differ by 15 minutes.
const Horizon = 75 * time.Minute

// MaxSubject is the longest subject, in bytes: the name of a verifier (32), a colon,
// and the longest "sub" claim that is accepted (256).
const MaxSubject = maxVerifier + 1 + 256

// maxVerifier is the longest name of a verifier, in bytes.
const maxVerifier = 32

// maxYear is the last year in which a block may end; RFC 3339 has no later one.
const maxYear = 9999

// Unreadable is the Reason of a block if that cannot be decrypted: its key is missing or wrong.
// The block is in force nevertheless.
const Unreadable = "(cannot be decrypted)"

// maxReason is the longest reason for a block, in bytes.
const maxReason = 500

// Errors of this package.
var (
	// ErrBlocked is returned when the user is blocked from getting tokens.
	ErrBlocked = fault.New(fault.Forbidden, "subject_blocked",
		"This account is blocked; contact support.")
	// ErrStale is returned when this replica does not know the latest revocations.
	ErrStale = fault.New(fault.Unavailable, "access_stale",
		"Access tokens are not available at the moment. Try again.").After(2 * time.Second).
		WithNotef("this replica has not read blocks and revocations for longer than access.max_staleness, or not one that another replica has announced; check the database")
	// ErrNoGrant is returned for a grant that does not exist or is another user's.
	ErrNoGrant = fault.New(fault.NotFound, "grant_not_found", "There is no such grant.")
	// ErrUntil is returned when a block cannot end at the given time.
	ErrUntil = fault.New(fault.Unprocessable, "invalid_until",
		"until must be a future time in RFC 3339 form, before the year 10000; leave it out for a block without an end.").
		At(fault.Field{Pointer: "/until", Detail: "must be a time in the future, such as 2036-04-01T10:00:00Z"})

	errSubject = fault.New(fault.Unprocessable, "invalid_subject",
		"A user id is <verifier>:<sub>, such as app:42; at most 289 bytes of UTF-8 without a zero byte.")
	errReason = fault.New(fault.Unprocessable, "invalid_reason",
		"The reason must be at most 500 bytes of UTF-8 without a zero byte.").
		At(fault.Field{Pointer: "/reason", Detail: "must be at most 500 bytes of UTF-8"})
)

// Kind is the kind of a Change.
type Kind string

// The kinds. Every kind but Unblock revokes the tokens concerned.
const (
	Block       Kind = "block"
	Unblock     Kind = "unblock"
	RevokeGrant Kind = "revoke_grant"
	RevokeUser  Kind = "revoke_user"
	RevokeAll   Kind = "revoke_all"
)

// Change is one block, unblock or revocation.
type Change struct {
	Version int64 // its number in the order of commits, from 1; 0 before it is committed
	Kind    Kind
	Subject string    // the user concerned; "" for all users
	GrantID string    // of RevokeGrant, else ""
	Reason  string    // of Block, for operators only; cleared when the user is erased
	Until   time.Time // when a Block ends; zero for when it is lifted
	At      time.Time
	Actor   string // who made it, as auth.Principal.By says
}

// ActiveBlock is a block that is in force.
type ActiveBlock struct {
	Subject string    `json:"subject"`
	Reason  string    `json:"reason"`
	Until   time.Time `json:"until,omitzero"` // when it ends; zero for when it is lifted
	At      time.Time `json:"at"`
	Actor   string    `json:"actor"`
	Version int64     `json:"-"`
}

// Outcome is the result of Store.ChangeAccess.
type Outcome struct {
	Change
	// Already is true if nothing was left to do: the block existed with the same reason
	// and end, no block existed to lift, or no valid token was left to revoke.
	Already bool
	Newest  int64 // the version of the newest change of all, whoever made it
	// UpstreamUntil is when the last of the vendor's tokens concerned expires; zero if
	// none is valid any more.
	UpstreamUntil time.Time
}

// Snapshot is the state that a View is loaded from.
type Snapshot struct {
	Version     int64 // all changes up to it are included; later ones may be
	Blocks      []ActiveBlock
	Revocations []Change // those that may still affect a valid token, by version
}

// Store commits and reads changes. Its errors are faults where the caller may see them.
type Store interface {
	// ChangeAccess commits c and its audit record in one transaction. The grant of a
	// RevokeGrant with a Subject must be that user's. It returns ErrNoGrant.
	ChangeAccess(ctx context.Context, c Change, r audit.Record) (Outcome, error)
	// AccessVersion returns the version of the newest change, 0 if there is none.
	AccessVersion(ctx context.Context) (int64, error)
	// AccessChanges reads up to limit changes after the version after, in order.
	AccessChanges(ctx context.Context, after int64, limit int) ([]Change, error)
	// AccessSnapshot reads the blocks in force at now, and the changes made at since or later.
	AccessSnapshot(ctx context.Context, now, since time.Time) (Snapshot, error)
	// AccessHistory reads up to limit changes that concern subject or all users, newest
	// first, without those by which subject revoked its own tokens.
	AccessHistory(ctx context.Context, subject string, limit int) ([]Change, error)
	// ActiveBlock reads the block of subject that is in force at now, nil if there is none.
	ActiveBlock(ctx context.Context, subject string, now time.Time) (*ActiveBlock, error)
}

// PubSub carries short messages between replicas. Any message may be lost.
type PubSub interface {
	// Publish sends message to all subscribers of topic, the sender included.
	Publish(ctx context.Context, topic, message string) error
	// Subscribe calls receive for each message of topic until ctx ends. It calls
	// receive("") whenever it (re)connects, since messages may have been lost before.
	// Calls do not overlap.
	Subscribe(ctx context.Context, topic string, receive func(message string))
}
