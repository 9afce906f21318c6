package access

import (
	"math"
	"sync"
	"time"
)

// View is one replica's copy of the blocks and recent revocations, in memory. A Watcher
// keeps it up to date. Checks allocate nothing. It is safe for concurrent use.
type View struct {
	now    func() time.Time
	maxAge time.Duration // past it Admit returns ErrStale; 0 for no bound
	hash   func(subject string) string

	mu          sync.RWMutex
	users       map[string]userState
	grants      map[string]revocation // of single grants, by grant id
	everyone    revocation
	version     int64     // all changes up to it are in the maps
	refreshedAt time.Time // when version was last known to be the newest; zero for never
	announced   announced // changes that are not in the maps
}

// userState is the block and the newest revocation of one user.
type userState struct {
	revoked      revocation
	blockVersion int64 // of the newest block or unblock
	blockedMS    int64 // end of the block, unix ms; 0 for not blocked
}

// revocation invalidates tokens that carry a lower version.
type revocation struct {
	version int64
	atMS    int64 // unix ms
}

// forever is the blockedMS of a block without an end.
const forever = math.MaxInt64

func newView(now func() time.Time, maxAge time.Duration, hash func(string) string) *View {
	return &View{
		now: now, maxAge: maxAge, hash: hash,
		users: map[string]userState{}, grants: map[string]revocation{}, announced: announced{},
	}
}

// Admit returns the version for a token whose mint for subject begins now. It returns
// ErrBlocked if subject is blocked, and ErrStale if the view is older than maxAge, or lacks a
// change for subject that another replica has announced.
func (v *View) Admit(subject string) (version int64, err error) {
	now := v.now()
	v.mu.RLock()
	defer v.mu.RUnlock()
	if v.refreshedAt.IsZero() || v.maxAge > 0 && now.Sub(v.refreshedAt) > v.maxAge || v.missing(subject, now) {
		return 0, ErrStale
	}
	if now.UnixMilli() < v.users[subject].blockedMS {
		return 0, ErrBlocked
	}
	return v.version, nil
}

// Blocked reports whether subject is blocked, as far as this view knows, however old it is.
func (v *View) Blocked(subject string) bool {
	now := v.now().UnixMilli()
	v.mu.RLock()
	defer v.mu.RUnlock()
	return now < v.users[subject].blockedMS
}

// Valid reports whether this view knows of no revocation of the token of grantID, which
// was issued to subject and carries version. A token with a version that is newer than
// the view is not valid: either the view is about to be refreshed, or an older copy of
// the database was restored and future revocations may reuse versions up to that one.
func (v *View) Valid(subject, grantID string, version int64) bool {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if version < v.everyone.version || version > v.version || version < v.users[subject].revoked.version {
		return false
	}
	_, revoked := v.grants[grantID]
	return !revoked
}

// Version is the version of the newest change that is known here, with all before it.
func (v *View) Version() int64 {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.version
}

// Blocks counts the users who are blocked now.
func (v *View) Blocks() (n int64) {
	now := v.now().UnixMilli()
	v.mu.RLock()
	defer v.mu.RUnlock()
	for _, u := range v.users {
		if now < u.blockedMS {
			n++
		}
	}
	return n
}

// Age is the time since this view was last known to be complete; 0 before it ever was.
func (v *View) Age() time.Duration {
	now := v.now()
	v.mu.RLock()
	defer v.mu.RUnlock()
	if v.refreshedAt.IsZero() {
		return 0
	}
	return max(now.Sub(v.refreshedAt), 0)
}

// apply adds changes in any order; a change may be applied more than once.
func (v *View) apply(changes ...Change) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, c := range changes {
		v.add(c)
		if c.Version == v.version+1 {
			v.version = c.Version
		}
	}
}

// setVersion records that all changes up to version were applied.
func (v *View) setVersion(version int64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.version = max(version, v.version)
}

// setRefreshed records that the view was complete at the time at. Its age is measured by
// the wall clock, since a monotonic one may stop while the machine is suspended.
func (v *View) setRefreshed(at time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.refreshedAt = at.Round(0)
	v.announced.read(at)
}

// replace discards all that the view holds and loads s.
func (v *View) replace(s Snapshot) {
	fresh := newView(v.now, v.maxAge, v.hash)
	for _, b := range s.Blocks {
		fresh.add(Change{Version: b.Version, Kind: Block, Subject: b.Subject, Until: b.Until, At: b.At})
	}
	for _, c := range s.Revocations {
		fresh.add(c)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.users, v.grants, v.everyone, v.version = fresh.users, fresh.grants, fresh.everyone, s.Version
}

// add stores c. The caller holds mu.
func (v *View) add(c Change) {
	r := revocation{c.Version, c.At.UnixMilli()}
	switch c.Kind {
	case RevokeGrant:
		v.grants[c.GrantID] = r
		return
	case RevokeAll:
		if v.everyone.version < c.Version {
			v.everyone = r
		}
		return
	}
	u := v.users[c.Subject]
	if c.Kind != Unblock && u.revoked.version < c.Version {
		u.revoked = r
	}
	if c.Kind != RevokeUser && u.blockVersion < c.Version {
		u.blockVersion, u.blockedMS = c.Version, blockedMS(c)
	}
	v.users[c.Subject] = u
}

func blockedMS(c Change) int64 {
	switch {
	case c.Kind == Unblock:
		return 0
	case c.Until.IsZero():
		return forever
	default:
		return c.Until.UnixMilli()
	}
}

// prune drops what can affect no valid token: revocations from before since, and
// blocks that ended at now or before.
func (v *View) prune(now, since time.Time) {
	nowMS, sinceMS := now.UnixMilli(), since.UnixMilli()
	v.mu.Lock()
	defer v.mu.Unlock()
	for subject, u := range v.users {
		switch {
		case u.blockedMS <= nowMS && u.revoked.atMS < sinceMS:
			delete(v.users, subject)
		case u.blockedMS <= nowMS && u.blockedMS != 0:
			u.blockedMS = 0
			v.users[subject] = u
		}
	}
	for id, r := range v.grants {
		if r.atMS < sinceMS {
			delete(v.grants, id)
		}
	}
}
