package session

import (
	"context"
	"crypto/hmac"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"casbroker/internal/audit"
	"casbroker/internal/auth"
	"casbroker/internal/fault"
	"casbroker/internal/secret"
)

// touchInterval is how far the stored time of the last use may lag behind. A session in
// use costs one write a minute, and may end up to a minute before its IdleTimeout.
const touchInterval = time.Minute

// wrongKey is the reason of a failed sign-in in the audit trail.
const wrongKey = "wrong_key"

var (
	// ErrWrongKey is returned for a key that is not one of the settings'.
	ErrWrongKey = fault.New(fault.Unauthenticated, wrongKey, "This is not a valid admin key.")
	// ErrNoKeys is returned when the settings have no admin keys.
	ErrNoKeys = fault.New(fault.Forbidden, "no_admin_keys", "Sign-in with a key is not set up here.").
			WithNotef("Make a key with broker admin-key, and put its hash into the setting admin.keys.")
	errOtherAdmin = fault.New(fault.Unauthenticated, "invalid_client", "The client_id must be the name of the admin key.")
	// ErrEnded is returned for the cookie of a session that is over.
	ErrEnded = fault.New(fault.Unauthenticated, "session_ended", "The session has ended; sign in again.")
	// ErrInsecure is returned for a sign-in over plain http from another machine.
	ErrInsecure = fault.New(fault.Forbidden, "insecure_sign_in",
		"Sign in over https, or over http on the machine that runs the browser; over http others could read the key.")
)

// Service signs operators in and out. All fields but Keys are required; Keys must have
// passed CheckKeys, and without any, every sign-in fails. It is safe for concurrent use.
type Service struct {
	Keys  []Key
	Store Store
	Box   *secret.Box
	Log   *slog.Logger
	Now   func() time.Time

	proven   proven
	replaced atomic.Pointer[[]Key] // Keys, once ReplaceKey was called
}

// keys returns the admin keys.
func (s *Service) keys() []Key {
	if list := s.replaced.Load(); list != nil {
		return *list
	}
	return s.Keys
}

// ReplaceKey gives the admin called name another hash, which ends the sessions of the key
// before. It changes nothing if there is no such admin or hash is not a hash. Calls must not
// be concurrent.
func (s *Service) ReplaceKey(name string, hash secret.Text) error {
	list := slices.Clone(s.keys())
	i := slices.IndexFunc(list, func(k Key) bool { return k.Name == name })
	if i < 0 {
		return fmt.Errorf("there is no admin key of %q", name)
	}
	if err := CheckHash(hash); err != nil {
		return err
	}
	list[i].Hash = hash
	s.replaced.Store(&list)
	return nil
}

// SignIn exchanges an admin key for a session and returns the session's token. It
// returns ErrWrongKey or ErrNoKeys.
//
// It calls reserve, unless that is nil, before it takes the attempt for a wrong one or does a
// costly comparison, and returns its error instead. So wrong keys that are sent at the same
// time are not all tried, and the right key needs no reservation; only one with an older hash
// does, until it was proven once.
func (s *Service) SignIn(ctx context.Context, key secret.Text, reserve func() error) (token secret.Text, session Session, err error) {
	proven, err := s.prove(ctx, key, reserve)
	if err != nil {
		return "", Session{}, err
	}
	now := s.now()
	token, session = secret.Text(secret.RandomToken()), Session{Admin: proven.Name, StartedAt: now, SeenAt: now}
	stored := Stored{ID: s.tokenHash(token), KeyHash: s.keyHash(proven), Session: session}
	stored.MAC = stored.mac(s.Box)
	if err := s.Store.StartSession(ctx, stored, now.Add(-IdleTimeout), session.record(ctx, now, audit.AdminSignIn)); err != nil {
		return "", Session{}, err
	}
	return token, session, nil
}

// ByKey returns the operator called name if key is its key, without a session. It calls reserve
// and returns errors like SignIn.
func (s *Service) ByKey(ctx context.Context, name string, key secret.Text, reserve func() error) (*auth.Principal, error) {
	proven, err := s.prove(ctx, key, reserve)
	if err != nil {
		return nil, err
	}
	if proven.Name != name {
		return nil, errOtherAdmin
	}
	return Session{Admin: name}.Principal(), nil
}

// prove returns the admin key that key is. It calls reserve and returns errors like SignIn.
func (s *Service) prove(ctx context.Context, key secret.Text, reserve func() error) (*Key, error) {
	if len(s.keys()) == 0 {
		return nil, ErrNoKeys
	}
	claimed := s.keyOf(nameIn(key))
	if s.isProven(key, claimed) {
		return claimed, nil
	}
	if reserve != nil {
		if err := reserve(); err != nil {
			return nil, err
		}
	}
	ok, err := s.verify(ctx, key, claimed)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, s.refuse(ctx, s.now(), claimed)
	}
	return claimed, nil
}

// IsKey reports whether text has the form of an admin key.
func IsKey(text secret.Text) bool { return strings.HasPrefix(text.Reveal(), keyPrefix) }

