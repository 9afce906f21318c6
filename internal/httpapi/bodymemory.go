package httpapi

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"casbroker/internal/fault"
)

// ErrBodyMemory is returned for a request body for which there is no memory. Handlers word it.
var ErrBodyMemory = fault.New(fault.Unavailable, "bodies_busy",
	"Too many large request bodies are being received; try again.").After(5 * time.Second)

// SmallBody is the size of the largest body whose memory is not counted, in bytes: nearly
// every statement is smaller.
const SmallBody = 256 << 10

// BodyMemory bounds the memory of large request bodies that are received at the same time.
// A body takes memory as it arrives, so that one that was only announced holds none. The
// oldest body gets whatever it needs, and the others share the rest: so one of them always
// ends, and bodies that wait for each other do not all stop. It is safe for concurrent use.
type BodyMemory struct {
	shared  int64 // bytes of all bodies but the oldest
	maxWait time.Duration

	mu    sync.Mutex
	held  []*BodyShare // oldest first
	used  int64        // bytes of all but the oldest
	freed chan struct{}
}

// NewBodyMemory returns a BodyMemory for count bodies of at most largest bytes. A body waits
// for memory for maxWait at most.
func NewBodyMemory(largest int64, count int, maxWait time.Duration) *BodyMemory {
	return &BodyMemory{shared: int64(count-1) * largest, maxWait: maxWait, freed: make(chan struct{})}
}

// Share returns the share of a body that is about to be received. The caller must call
// Release when it no longer needs the body.
func (m *BodyMemory) Share() *BodyShare { return &BodyShare{memory: m} }

// BodyShare is the memory of one body.
type BodyShare struct {
	memory *BodyMemory
	bytes  int64
}

// ReadAll returns begun with the rest of the body, which is read from in. It returns an
// http.MaxBytesError for more than limit bytes, which must not be over the largest of the
// BodyMemory, and ErrBodyMemory if there is no memory.
func (s *BodyShare) ReadAll(ctx context.Context, in io.Reader, begun []byte, limit int64) ([]byte, error) {
	body := begun
	for {
		if len(body) == cap(body) {
			size := min(max(2*int64(cap(body)), 4<<10), limit+1) // one byte more shows that it is too large
			if err := s.grow(ctx, min(size, limit)); err != nil {
				return nil, err
			}
			body = append(make([]byte, 0, size), body...)
		}
		n, err := in.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		switch {
		case int64(len(body)) > limit:
			return nil, &http.MaxBytesError{Limit: limit}
		case errors.Is(err, io.EOF):
			return body, nil
		case err != nil:
			return nil, err
		}
	}
}

// grow waits until the body may have size bytes. It returns ErrBodyMemory after maxWait.
func (s *BodyShare) grow(ctx context.Context, size int64) error {
	if size <= SmallBody || s.tryGrow(size) == nil {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, s.memory.maxWait, ErrBodyMemory)
	defer cancel()
	for {
		freed := s.tryGrow(size)
		if freed == nil {
			return nil
		}
		select {
		case <-freed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// tryGrow lets the body have size bytes and returns nil, or returns a channel that is closed
// when there may be more memory.
func (s *BodyShare) tryGrow(size int64) <-chan struct{} {
	m := s.memory
	m.mu.Lock()
	defer m.mu.Unlock()
	if s.bytes == 0 && len(m.held) == 0 {
		m.held = append(m.held, s)
	}
	more := size - s.bytes
	switch {
	case len(m.held) > 0 && m.held[0] == s:
	case m.used+more > m.shared:
		return m.freed
	default:
		m.used += more
		if s.bytes == 0 {
			m.held = append(m.held, s)
		}
	}
	s.bytes = size
	return nil
}

// Release gives the memory back. It may be called more than once.
func (s *BodyShare) Release() {
	m := s.memory
	m.mu.Lock()
	defer m.mu.Unlock()
	i := slices.Index(m.held, s)
	if i < 0 {
		return
	}
	m.held = slices.Delete(m.held, i, i+1)
	switch {
	case i > 0:
		m.used -= s.bytes
	case len(m.held) > 0: // the next is the oldest, and leaves what the others share
		m.used -= m.held[0].bytes
	}
	s.bytes = 0
	close(m.freed)
	m.freed = make(chan struct{})
}
