package app_test

import (
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"casbroker/internal/config"
	"casbroker/internal/sandbox"
	"casbroker/internal/secret"
	"casbroker/internal/testkit/storetest"
)

// collector is a receiver of OTLP over HTTP.
type collector struct {
	URL string

	mu       sync.Mutex
	spans    []*tracepb.Span
	header   http.Header // of the last post
	path     string
	resource string
	answer   http.HandlerFunc // nil takes the spans
}

// startCollector starts a collector and has the settings send all traces to it.
func startCollector(t *testing.T, c *config.Config) *collector {
	t.Helper()
	o := &collector{}
	s := httptest.NewServer(o)
	t.Cleanup(s.Close)
	o.URL, c.Tracing.Endpoint, c.Tracing.Sample = s.URL, s.URL, "100%"
	return o
}

// ServeHTTP takes spans.
func (o *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var data tracepb.TracesData
	if err != nil || proto.Unmarshal(body, &data) != nil || r.Header.Get("Content-Type") != "application/x-protobuf" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	o.mu.Lock()
	answer := o.answer
	o.header, o.path = r.Header, r.URL.Path
	if answer == nil {
		for _, resource := range data.ResourceSpans {
			o.resource = resource.Resource.String()
			for _, scope := range resource.ScopeSpans {
				o.spans = append(o.spans, scope.Spans...)
			}
		}
	}
	o.mu.Unlock()
	if answer != nil {
		answer(w, r)
	}
}

// all returns the spans that have come.
func (o *collector) all() []*tracepb.Span {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.spans)
}

// names returns the names of spans in the trace with id, in hexadecimal digits; in all for "".
func names(spans []*tracepb.Span, id string) (list []string) {
	for _, s := range spans {
		if id == "" || hex.EncodeToString(s.TraceId) == id {
			list = append(list, s.Name)
		}
	}
	return list
}

// find returns the only span with a name.
func find(t *testing.T, spans []*tracepb.Span, name string) *tracepb.Span {
	t.Helper()
	var found []*tracepb.Span
	for _, s := range spans {
		if s.Name == name {
			found = append(found, s)
		}
	}
	if len(found) != 1 {
		t.Fatalf("got %d spans with the name %q in %q, want 1", len(found), name, names(spans, ""))
	}
	return found[0]
}

// attributesOf returns the attributes of a span as "name=value".
func attributesOf(s *tracepb.Span) (list []string) {
	for _, a := range s.Attributes {
		text, _ := json.Marshal(a.Value.Value)
		list = append(list, a.Key+"="+string(text))
	}
	return list
}

const traceOfCaller = "4bf92f3577b34da6a3ce929d0e0e4736"

func TestTraceOfATokenShowsWhereItsTimeWent(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, _ *sandbox.Sandbox) {
		to := startCollector(t, &settings)
		settings.Tracing.Headers = "api-key=Hush%2CKey, x-tenant=one"
		b := start(t, settings)
		b.call(t, "asha", http.MethodPost, "/v1/token", "", "traceparent", "00-"+traceOfCaller+"-00f067aa0ba902b7-01").must(t, 200)
		if err := b.stop(); err != nil {
			t.Fatal(err)
		}
		var spans []*tracepb.Span
		for _, s := range to.all() {
			if hex.EncodeToString(s.TraceId) == traceOfCaller {
				spans = append(spans, s)
			}
		}
		request := find(t, spans, "POST /v1/token")
		if got := hex.EncodeToString(request.ParentSpanId); got != "00f067aa0ba902b7" || request.Kind != tracepb.Span_SPAN_KIND_SERVER {
			t.Errorf("got the parent %q and kind %v, want those of a request of the caller's span", got, request.Kind)
		}
		ids := map[string]*tracepb.Span{}
		for _, s := range spans {
			ids[string(s.SpanId)] = s
		}
		for _, s := range spans {
			above := ids[string(s.ParentSpanId)]
			if s != request && (above == nil || s.StartTimeUnixNano < above.StartTimeUnixNano) || s.EndTimeUnixNano < s.StartTimeUnixNano {
				t.Errorf("%s lies outside of what it is below", s.Name)
			}
		}
		find(t, spans, "limiter")
		if vendor := find(t, spans, "vendor POST /v1/token"); vendor.Kind != tracepb.Span_SPAN_KIND_CLIENT {
			t.Errorf("got %v for a call to the vendor", vendor.Kind)
		}
		if grant := strings.Join(attributesOf(find(t, spans, "SQL transaction")), " "); !strings.Contains(grant, "record grant") {
			t.Errorf("got %s, want the name of the change", grant)
		}
		if settings.Cache.URL != "memory" {
			limiter := find(t, spans, "limiter")
			if !slices.ContainsFunc(spans, func(s *tracepb.Span) bool {
				return s.Name == "redis take" && string(s.ParentSpanId) == string(limiter.SpanId)
			}) {
				t.Error("no command of Redis is below the limiter")
			}
			find(t, spans, "redis SET")
			if list := names(spans, ""); !slices.Contains(list, "SQL INSERT") && !slices.Contains(list, "SQL WITH") {
				t.Errorf("got %q, want the statement that records the grant", list)
			}
		}
		if to.path != "/v1/traces" || to.header.Get("Api-Key") != "Hush,Key" || to.header.Get("X-Tenant") != "one" {
			t.Errorf("got a post to %s with %v", to.path, to.header)
		}
		if !strings.Contains(to.resource, `"casbroker"`) {
			t.Errorf("got the resource %s", to.resource)
		}
		if log := b.log.String(); !strings.Contains(log, `"trace_id":"`+traceOfCaller+`"`) || strings.Contains(log, "Hush,Key") {
			t.Errorf("want the trace, and no header of the collector, in the log:\n%s", log)
		}
	})
}

