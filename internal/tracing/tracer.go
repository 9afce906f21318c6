package tracing

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"
)

// Options configures a Tracer. Endpoint and Log are required.
type Options struct {
	Endpoint *url.URL    // that spans are posted to
	Header   http.Header // of each post; may be nil
	Sample   float64     // share of the traces that are sent, from 0 to 1
	Version  string      // of the broker
	Instance string      // tells the replica from others
	Log      *slog.Logger
	// Count is called with what became of spans: Sent, Failed or Dropped. It may be nil, and is called
	// concurrently.
	Count func(result string, spans int)
}

// What becomes of spans.
const (
	Sent    = "sent"
	Failed  = "failed"  // the collector did not take them
	Dropped = "dropped" // too many waited
)

// Tracer starts traces and sends their spans. It is safe for concurrent use.
type Tracer struct {
	sample float64
	queue  *queue
	closed atomic.Bool
}

// open is the number of Tracers that are not closed.
var open atomic.Int32

// New returns a Tracer. It sends in the background, until Close.
func New(o Options) *Tracer {
	if o.Count == nil {
		o.Count = func(string, int) {}
	}
	s := &sender{
		url: o.Endpoint.String(), resource: newResource(o), log: o.Log,
		client: &http.Client{
			Transport: &http.Transport{
				Proxy:                  http.ProxyFromEnvironment,
				DialContext:            (&net.Dialer{Timeout: postTimeout}).DialContext,
				TLSHandshakeTimeout:    postTimeout,
				ForceAttemptHTTP2:      true,
				IdleConnTimeout:        time.Minute,
				MaxResponseHeaderBytes: maxAnswer,
			},
			// A redirect must not carry the headers to another host.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	s.header.Store(&o.Header)
	open.Add(1)
	return &Tracer{sample: o.Sample, queue: newQueue(s, o.Count)}
}

// SetHeader replaces the header of posts.
func (t *Tracer) SetHeader(h http.Header) {
	if t != nil {
		t.queue.sender.header.Store(&h)
	}
}

// Continue starts the span of a request, and returns a context with it. traceparent is the header of
// its caller: the span belongs to that one's trace, or to a new one if the header is missing or not
// valid. Whether the trace is sent is the caller's decision if trusted, else a matter of chance.
func (t *Tracer) Continue(ctx context.Context, traceparent string, trusted bool) (context.Context, *Span) {
	if t == nil {
		return ctx, nil
	}
	above, known := parseTraceparent(traceparent)
	s := &Span{tracer: t, trace: above.trace, id: newSpanID(), parent: above.span, kind: Server, start: time.Now()}
	if !known {
		s.trace = newTraceID()
	}
	if s.sampled = above.sampled; !known || !trusted {
		s.sampled = t.chance()
	}
	return context.WithValue(ctx, contextKey{}, s), s
}

// Start starts a new trace with its first span, and returns a context with it.
func (t *Tracer) Start(ctx context.Context, name string, kind Kind) (context.Context, *Span) {
	return t.StartLinked(ctx, name, kind, "")
}

// StartLinked is Start for work that was stored by a span with the given Traceparent. That one's trace may have
// ended long ago, so the new trace has a link to it. It is sent if that one is. traceparent is "" if there was no span.
func (t *Tracer) StartLinked(ctx context.Context, name string, kind Kind, traceparent string) (context.Context, *Span) {
	if t == nil {
		return ctx, nil
	}
	s := &Span{tracer: t, trace: newTraceID(), id: newSpanID(), name: name, kind: kind, start: time.Now()}
	if cause, ok := parseTraceparent(traceparent); ok {
		s.sampled, s.links = cause.sampled, []remote{cause}
	} else {
		s.sampled = t.chance()
	}
	return context.WithValue(ctx, contextKey{}, s), s
}

func (t *Tracer) chance() bool {
	return t.sample >= 1 || rand.Float64() < t.sample //nolint:gosec // no secret
}

// Close sends the spans that have ended, until ctx ends. Those that end later are lost.
func (t *Tracer) Close(ctx context.Context) {
	if t == nil || t.closed.Swap(true) {
		return
	}
	t.queue.close(ctx)
	open.Add(-1)
}
