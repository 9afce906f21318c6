package sandbox

import (
	"slices"
	"sync"
)

// store is an in-memory map by id. It holds at most max entries and evicts the
// oldest to add another, so no caller can fill the memory. It is safe for
// concurrent use; an entry is read and changed only under the lock.
type store[T any] struct {
	mu      sync.Mutex
	max     int
	entries map[string]*T
	order   []string // ids, oldest first
}

func newStore[T any](limit int) *store[T] {
	return &store[T]{max: limit, entries: map[string]*T{}}
}

func (s *store[T]) put(id string, entry T) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.add(id, entry)
}

// putUnique adds entry and returns true, unless conflicts holds for an entry that
// is already there.
func (s *store[T]) putUnique(id string, entry T, conflicts func(T) bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, other := range s.entries {
		if conflicts(*other) {
			return false
		}
	}
	s.add(id, entry)
	return true
}

// add adds entry. The caller holds the lock.
func (s *store[T]) add(id string, entry T) {
	if len(s.order) >= s.max {
		delete(s.entries, s.order[0])
		s.order = s.order[1:]
	}
	s.entries[id] = &entry
	s.order = append(s.order, id)
}

// get returns a copy of the entry.
func (s *store[T]) get(id string) (T, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if entry, found := s.entries[id]; found {
		return *entry, true
	}
	var zero T
	return zero, false
}

// change runs f on the entry under the lock; it returns false for an unknown id.
func (s *store[T]) change(id string, f func(*T)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	entry, found := s.entries[id]
	if found {
		f(entry)
	}
	return found
}

// remove deletes the entry; it returns false for an unknown id.
func (s *store[T]) remove(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, found := s.entries[id]; !found {
		return false
	}
	delete(s.entries, id)
	s.order = slices.DeleteFunc(s.order, func(o string) bool { return o == id })
	return true
}

// list returns copies of the entries for which keep holds, oldest first.
func (s *store[T]) list(keep func(T) bool) []T {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []T
	for _, id := range s.order {
		if entry := *s.entries[id]; keep(entry) {
			out = append(out, entry)
		}
	}
	return out
}