// TestTracesHaveNoPersonalData makes calls with secrets and personal data in each place where a
// caller can put them.
func TestTracesHaveNoPersonalData(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, _ *sandbox.Sandbox) {
		to := startCollector(t, &settings)
		settings.Token.Mode = config.ModeBoth
		got := receiveWebhooks(t, &settings)
		b := start(t, settings)
		token := b.token(t, "asha-Hush").AccessToken
		statement := b.parsed(t, "asha-Hush", "cdsl") // through the gateway
		next(t, got)
		id := between(t, b.call(t, "asha-Hush", http.MethodGet, "/v1/portfolios", "").must(t, 200).body, `"id":"`)
		b.call(t, "asha-Hush", http.MethodGet, "/v1/portfolios/"+id, "").must(t, 200)
		b.call(t, "", http.MethodGet, "/Hush?pan=Hush", "", "User-Agent", "Hush", "tracestate", "a=Hush", "baggage", "a=Hush")
		b.call(t, "", "HUSH", "/v1/token", "")
		if err := b.stop(); err != nil {
			t.Fatal(err)
		}
		spans := to.all()
		list := names(spans, "")
		for _, want := range []string{"GET /v1/portfolios/:id", "_OTHER /v1/token", "vendor POST /v4/smart/parse", "webhook delivery"} {
			if !slices.Contains(list, want) {
				t.Errorf("got no span %q in %q", want, list)
			}
		}
		pan := between(t, statement, `"pan":"`)
		for _, s := range spans {
			text := s.String()
			for _, hidden := range []string{"asha", "Hush", "HUSH", token, id, pan, apiKey, bearer(t, "asha-Hush")[:20], "127.0.0.1", "$1"} {
				if strings.Contains(text, hidden) {
					t.Errorf("a span has %q: %s", hidden, text)
				}
			}
		}
	})
}

func TestCallersDecideWhatIsTracedIfTheyAreTrusted(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		sample, flags string
		trusted       []string
		sent          bool
	}{
		"a trusted caller wants it":           {"0%", "01", []string{"127.0.0.0/8"}, true},
		"a trusted caller does not":           {"100%", "00", []string{"127.0.0.0/8"}, false},
		"a caller who is not trusted":         {"0%", "01", []string{"10.0.0.0/8"}, false},
		"a caller without trust, and 100%":    {"100%", "00", nil, true},
		"a header that is wrong is no answer": {"100%", "0x", []string{"127.0.0.0/8"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			settings, _ := settingsFor(t, secret.URL(storetest.SQLite(t)), "memory")
			to := startCollector(t, &settings)
			settings.Tracing.Sample, settings.Tracing.TrustedCallers = c.sample, c.trusted
			b := start(t, settings)
			answer := b.call(t, "", http.MethodGet, "/v1/portfolios", "", "traceparent", "00-"+traceOfCaller+"-00f067aa0ba902b7-"+c.flags).must(t, 401)
			var problem struct {
				TraceID string `json:"trace_id"`
			}
			answer.decode(t, &problem)
			if own := c.flags == "0x"; own == (problem.TraceID == traceOfCaller) || len(problem.TraceID) != 32 {
				t.Errorf("got the trace %q in %s, want the caller's unless its header is wrong", problem.TraceID, answer.body)
			}
			if err := b.stop(); err != nil {
				t.Fatal(err)
			}
			if sent := slices.Contains(names(to.all(), problem.TraceID), "GET /v1/portfolios"); sent != c.sent {
				t.Errorf("sent: got %v, want %v", sent, c.sent)
			}
		})
	}
}

