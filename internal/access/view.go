package access

import (
	"hash/maphash"
	"maps"
	"sync"
	"sync/atomic"
	"time"
)

// shardCount is how many parts the view is in. A change copies one of them, so they
// are to be small. And with 10,000 blocks half of them are empty, so that for half of
// all users a look into memory that is seldom in the processor's cache is saved.
const shardCount = 16 << 10

// View is what one replica knows of blocks and revocations. Reading takes no lock and
// allocates nothing: a change puts a new part in the place of an old one. A Watcher
// keeps it up to date. It is safe for concurrent use.
type View struct {
	now        func() time.Time
	maxAge     time.Duration // past which nothing is said; 0 for ever
	seed       maphash.Seed
	shards     [shardCount]atomic.Pointer[shard] // nil is empty
	everybody  atomic.Pointer[mark]
	version    atomic.Int64 // all changes up to it are in the shards
	learnedMS  atomic.Int64 // when that was last known to be the newest, unix ms; 0 for never
	heldBlocks atomic.Int64
	changing   sync.Mutex // held for as long as one change takes; no reader waits for it
}

func newView(now func() time.Time, maxAge time.Duration) *View {
	v := &View{now: now, maxAge: maxAge, seed: maphash.MakeSeed()}
	v.fill(Snapshot{})
	return v
}

func (v *View) number(subject string) uint64 { return maphash.String(v.seed, subject) % shardCount }

func (v *View) place(subject string) *atomic.Pointer[shard] { return &v.shards[v.number(subject)] }

// Admit returns the version that a token minted for subject from now on is to carry.
// It returns ErrBlocked when subject may have none, and ErrStale when this replica
// does not know what happened lately.
func (v *View) Admit(subject string) (version int64, err error) {
	version = v.version.Load() // first, so that a token never claims to know what was not looked at
	now := v.now().UnixMilli()
	learned := v.learnedMS.Load()
	if learned == 0 || v.maxAge > 0 && now-learned > v.maxAge.Milliseconds() {
		return 0, ErrStale
	}
	if now < v.place(subject).Load().standing(subject).blockedMS {
		return 0, ErrBlocked
	}
	return version, nil
}

// Counts reports whether the token of grantID, given to subject and carrying version,
// was not revoked as far as is known here. One whose version is past all that is known
// does not count. Either the change is about to become known, or an older copy of the
// database was put back, and revocations yet to come may get versions up to that one.
func (v *View) Counts(subject, grantID string, version int64) bool {
	if version < v.everybody.Load().version || version > v.version.Load() {
		return false
	}
	s := v.place(subject).Load()
	return version >= s.standing(subject).revoked.version && !s.revoked(grantID)
}

// Version is that of the newest change that is known here, with all before it.
func (v *View) Version() int64 { return v.version.Load() }

// Blocks is how many users are held blocked. One whose block ended by itself in the last
// minute may be among them.
func (v *View) Blocks() int64 { return v.heldBlocks.Load() }

// Age is how long ago this replica last knew all changes; 0 before it ever did.
func (v *View) Age() time.Duration {
	learned := v.learnedMS.Load()
	if learned == 0 {
		return 0
	}
	return max(v.now().Sub(time.UnixMilli(learned)), 0)
}

// apply makes c part of the view, in any order and any number of times.
func (v *View) apply(c Change) {
	v.changing.Lock()
	defer v.changing.Unlock()
	if c.Kind == RevokeAll {
		v.revokeAll(c)
	} else {
		v.edit(v.place(c.Subject), func(s *shard) { s.apply(c) })
	}
	if c.Version == v.version.Load()+1 {
		v.version.Store(c.Version)
	}
}

// reach says that all changes up to version were applied.
func (v *View) reach(version int64) {
	v.changing.Lock()
	defer v.changing.Unlock()
	v.version.Store(max(version, v.version.Load()))
}

// fill puts s in the place of all that was known.
func (v *View) fill(s Snapshot) {
	fresh := map[uint64]*shard{}
	put := func(c Change) {
		part := fresh[v.number(c.Subject)]
		if part == nil {
			part = newShard()
			fresh[v.number(c.Subject)] = part
		}
		part.apply(c)
	}
	for _, b := range s.Barriers {
		put(Change{Version: b.Version, Kind: Block, Subject: b.Subject, Until: b.Until, At: b.At})
	}
	v.changing.Lock()
	defer v.changing.Unlock()
	v.everybody.Store(&mark{})
	for _, c := range s.Marks {
		if c.Kind == RevokeAll {
			v.revokeAll(c)
		} else {
			put(c)
		}
	}
	var blocks int64
	for i := range v.shards {
		part := fresh[uint64(i)]
		blocks += part.blocks()
		v.shards[i].Store(part)
	}
	v.heldBlocks.Store(blocks)
	v.version.Store(s.Version)
}

func (v *View) revokeAll(c Change) {
	if v.everybody.Load().version < c.Version {
		v.everybody.Store(&mark{c.Version, c.At.UnixMilli()})
	}
}

// edit changes a copy of the shard at place and puts it there.
func (v *View) edit(place *atomic.Pointer[shard], change func(s *shard)) {
	old, next := place.Load(), newShard()
	if old != nil {
		next.users, next.grants = maps.Clone(old.users), maps.Clone(old.grants)
	}
	change(next)
	v.heldBlocks.Add(next.blocks() - old.blocks())
	if len(next.users)+len(next.grants) == 0 {
		next = nil
	}
	place.Store(next)
}

// forget drops what no living token can be touched by any more: revocations from
// before since, and blocks that ended at now or before.
func (v *View) forget(now, since time.Time) {
	v.changing.Lock()
	defer v.changing.Unlock()
	for i := range v.shards {
		if v.shards[i].Load() != nil {
			v.edit(&v.shards[i], func(s *shard) { s.forget(now.UnixMilli(), since.UnixMilli()) })
		}
	}
}
