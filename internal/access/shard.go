package access

import (
	"maps"
	"math"
)

// shard is never changed once it can be read.
type shard struct {
	users  map[string]standing
	grants map[string]mark // revoked by themselves, by id; in the shard of their subject
}

// mark is a revocation.
type mark struct {
	version int64
	atMS    int64
}

// standing is how it stands with one user.
type standing struct {
	revoked      mark
	blockVersion int64 // of the newest block or unblock
	blockedMS    int64 // until when the user is blocked, unix ms; 0 for not
}

// forever is the end of a block that has to be lifted.
const forever = math.MaxInt64

func newShard() *shard { return &shard{users: map[string]standing{}, grants: map[string]mark{}} }

// standing returns how it stands with subject. s may be nil.
func (s *shard) standing(subject string) standing {
	if s == nil {
		return standing{}
	}
	return s.users[subject]
}

// revoked reports whether a grant was revoked by itself. s may be nil.
func (s *shard) revoked(grantID string) bool {
	if s == nil {
		return false
	}
	_, ok := s.grants[grantID]
	return ok
}

// apply changes a shard that nobody reads yet.
func (s *shard) apply(c Change) {
	made := mark{c.Version, c.At.UnixMilli()}
	if c.Kind == RevokeGrant {
		s.grants[c.GrantID] = made
		return
	}
	u := s.users[c.Subject]
	if c.Kind != Unblock && u.revoked.version < c.Version {
		u.revoked = made
	}
	if c.Kind != RevokeUser && u.blockVersion < c.Version {
		u.blockVersion, u.blockedMS = c.Version, blockedMS(c)
	}
	s.users[c.Subject] = u
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

// blocks counts the users who are held blocked. s may be nil.
func (s *shard) blocks() (n int64) {
	if s == nil {
		return 0
	}
	for _, u := range s.users {
		if u.blockedMS != 0 {
			n++
		}
	}
	return n
}

func (s *shard) forget(nowMS, sinceMS int64) {
	for subject, u := range s.users {
		if u.blockedMS <= nowMS {
			u.blockedMS = 0
		}
		if u.blockedMS == 0 && u.revoked.atMS < sinceMS {
			delete(s.users, subject)
		} else {
			s.users[subject] = u
		}
	}
	maps.DeleteFunc(s.grants, func(_ string, m mark) bool { return m.atMS < sinceMS })
}
