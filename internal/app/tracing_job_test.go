package app_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"casbroker/internal/secret"
	"casbroker/internal/testkit/storetest"
)

func TestEachRunOfAJobIsATraceOfItsOwn(t *testing.T) {
	t.Parallel()
	settings, _ := settingsFor(t, secret.URL(storetest.SQLite(t)), "memory")
	collector := startCollector(t, &settings)
	b := start(t, settings)
	var root *tracepb.Span
	within(t, 20*time.Second, "the span of a job that reads the database", func() bool {
		at := slices.IndexFunc(collector.all(), func(s *tracepb.Span) bool { return s.Name == "job count statements that wait" })
		if at >= 0 {
			root = collector.all()[at]
		}
		return at >= 0
	})
	if len(root.ParentSpanId) != 0 || root.Kind != tracepb.Span_SPAN_KIND_INTERNAL {
		t.Errorf("got %v, want the first span of a trace", root)
	}
	if err := b.stop(); err != nil {
		t.Error(err)
	}
	below := func(s *tracepb.Span) bool { return string(s.ParentSpanId) == string(root.SpanId) }
	if !slices.ContainsFunc(collector.all(), below) {
		t.Errorf("got %q, want a span of the database below it", names(collector.all(), ""))
	}
	for _, name := range names(collector.all(), "") {
		if strings.HasSuffix(name, "send events") || strings.HasSuffix(name, "put events into order") {
			t.Errorf("%s, which goes on until the end, is a span", name)
		}
	}
}
