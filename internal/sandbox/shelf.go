package sandbox

import (
	"slices"
	"sync"
)

// shelf keeps things by id. It holds at most max of them: the oldest makes room
// for the newest, so that no caller can fill the memory. It is safe for
// concurrent use; things are touched only under its lock.
type shelf[T any] struct {
	mu     sync.Mutex
	max    int
	things map[string]*T
	order  []string // ids, oldest first
}

func newShelf[T any](most int) *shelf[T] {
	return &shelf[T]{max: most, things: map[string]*T{}}
}

func (s *shelf[T]) put(id string, thing T) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.add(id, thing)
}

// putUnless puts thing unless it clashes with one that is there; it returns
// false then.
func (s *shelf[T]) putUnless(id string, thing T, clashes func(T) bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, other := range s.things {
		if clashes(*other) {
			return false
		}
	}
	s.add(id, thing)
	return true
}

// add puts thing for a caller that holds the lock.
func (s *shelf[T]) add(id string, thing T) {
	if len(s.order) >= s.max {
		delete(s.things, s.order[0])
		s.order = s.order[1:]
	}
	s.things[id] = &thing
	s.order = append(s.order, id)
}

// get returns a copy of the thing.
func (s *shelf[T]) get(id string) (T, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if thing, found := s.things[id]; found {
		return *thing, true
	}
	var none T
	return none, false
}

// change lets f work on the thing; it returns false when there is none.
func (s *shelf[T]) change(id string, f func(*T)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	thing, found := s.things[id]
	if found {
		f(thing)
	}
	return found
}

func (s *shelf[T]) remove(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, found := s.things[id]; !found {
		return false
	}
	delete(s.things, id)
	s.order = slices.DeleteFunc(s.order, func(o string) bool { return o == id })
	return true
}

// all returns copies of the things that keep wants, oldest first.
func (s *shelf[T]) all(keep func(T) bool) []T {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []T
	for _, id := range s.order {
		if thing := *s.things[id]; keep(thing) {
			out = append(out, thing)
		}
	}
	return out
}
