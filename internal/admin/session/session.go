// Package session signs operators in. An operator holds an admin key, of which the
// settings have only a hash, and exchanges it for a session: a cookie that scripts
// cannot read, that other sites can send only with links, and that expires after half an
// hour without use. The store keeps the sessions.
package session

import (
	"context"
	"fmt"
	"time"

	"casbroker/internal/audit"
	"casbroker/internal/auth"
	"casbroker/internal/secret"
)

const (
	// IdleTimeout is how long a session lasts after its last use.
	IdleTimeout = 30 * time.Minute
	// MaxAge is how long a session lasts at most, however often it is used.
	MaxAge = 12 * time.Hour
)

// Session is a signed-in operator.
type Session struct {
	Admin     string // the name of the admin key
	StartedAt time.Time
	SeenAt    time.Time // of the last use
}

// EndsAt returns when the session ends unless it is used again.
func (s Session) EndsAt() time.Time {
	idle, oldest := s.SeenAt.Add(IdleTimeout), s.StartedAt.Add(MaxAge)
	if oldest.Before(idle) {
		return oldest
	}
	return idle
}

// Principal returns the caller that the session authenticates. Names of verifiers
// contain no slash, so no JWT can name the same subject.
func (s Session) Principal() *auth.Principal {
	return &auth.Principal{Subject: "admin/" + s.Admin, Roles: auth.RoleAdmin}
}

// record returns the audit record of an action of the session's admin.
func (s Session) record(ctx context.Context, at time.Time, action audit.Action) audit.Record {
	return audit.New(ctx, at, s.Principal().Subject, action, "", "").WithRole(auth.RoleAdmin.String())
}

// Stored is a Session as the store keeps it.
type Stored struct {
	ID      []byte // keyed hash of the token
	KeyHash []byte // keyed hash of the hash in the settings
	MAC     []byte // keyed hash of all other fields, nil for sessions that earlier releases started
	Session
}

// mac returns the keyed hash of all fields of s but MAC.
func (s *Stored) mac(box *secret.Box) []byte {
	return box.Digest("session row", fmt.Appendf(nil, "%x %q %x %d %d", s.ID, s.Admin, s.KeyHash, s.StartedAt.UnixMilli(), s.SeenAt.UnixMilli()))
}

// Store keeps sessions. It is safe for concurrent use.
type Store interface {
	// StartSession inserts s and r in one transaction, and deletes the sessions that
	// were last used before idleSince.
	StartSession(ctx context.Context, s Stored, idleSince time.Time, r audit.Record) error
	// Session returns the session with this id, nil if there is none.
	Session(ctx context.Context, id []byte) (*Stored, error)
	// TouchSession sets when s was last used, and its MAC, unless it was used later.
	TouchSession(ctx context.Context, s Stored) error
	// EndSession deletes the session with this id and inserts r in one transaction. It
	// does nothing if there is no such session.
	EndSession(ctx context.Context, id []byte, r audit.Record) error
	// Append inserts the record of a failed attempt.
	Append(ctx context.Context, records ...audit.Record) error
}
