// Package session signs operators in. An operator holds an admin key, of which the
// settings have but a hash, and exchanges it for a session: a cookie that scripts
// cannot read, that other sites cannot send, and that is worth nothing after half an
// hour of rest. Keeping sessions is asked of the store.
package session

import (
	"context"
	"time"

	"casbroker/internal/audit"
	"casbroker/internal/auth"
)

const (
	// Rest is how long a session lasts after it was last used.
	Rest = 30 * time.Minute
	// Longest is how long one lasts however much it is used.
	Longest = 12 * time.Hour
)

// Session is somebody who is signed in.
type Session struct {
	Admin     string // the name of the admin key
	StartedAt time.Time
	SeenAt    time.Time // it ends Rest after that, or Longest after StartedAt
}

// EndsAt is when the session ends unless it is used.
func (s Session) EndsAt() time.Time {
	rest, longest := s.SeenAt.Add(Rest), s.StartedAt.Add(Longest)
	if longest.Before(rest) {
		return longest
	}
	return rest
}

// Principal is whom the session speaks for. Names of verifiers hold no slash, so it
// is nobody's whom a JWT names.
func (s Session) Principal() *auth.Principal {
	return &auth.Principal{Subject: "admin/" + s.Admin, Roles: auth.RoleAdmin}
}

// Kept is a Session as it is kept.
type Kept struct {
	ID      []byte // keyed hash of the token
	KeyMark []byte // keyed hash of the hash of the key in the settings
	Session
}

// Keeper keeps sessions. It is safe for concurrent use.
type Keeper interface {
	// StartSession keeps k and r, both or neither, and deletes sessions that were last
	// seen before rested.
	StartSession(ctx context.Context, k Kept, rested time.Time, r audit.Record) error
	// Session returns the session called id, nil when there is none.
	Session(ctx context.Context, id []byte) (*Kept, error)
	// TouchSession notes that a session was used at then.
	TouchSession(ctx context.Context, id []byte, then time.Time) error
	// EndSession deletes the session called id and keeps r, both or neither. It does
	// nothing when there is none.
	EndSession(ctx context.Context, id []byte, r audit.Record) error
	// Append keeps the record of an attempt that failed.
	Append(ctx context.Context, records ...audit.Record) error
}
