package app_test

import (
	"encoding/hex"
	"net/http"
	"strings"
	"testing"
	"time"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"casbroker/internal/app"
	"casbroker/internal/config"
	"casbroker/internal/sandbox"
)

// linkOf returns the trace that a span has its only link to, and the name of the span there.
func linkOf(t *testing.T, spans []*tracepb.Span, s *tracepb.Span) (trace, name string) {
	t.Helper()
	if len(s.Links) != 1 || len(s.ParentSpanId) != 0 || string(s.Links[0].TraceId) == string(s.TraceId) {
		t.Fatalf("%s has the parent %x and links %v, want no parent and a link to another trace", s.Name, s.ParentSpanId, s.Links)
	}
	for _, other := range spans {
		if string(other.SpanId) == string(s.Links[0].SpanId) && string(other.TraceId) == string(s.Links[0].TraceId) {
			name = other.Name
		}
	}
	return hex.EncodeToString(s.Links[0].TraceId), name
}

func TestDeliveryIsLinkedToTheRequestOfItsEvent(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, _ *sandbox.Sandbox) {
		to := startCollector(t, &settings)
		got := receiveWebhooks(t, &settings)
		b := start(t, settings)
		b.call(t, "asha", http.MethodDelete, "/v1/me", "", "traceparent", "00-"+traceOfCaller+"-00f067aa0ba902b7-01").must(t, 200)
		next(t, got)
		if err := b.stop(); err != nil {
			t.Fatal(err)
		}
		spans := to.all()
		if trace, name := linkOf(t, spans, find(t, spans, "webhook delivery")); trace != traceOfCaller || name != "SQL transaction" {
			t.Errorf("the delivery is linked to %q of the trace %s, want the change of %s", name, trace, traceOfCaller)
		}
	})
}

func TestStatementJobIsLinkedToItsRequestAndItsDeliveryToTheJob(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, _ *sandbox.Sandbox) {
		to := startCollector(t, &settings)
		got := receiveWebhooks(t, &settings)
		b := start(t, settings)
		b.upload(t, "asha", "cdsl", "ABCDE1234F", "Prefer", "respond-async", "traceparent", "00-"+traceOfCaller+"-00f067aa0ba902b7-01").must(t, 202)
		next(t, got)
		if err := b.stop(); err != nil {
			t.Fatal(err)
		}
		spans := to.all()
		job := find(t, spans, "statement job")
		if trace, _ := linkOf(t, spans, job); trace != traceOfCaller || job.Kind != tracepb.Span_SPAN_KIND_CONSUMER {
			t.Errorf("the job is linked to the trace %s as %v, want a consumer of %s", trace, job.Kind, traceOfCaller)
		}
		of := hex.EncodeToString(job.TraceId)
		if list := strings.Join(names(spans, of), ", "); !strings.Contains(list, "vendor POST /v4/smart/parse") {
			t.Errorf("the job has the spans %s, want its call to the vendor", list)
		}
		if attributes := strings.Join(attributesOf(job), " "); !strings.Contains(attributes, "done") {
			t.Errorf("the job has %s, want its outcome", attributes)
		}
		if trace, _ := linkOf(t, spans, find(t, spans, "webhook delivery")); trace != of {
			t.Errorf("the delivery is linked to the trace %s, want that of the job, %s", trace, of)
		}
	})
}

func TestHeadersOfTheCollectorAreReadAgain(t *testing.T) {
	t.Parallel()
	settings, _ := settingsFor(t, sqlite(t), "memory")
	to := startCollector(t, &settings)
	m := newMount(t, map[string]string{"headers": "api-key=Hush-1"})
	settings.Tracing.HeadersFile = m.path("headers")
	b := start(t, settings)
	sent := func() string { // with the key
		b.call(t, "", http.MethodGet, "/v1/portfolios", "").must(t, 401)
		to.mu.Lock()
		defer to.mu.Unlock()
		return to.header.Get("Api-Key")
	}
	within(t, 10*time.Second, "the first key", func() bool { return sent() == "Hush-1" })
	m.set(t, "headers", "hush") // which cannot be used
	within(t, 10*time.Second, "the file is reported", func() bool {
		return strings.Contains(b.log.String(), "the file of a secret cannot be used") && strings.Contains(b.log.String(), "tracing.headers_file")
	})
	m.set(t, "headers", "api-key=Hush%2C2")
	within(t, 10*time.Second, "the second key", func() bool { return sent() == "Hush,2" })
	if log := b.log.String(); strings.Contains(log, "Hush-1") || strings.Contains(log, "Hush,2") || strings.Contains(log, "Hush%2C2") {
		t.Errorf("the log has a key:\n%s", log)
	}
	settings.Tracing.HeadersFile = m.path("none")
	if err := app.Check(settings); err == nil || !strings.Contains(err.Error(), "tracing.headers_file: open") {
		t.Errorf("got %v, want the file that is missing", err)
	}
}