func TestTracesGoToTheVendorByASettingAndToWebhooks(t *testing.T) {
	t.Parallel()
	for name, toVendor := range map[string]bool{"to the vendor": true, "not to the vendor": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			settings, vendor := settingsFor(t, secret.URL(storetest.SQLite(t)), "memory")
			var mu sync.Mutex
			seen := map[string]string{} // traceparent by path
			front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				seen[r.URL.Path] = r.Header.Get("traceparent")
				mu.Unlock()
				vendor.ServeHTTP(w, r)
			}))
			t.Cleanup(front.Close)
			settings.Upstream.URL, settings.Token.Mode = front.URL, config.ModeBoth
			to := startCollector(t, &settings)
			settings.Tracing.SendToVendor = toVendor
			got := receiveWebhooks(t, &settings)
			b := start(t, settings)
			b.token(t, "asha")
			b.parsed(t, "asha", "cdsl")
			hook := next(t, got)
			if err := b.stop(); err != nil {
				t.Fatal(err)
			}
			spans := to.all()
			mu.Lock()
			defer mu.Unlock()
			for path, span := range map[string]string{"/v1/token": "vendor POST /v1/token", "/v4/smart/parse": "vendor POST /v4/smart/parse"} {
				want := ""
				if toVendor {
					want = traceparentOf(find(t, spans, span))
				}
				if header, called := seen[path]; !called || header != want {
					t.Errorf("the vendor got %q with a call of %s (called: %v), want %q", header, path, called, want)
				}
			}
			var deliveries []string
			for _, s := range spans {
				if s.Name == "webhook delivery" {
					deliveries = append(deliveries, traceparentOf(s))
				}
			}
			if header := hook.header.Get("traceparent"); !slices.Contains(deliveries, header) {
				t.Errorf("the webhook had %q, want one of %q", header, deliveries)
			}
		})
	}
}

func traceparentOf(s *tracepb.Span) string {
	return "00-" + hex.EncodeToString(s.TraceId) + "-" + hex.EncodeToString(s.SpanId) + "-01"
}

func TestWithoutTracingNothingHasATrace(t *testing.T) {
	t.Parallel()
	settings, _ := settingsFor(t, secret.URL(storetest.SQLite(t)), "memory")
	got := receiveWebhooks(t, &settings)
	settings.Token.Mode = config.ModeBoth
	b := start(t, settings)
	const header = "00-" + traceOfCaller + "-00f067aa0ba902b7-01"
	if a := b.call(t, "", http.MethodGet, "/v1/portfolios", "", "traceparent", header).must(t, 401); strings.Contains(a.body, "trace_id") {
		t.Errorf("got %s, want no trace", a.body)
	}
	b.parsed(t, "asha", "cdsl")
	if h := next(t, got).header.Get("traceparent"); h != "" {
		t.Errorf("a webhook had the trace %q", h)
	}
	if strings.Contains(b.log.String(), "trace_id") {
		t.Errorf("the log has a trace:\n%s", b.log)
	}
}

// TestACollectorThatFailsDelaysNoRequest makes calls while the collector hangs, refuses, or is away.
func TestACollectorThatFailsDelaysNoRequest(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]http.HandlerFunc{
		"hangs":   func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"refuses": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) },
		"redirects": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/x")
			w.WriteHeader(http.StatusFound)
		},
		"is busy": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "9")
			w.WriteHeader(http.StatusServiceUnavailable)
		},
		"takes no one": nil, // nothing listens
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			settings, _ := settingsFor(t, secret.URL(storetest.SQLite(t)), "memory")
			to := startCollector(t, &settings)
			to.answer = answer
			if answer == nil {
				settings.Tracing.Endpoint = "http://127.0.0.1:1"
			}
			settings.Server.DrainTimeout = time.Second
			settings.RateLimit.Token = config.Limits{}
			b := start(t, settings)
			for range 300 { // more than 512 spans, which are posted at once
				b.token(t, "asha")
			}
			began := time.Now()
			if err := b.stop(); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("the end took %v, want no more than drain_timeout for the collector", took)
			}
			if n := strings.Count(b.log.String(), "traces cannot be sent"); n != 1 {
				t.Errorf("the log says %d times that traces cannot be sent, want 1:\n%s", n, b.log)
			}
		})
	}
}

func TestSpansAreCounted(t *testing.T) {
	t.Parallel()
	settings, _ := settingsFor(t, secret.URL(storetest.SQLite(t)), "memory")
	startCollector(t, &settings)
	settings.Server.MetricsAddress = freeAddress(t)
	b := start(t, settings)
	b.token(t, "asha")
	within(t, 20*time.Second, "spans are counted", func() bool {
		return strings.Contains(scrape(t, settings.Server.MetricsAddress), `casbroker_trace_spans_total{result="sent"}`)
	})
}
