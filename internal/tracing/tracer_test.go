package tracing

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// recorder is a collector, a log, and counts of spans.
type recorder struct {
	mu     sync.Mutex
	posts  int
	spans  int
	counts map[string]int
	log    bytes.Buffer
}

// Write takes a line of the log.
func (r *recorder) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.log.Write(p)
}

func (r *recorder) count(result string, spans int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts[result] += spans
}

// newTracer returns a Tracer of all traces, whose collector answers post n, from 1, with answer.
func newTracer(t testing.TB, answer func(w http.ResponseWriter, n int)) (*Tracer, *recorder) {
	t.Helper()
	r := &recorder{counts: map[string]int{}}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		var data tracepb.TracesData
		if err := proto.Unmarshal(body, &data); err != nil {
			t.Error(err)
		}
		r.mu.Lock()
		r.posts++
		n := r.posts
		r.spans += len(data.ResourceSpans[0].ScopeSpans[0].Spans)
		r.mu.Unlock()
		answer(w, n)
	}))
	t.Cleanup(s.Close)
	endpoint, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	tracer := New(Options{Endpoint: endpoint, Sample: 1, Log: slog.New(slog.NewTextHandler(r, nil)), Count: r.count})
	t.Cleanup(func() { tracer.Close(t.Context()) })
	return tracer, r
}

func takes(http.ResponseWriter, int) {}

// end ends n spans.
func end(tracer *Tracer, n int) {
	for range n {
		_, s := tracer.Start(context.Background(), "work", Internal)
		s.End()
	}
}

func TestSpansAreSentAtTheEndInPostsOfLimitedSize(t *testing.T) {
	t.Parallel()
	tracer, r := newTracer(t, takes)
	end(tracer, 2*maxBatch+1)
	tracer.Close(t.Context())
	if r.spans != 2*maxBatch+1 || r.posts < 3 || r.counts[Sent] != 2*maxBatch+1 {
		t.Errorf("got %d spans in %d posts, counted as %v", r.spans, r.posts, r.counts)
	}
	end(tracer, 1)
	if r.counts[Dropped] != 1 {
		t.Errorf("got %v, want the span after the end dropped", r.counts)
	}
}

func TestLinkedSpanIsSentIfTheOneThatItIsLinkedToIs(t *testing.T) {
	t.Parallel()
	for flags, want := range map[string]int{"00": 0, "01": 1} {
		tracer, r := newTracer(t, takes)
		_, s := tracer.StartLinked(t.Context(), "work", Consumer, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-"+flags)
		s.End()
		tracer.Close(t.Context())
		if r.spans != want {
			t.Errorf("linked to a span with the flags %s: got %d spans, want %d", flags, r.spans, want)
		}
	}
}

func TestSpansBeyondTheQueueAreDroppedAndCounted(t *testing.T) {
	t.Parallel()
	got, free := make(chan struct{}), make(chan struct{})
	tracer, r := newTracer(t, func(_ http.ResponseWriter, n int) {
		if n == 1 {
			close(got)
		}
		<-free
	})
	end(tracer, maxBatch)
	<-got // the first batch is under way
	end(tracer, maxQueue+7)
	close(free)
	tracer.Close(t.Context())
	if r.counts[Dropped] != 7 || r.counts[Sent] != maxBatch+maxQueue {
		t.Errorf("got %v, want 7 dropped", r.counts)
	}
}

func TestSpansAreSentAgainToACollectorThatWasBusy(t *testing.T) {
	t.Parallel()
	tracer, r := newTracer(t, func(w http.ResponseWriter, n int) {
		if n == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	end(tracer, maxBatch)
	wait(t, func() bool { return r.counts[Sent] == maxBatch }, r)
	if r.counts[Failed] != 0 || r.posts != 2 {
		t.Errorf("got %v in %d posts", r.counts, r.posts)
	}
	log := r.log.String()
	if strings.Count(log, "cannot be sent") != 1 || strings.Count(log, "sent again") != 1 {
		t.Errorf("got the log %s", log)
	}
}

// wait returns once condition holds, which is checked while r is locked.
func wait(t *testing.T, condition func() bool, r *recorder) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		r.mu.Lock()
		done := condition()
		r.mu.Unlock()
		if done {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("not within 20 s: %v", r.counts)
		}
	}
}

func TestSpansThatTheCollectorRejectsAreCounted(t *testing.T) {
	t.Parallel()
	partial := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), 3)
	partial = protowire.AppendString(protowire.AppendTag(partial, 2, protowire.BytesType), "too old")
	answer := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), partial)
	for name, c := range map[string]struct {
		answer []byte
		failed int
	}{
		"some":           {answer, 3},
		"none":           {nil, 0},
		"not protobuf":   {[]byte("<html>"), 0},
		"more than sent": {protowire.AppendBytes([]byte{0x0a}, protowire.AppendVarint([]byte{0x08}, 1<<60)), 5},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tracer, r := newTracer(t, func(w http.ResponseWriter, _ int) { _, _ = w.Write(c.answer) })
			end(tracer, 5)
			tracer.Close(t.Context())
			if r.counts[Failed] != c.failed || r.counts[Sent] != 5-c.failed {
				t.Errorf("got %v, want %d failed of 5", r.counts, c.failed)
			}
		})
	}
}

func TestCloseWaitsNoLongerThanItsContextForACollectorThatHangs(t *testing.T) {
	t.Parallel()
	free := make(chan struct{})
	tracer, r := newTracer(t, func(http.ResponseWriter, int) { <-free })
	t.Cleanup(func() { close(free) }) // before the server is closed
	end(tracer, maxBatch+1)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	tracer.Close(ctx)
	if r.counts[Failed] != maxBatch+1 {
		t.Errorf("got %v, want all failed", r.counts)
	}
}

func TestNoSpanStartsWithoutATracer(t *testing.T) {
	t.Parallel()
	ctx, span := Start(t.Context(), "work", Internal)
	span.Text("a", "b")
	span.Number("a", 1)
	span.Fail()
	span.End()
	header := http.Header{}
	Inject(ctx, header)
	var none *Tracer
	if _, s := none.Start(ctx, "work", Internal); s != nil || span != nil || TraceID(ctx) != "" || len(header) != 0 {
		t.Error("got a span")
	}
	none.Close(ctx)
}

// BenchmarkStart measures a span that is not recorded: without a Tracer, and in a trace that is not sent.
func BenchmarkStart(b *testing.B) {
	start := func(b *testing.B, ctx context.Context) {
		b.Helper()
		b.ReportAllocs()
		for b.Loop() {
			_, s := Start(ctx, "work", Internal)
			s.End()
		}
	}
	b.Run("off", func(b *testing.B) { start(b, b.Context()) })
	tracer, _ := newTracer(b, takes)
	tracer.sample = 0
	ctx, _ := tracer.Start(b.Context(), "request", Server)
	b.Run("not sampled", func(b *testing.B) { start(b, ctx) })
	tracer.sample = 1
	ctx, _ = tracer.Start(b.Context(), "request", Server)
	b.Run("sampled", func(b *testing.B) { start(b, ctx) })
}
