package session

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"casbroker/internal/audit"
	"casbroker/internal/auth"
	"casbroker/internal/fault"
	"casbroker/internal/secret"
)

// touchEvery is how far what is kept of the last use may lag behind: a session that is
// in use costs a write a minute, and may end as much before its Rest is over.
const touchEvery = time.Minute

// wrongKey is why a sign-in was refused, in the audit trail.
const wrongKey = "wrong_key"

// Failures of this room.
var (
	// ErrWrongKey: the admin key is not one of the settings'.
	ErrWrongKey = fault.New(fault.Unauthenticated, wrongKey, "This is not an admin key that is taken here.")
	// ErrNoKeys: the settings have no admin keys.
	ErrNoKeys = fault.New(fault.Forbidden, "no_admin_keys",
		"Nobody can sign in with a key here: make one with broker admin-key, and put its hash into the setting admin.keys.")
	// ErrEnded: the cookie stands for a session that is over.
	ErrEnded = fault.New(fault.Unauthenticated, "session_ended", "The session has ended; sign in again.")
	// ErrInsecure: the key would cross a network in the clear, and so would the session.
	ErrInsecure = fault.New(fault.Forbidden, "insecure_sign_in",
		"Signing in takes https, or http to the machine that the browser runs on; over http others could read the key.")
)

// Key is an admin key as the settings have it.
type Key struct {
	Name string      // [a-z0-9-]{1,32}: who holds it
	Hash secret.Text // "$argon2id$…" of the whole key
}

// Service signs operators in. All fields but Keys are required; without Keys, which
// CheckKeys has to have found good, nobody can sign in. It is safe for concurrent use.
type Service struct {
	Keys   []Key
	Keeper Keeper
	Box    *secret.Box
	Log    *slog.Logger
	Now    func() time.Time
}

// SignIn exchanges an admin key for a session and returns the token that stands for it.
// It returns ErrWrongKey or ErrNoKeys. Only two keys are tried at a time in a process;
// the others wait.
func (s *Service) SignIn(ctx context.Context, key secret.Text) (token secret.Text, k Session, err error) {
	if len(s.Keys) == 0 {
		return "", Session{}, ErrNoKeys
	}
	named := s.named(nameIn(key))
	right, err := s.fits(ctx, key, named)
	if err != nil {
		return "", Session{}, err
	}
	now := instant(s.Now())
	if !right {
		return "", Session{}, s.refuse(ctx, now, named)
	}
	token, k = secret.Text(random()), Session{Admin: named.Name, StartedAt: now, SeenAt: now}
	kept := Kept{ID: s.idOf(token), KeyMark: s.markOf(named), Session: k}
	if err := s.Keeper.StartSession(ctx, kept, now.Add(-Rest), k.record(ctx, now, audit.AdminSignIn)); err != nil {
		return "", Session{}, err
	}
	return token, k, nil
}

// fits reports whether key is that of named. Where it names nobody, it is held
// against somebody's all the same, so that names cannot be found out by time.
func (s *Service) fits(ctx context.Context, key secret.Text, named *Key) (bool, error) {
	if len(key) > maxKey {
		return false, nil
	}
	against := named
	if against == nil {
		against = &s.Keys[0]
	}
	same, err := compare(ctx, key, against.Hash)
	if err != nil {
		return false, fmt.Errorf("compare an admin key: %w", err)
	}
	return same && named != nil, nil
}

// refuse records that a key was wrong. Nobody knows who tried it; whose it was said to
// be is the object, if it is somebody: anything else could be a part of a key. It is
// recorded also when the caller has hung up.
func (s *Service) refuse(ctx context.Context, now time.Time, named *Key) error {
	claimed := ""
	if named != nil {
		claimed = Session{Admin: named.Name}.Principal().Subject
	}
	r := audit.New(ctx, now, "", audit.AdminSignIn, "", claimed).Refused(wrongKey)
	if err := s.Keeper.Append(context.WithoutCancel(ctx), r); err != nil {
		return err
	}
	return ErrWrongKey
}

// Find returns the session that token stands for, nil when there is none or it has
// ended: by rest, by age, or because the settings no longer have its key. using says
// that somebody uses it now, so that it goes on.
func (s *Service) Find(ctx context.Context, token secret.Text, using bool) (*Session, error) {
	k, err := s.kept(ctx, token)
	if err != nil || k == nil {
		return nil, err
	}
	now := instant(s.Now())
	if !now.Before(k.EndsAt()) || !s.stands(k) {
		return nil, nil //nolint:nilnil // no session is no error
	}
	if using && now.Sub(k.SeenAt) >= touchEvery {
		s.touch(ctx, k, now)
	}
	return &k.Session, nil
}

// touch notes that k is used. When that cannot be done, k is good for what is left of
// its rest.
func (s *Service) touch(ctx context.Context, k *Kept, now time.Time) {
	if err := s.Keeper.TouchSession(ctx, k.ID, now); err != nil {
		s.Log.WarnContext(ctx, "a session cannot be prolonged", "admin", k.Admin, "error", err)
		return
	}
	k.SeenAt = now
}

// SignOut ends the session that token stands for. It does nothing when there is none.
func (s *Service) SignOut(ctx context.Context, token secret.Text) error {
	k, err := s.kept(ctx, token)
	if err != nil || k == nil {
		return err
	}
	return s.Keeper.EndSession(ctx, k.ID, k.record(ctx, instant(s.Now()), audit.AdminSignOut))
}

// kept returns what is kept under token, nil when nothing is.
func (s *Service) kept(ctx context.Context, token secret.Text) (*Kept, error) {
	if len(token) != base64.RawURLEncoding.EncodedLen(secret.KeySize) {
		return nil, nil //nolint:nilnil // no session is no error
	}
	return s.Keeper.Session(ctx, s.idOf(token))
}

// named returns the key of the admin of that name, nil when there is none.
func (s *Service) named(name string) *Key {
	i := slices.IndexFunc(s.Keys, func(k Key) bool { return k.Name == name })
	if i < 0 {
		return nil
	}
	return &s.Keys[i]
}

// stands reports whether the settings still have the key with which k was begun.
func (s *Service) stands(k *Kept) bool {
	named := s.named(k.Admin)
	return named != nil && subtle.ConstantTimeCompare(k.KeyMark, s.markOf(named)) == 1
}

func (s *Service) idOf(token secret.Text) []byte {
	return s.Box.Digest("session", []byte(token.Reveal()))
}

func (s *Service) markOf(k *Key) []byte { return s.Box.Digest("admin key", []byte(k.Hash.Reveal())) }

// record tells that the admin of k did action.
func (k Session) record(ctx context.Context, at time.Time, action audit.Action) audit.Record {
	return audit.New(ctx, at, k.Principal().Subject, action, "", "").As(auth.RoleAdmin.String())
}

// instant is t as a store keeps it.
func instant(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }
