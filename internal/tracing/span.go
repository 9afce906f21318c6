package tracing

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"time"
)

// Kind says what the other side of a span is.
type Kind int32

// The kinds, with the numbers of OTLP.
const (
	Internal Kind = 1 // none
	Server   Kind = 2 // a caller
	Client   Kind = 3 // a server
	Consumer Kind = 5 // what has stored the work
)

// Span is a piece of work and how long it took. One goroutine uses it at a time, and not after End.
type Span struct {
	tracer  *Tracer
	trace   traceID
	id      spanID
	parent  spanID // zero for none
	sampled bool   // it is sent

	name       string
	kind       Kind
	start, end time.Time
	attributes []attribute
	links      []remote
	failed     bool
}

// attribute is a fact about a span: a text, or a number if text is "".
type attribute struct {
	key, text string
	number    int64
}

type contextKey struct{}

// fromContext returns the span in ctx, nil if there is none.
func fromContext(ctx context.Context) *Span {
	if open.Load() == 0 {
		return nil
	}
	s, _ := ctx.Value(contextKey{}).(*Span)
	return s
}

// Start starts a span below the one in ctx, and returns a context with it. It returns ctx and nil if
// ctx has no span, or one that is not sent.
func Start(ctx context.Context, name string, kind Kind) (context.Context, *Span) {
	above := fromContext(ctx)
	if above == nil || !above.sampled {
		return ctx, nil
	}
	s := &Span{
		tracer: above.tracer, trace: above.trace, id: newSpanID(), parent: above.id, sampled: true,
		name: name, kind: kind, start: time.Now(),
	}
	return context.WithValue(ctx, contextKey{}, s), s
}

// Rename changes the name of the span.
func (s *Span) Rename(name string) {
	if s != nil {
		s.name = name
	}
}

// Text adds an attribute. It must be a word that the code chose; see the rules of the package.
func (s *Span) Text(key, value string) {
	if s != nil && s.sampled && value != "" {
		s.attributes = append(s.attributes, attribute{key: key, text: value})
	}
}

// Number adds an attribute.
func (s *Span) Number(key string, value int) {
	if s != nil && s.sampled {
		s.attributes = append(s.attributes, attribute{key: key, number: int64(value)})
	}
}

// Fail marks the span as failed.
func (s *Span) Fail() {
	if s != nil {
		s.failed = true
	}
}

// FailIf marks the span as failed if err is not nil. The text of err is not recorded: it may have
// what the rules of the package forbid.
func (s *Span) FailIf(err error) {
	if err != nil {
		s.Fail()
	}
}

// End ends the span, which is sent later.
func (s *Span) End() {
	if s == nil || !s.sampled {
		return
	}
	s.end = time.Now()
	s.tracer.queue.add(s)
}

// newTraceID and newSpanID return random ids. They need not be hard to guess.
func newTraceID() (id traceID) {
	for id == (traceID{}) {
		fill(id[:8])
		fill(id[8:])
	}
	return id
}

func newSpanID() (id spanID) {
	for id == (spanID{}) {
		fill(id[:])
	}
	return id
}

func fill(b []byte) {
	binary.LittleEndian.PutUint64(b, rand.Uint64()) //nolint:gosec // see newTraceID
}
