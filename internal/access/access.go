// Package access decides whose tokens count: it blocks users and revokes tokens,
// durably, and keeps a view of all that in the memory of each replica, so that a
// request can be judged without asking anybody. Every change has a version, in the
// order in which changes were committed; a token carries the version that was known
// when its mint began, and is outlived by every revocation with a higher one. Where
// changes are kept, and how replicas tell one another, is asked of the doors.
package access

import (
	"context"
	"time"

	"casbroker/internal/audit"
	"casbroker/internal/fault"
)

// Horizon is how long a revocation matters to anybody: an access token lives for
// 60 minutes at most (the vendor's cap), and the clocks of replicas may differ.
const Horizon = 75 * time.Minute

// MaxSubject is the longest subject, in bytes: the name of a verifier (32), a colon,
// and the longest "sub" that is taken (256).
const MaxSubject = maxVerifier + 1 + 256

// maxVerifier is the longest name of a verifier, in bytes.
const maxVerifier = 32

// lastYear is the last in which a block may end, as RFC 3339 has no further.
const lastYear = 9999

// maxReason is the longest reason for a block, in bytes.
const maxReason = 500

// Failures of this room.
var (
	// ErrBlocked: the user may have no token.
	ErrBlocked = fault.New(fault.Forbidden, "subject_blocked",
		"This user may have no access token; an operator of the broker has blocked it.")
	// ErrStale: what was revoked in the last minute is not known here.
	ErrStale = fault.New(fault.Unavailable, "access_stale",
		"The broker cannot tell at the moment which tokens were revoked, so it hands out none. Try again.").After(2 * time.Second)
	// ErrNoGrant: there is no such grant, or it is another user's.
	ErrNoGrant = fault.New(fault.NotFound, "grant_not_found", "There is no such grant.")
	// ErrUntil: a block cannot end then.
	ErrUntil = fault.New(fault.Unprocessable, "invalid_until",
		"until must be a time as in RFC 3339 that lies in the future, and before the year 10000; leave it out for a block that lasts until it is lifted.").
		At(fault.Field{Pointer: "/until", Detail: "must be a time in the future, such as 2036-04-01T10:00:00Z"})

	errSubject = fault.New(fault.Unprocessable, "invalid_subject",
		"A user is named by the verifier, a colon and the id in its tokens, such as app:42; at most 289 bytes of UTF-8 without a zero byte.")
	errReason = fault.New(fault.Unprocessable, "invalid_reason",
		"The reason must be at most 500 bytes of UTF-8 without a zero byte.").
		At(fault.Field{Pointer: "/reason", Detail: "must be at most 500 bytes of UTF-8"})
	errBody = fault.New(fault.Invalid, "invalid_json",
		`The body must be empty or a JSON object such as {"grant_id": "gr_…"}.`)
	errMediaType = fault.New(fault.Unsupported, "unsupported_media_type",
		"Send the body as application/json, or send none.")
)

// Kind says what a Change does.
type Kind string

// The kinds. Each but Unblock revokes what it is about.
const (
	Block       Kind = "block"
	Unblock     Kind = "unblock"
	RevokeGrant Kind = "revoke_grant"
	RevokeUser  Kind = "revoke_user"
	RevokeAll   Kind = "revoke_all"
)

// Change is one change of who may have a token, or of which tokens count.
type Change struct {
	Version int64 // its place among all changes, from 1; 0 before it is made
	Kind    Kind
	Subject string    // whom it is about; "" for everybody
	GrantID string    // of RevokeGrant, else ""
	Reason  string    // of Block, for operators only; blanked once the user is erased
	Until   time.Time // when a Block ends by itself; zero for when it is lifted
	At      time.Time
	Actor   string // who made it: a Principal's subject
}

// Barrier is a block that is in force.
type Barrier struct {
	Subject string    `json:"subject"`
	Reason  string    `json:"reason"`
	Until   time.Time `json:"until,omitzero"` // when it ends by itself; zero for when it is lifted
	At      time.Time `json:"at"`
	Actor   string    `json:"actor"`
	Version int64     `json:"-"`
}

// Outcome is what became of a Change.
type Outcome struct {
	Change
	// Already is true when there was nothing left to do: the block was there as
	// wished, or none to lift; no token that was to be revoked still counted.
	Already bool
	Newest  int64 // the version of the newest change of all, whoever made it
	// UpstreamUntil is when the last of the vendor's own tokens that the change is
	// about expires; zero when none is alive.
	UpstreamUntil time.Time
}

// Snapshot is all that a View begins with.
type Snapshot struct {
	Version  int64 // all changes up to it are in; later ones may be
	Barriers []Barrier
	Marks    []Change // those that still matter, in the order of their versions
}

// Keeper makes changes and tells of them. Its errors are faults where the caller may
// see them.
type Keeper interface {
	// ChangeAccess makes c and its audit record durable, both or neither. Of a
	// RevokeGrant with a Subject, the grant has to be that user's. It returns ErrNoGrant.
	ChangeAccess(ctx context.Context, c Change, r audit.Record) (Outcome, error)
	// AccessVersion returns the version of the newest change, 0 when there is none.
	AccessVersion(ctx context.Context) (int64, error)
	// AccessChanges reads up to limit changes past the version after, in their order.
	AccessChanges(ctx context.Context, after int64, limit int) ([]Change, error)
	// AccessSnapshot reads the blocks in force at now, and the changes made at since or later.
	AccessSnapshot(ctx context.Context, now, since time.Time) (Snapshot, error)
	// AccessHistory reads up to limit changes about subject or everybody, newest first,
	// without those by which subject ended tokens of its own.
	AccessHistory(ctx context.Context, subject string, limit int) ([]Change, error)
	// Barrier reads the block of subject that is in force at now, nil when there is none.
	Barrier(ctx context.Context, subject string, now time.Time) (*Barrier, error)
}

// Wire carries short messages between replicas, if it can: any may be lost.
type Wire interface {
	// Tell sends message to all who listen to topic, the sender too.
	Tell(ctx context.Context, topic, message string) error
	// Listen calls hear for each message of topic until ctx ends, and with "" whenever
	// it begins to hear, since it may have missed something before. One call at a time.
	Listen(ctx context.Context, topic string, hear func(message string))
}