// isProven reports, at little cost, that key is the claimed one. False means that verify has
// to tell for a key with an older hash, and that key is wrong otherwise.
func (s *Service) isProven(key secret.Text, claimed *Key) bool {
	if claimed == nil || len(key) > maxKey {
		return false
	}
	hash := secret.HashKey(key)
	if isArgon2(claimed.Hash) {
		return s.proven.has(claimed.Hash, hash)
	}
	return secret.EqualHash(hash, claimed.Hash)
}

// verify reports whether key is the claimed one. If claimed is nil, key is compared with
// another hash, so that the time of an attempt does not show which names exist.
func (s *Service) verify(ctx context.Context, key secret.Text, claimed *Key) (bool, error) {
	if len(key) > maxKey {
		return false, nil
	}
	compared := claimed
	if compared == nil {
		compared = &s.keys()[0]
	}
	same, err := matches(ctx, key, compared.Hash)
	if err != nil {
		return false, fmt.Errorf("compare an admin key: %w", err)
	}
	if same && claimed != nil && isArgon2(claimed.Hash) {
		s.proven.add(claimed.Hash, secret.HashKey(key))
	}
	return same && claimed != nil, nil
}

// refuse records a wrong key and returns ErrWrongKey. The actor is unknown; the object
// is the admin whom the key claimed, if there is one: any other text could be a part of
// a key. The attempt is recorded even if the caller has gone.
func (s *Service) refuse(ctx context.Context, now time.Time, claimed *Key) error {
	object := ""
	if claimed != nil {
		object = Session{Admin: claimed.Name}.Principal().Subject
	}
	r := audit.New(ctx, now, "", audit.AdminSignIn, "", object).Refused(wrongKey)
	if err := s.Store.Append(context.WithoutCancel(ctx), r); err != nil {
		return err
	}
	return ErrWrongKey
}

// Find returns the session of token, nil if there is none or it has ended: it was idle
// too long, is too old, or its key is no longer in the settings. With touch, the call
// counts as a use and prolongs the session.
func (s *Service) Find(ctx context.Context, token secret.Text, touch bool) (*Session, error) {
	stored, err := s.stored(ctx, token)
	if err != nil || stored == nil {
		return nil, err
	}
	now := s.now()
	if !now.Before(stored.EndsAt()) || !s.hasKeyOf(stored) {
		return nil, nil //nolint:nilnil // a missing session is not an error
	}
	if touch && now.Sub(stored.SeenAt) >= touchInterval {
		s.touch(ctx, stored, now)
	}
	return &stored.Session, nil
}

// touch stores that a session was used. If that fails, the session is not prolonged.
func (s *Service) touch(ctx context.Context, stored *Stored, now time.Time) {
	used := *stored
	used.SeenAt = now
	used.MAC = used.mac(s.Box)
	if err := s.Store.TouchSession(ctx, used); err != nil {
		s.Log.WarnContext(ctx, "session not prolonged", "admin", stored.Admin, "error", err)
		return
	}
	*stored = used
}

// SignOut ends the session of token. It does nothing if there is none.
func (s *Service) SignOut(ctx context.Context, token secret.Text) error {
	stored, err := s.stored(ctx, token)
	if err != nil || stored == nil {
		return err
	}
	return s.Store.EndSession(ctx, stored.ID, stored.record(ctx, s.now(), audit.AdminSignOut))
}

// stored returns what the store has for token, nil for nothing. A row that the broker did not
// write as it is counts as nothing.
func (s *Service) stored(ctx context.Context, token secret.Text) (*Stored, error) {
	if len(token) != base64.RawURLEncoding.EncodedLen(secret.KeySize) {
		return nil, nil //nolint:nilnil // a missing session is not an error
	}
	stored, err := s.Store.Session(ctx, s.tokenHash(token))
	if err != nil || stored == nil {
		return nil, err
	}
	if !hmac.Equal(stored.MAC, stored.mac(s.Box)) {
		if stored.MAC != nil { // an earlier release writes none
			s.Log.WarnContext(ctx, "a session was changed in the database; it does not count", "admin", stored.Admin)
		}
		return nil, nil //nolint:nilnil // a missing session is not an error
	}
	return stored, nil
}

// keyOf returns the key of the admin with this name, nil if there is none.
func (s *Service) keyOf(name string) *Key {
	list := s.keys()
	i := slices.IndexFunc(list, func(k Key) bool { return k.Name == name })
	if i < 0 {
		return nil
	}
	return &list[i]
}

// hasKeyOf reports whether the settings still have the key that started the session.
func (s *Service) hasKeyOf(stored *Stored) bool {
	key := s.keyOf(stored.Admin)
	return key != nil && subtle.ConstantTimeCompare(stored.KeyHash, s.keyHash(key)) == 1
}

func (s *Service) tokenHash(token secret.Text) []byte {
	return s.Box.Digest("session", []byte(token.Reveal()))
}

func (s *Service) keyHash(k *Key) []byte { return s.Box.Digest("admin key", []byte(k.Hash.Reveal())) }

// now returns the time with the precision of the store.
func (s *Service) now() time.Time { return s.Now().UTC().Truncate(time.Millisecond) }
