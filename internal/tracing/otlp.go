package tracing

import (
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// newResource says which program the spans are of.
func newResource(o Options) *resourcepb.Resource {
	return &resourcepb.Resource{Attributes: keyValues([]attribute{
		{key: "service.name", text: "casbroker"}, {key: "service.version", text: o.Version}, {key: "service.instance.id", text: o.Instance},
	})}
}

// encode returns spans as the body of a post. TracesData has the form of
// ExportTraceServiceRequest, whose package needs gRPC.
func encode(resource *resourcepb.Resource, spans []*Span) ([]byte, error) {
	list := make([]*tracepb.Span, len(spans))
	for i, s := range spans {
		list[i] = s.message()
	}
	return proto.Marshal(&tracepb.TracesData{ResourceSpans: []*tracepb.ResourceSpans{{
		Resource:   resource,
		ScopeSpans: []*tracepb.ScopeSpans{{Scope: &commonpb.InstrumentationScope{Name: "casbroker"}, Spans: list}},
	}}})
}

// message returns the span in the form of OTLP.
func (s *Span) message() *tracepb.Span {
	flags := uint32(tracepb.SpanFlags_SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK)
	if s.kind == Server {
		flags |= uint32(tracepb.SpanFlags_SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK)
	}
	m := &tracepb.Span{
		TraceId: s.trace[:], SpanId: s.id[:], Name: s.name, Kind: tracepb.Span_SpanKind(s.kind), Flags: flags | 1,
		StartTimeUnixNano: uint64(s.start.UnixNano()),
		EndTimeUnixNano:   uint64(s.start.UnixNano() + s.end.Sub(s.start).Nanoseconds()), //nolint:gosec // after 1970
		Attributes:        keyValues(s.attributes),
	}
	if s.parent != (spanID{}) {
		m.ParentSpanId = s.parent[:]
	}
	for _, l := range s.links {
		m.Links = append(m.Links, &tracepb.Span_Link{TraceId: l.trace[:], SpanId: l.span[:], Flags: linkFlags(l)})
	}
	if s.failed {
		m.Status = &tracepb.Status{Code: tracepb.Status_STATUS_CODE_ERROR}
	}
	return m
}

// linkFlags returns the flags of a link to l, which another process may have had.
func linkFlags(l remote) uint32 {
	flags := uint32(tracepb.SpanFlags_SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK | tracepb.SpanFlags_SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK)
	if l.sampled {
		flags |= 1
	}
	return flags
}

func keyValues(list []attribute) []*commonpb.KeyValue {
	out := make([]*commonpb.KeyValue, len(list))
	for i, a := range list {
		v := &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: a.text}}
		if a.text == "" {
			v.Value = &commonpb.AnyValue_IntValue{IntValue: a.number}
		}
		out[i] = &commonpb.KeyValue{Key: a.key, Value: v}
	}
	return out
}

// rejectedSpans returns the number in an ExportTraceServiceResponse of spans that were not
// taken: field 1 of its field 1; 0 if body has another form.
func rejectedSpans(body []byte) int {
	partial, _ := field(body, protowire.BytesType)
	_, n := field(partial, protowire.VarintType)
	return int(min(n, maxBatch))
}

// field returns the value of the first field 1 in a message, if it has the type.
func field(message []byte, want protowire.Type) (value []byte, number uint64) {
	for len(message) > 0 {
		id, typ, n := protowire.ConsumeTag(message)
		if n < 0 {
			return nil, 0
		}
		message = message[n:]
		size := protowire.ConsumeFieldValue(id, typ, message)
		switch {
		case size < 0:
			return nil, 0
		case id == 1 && typ == want && want == protowire.BytesType:
			value, _ = protowire.ConsumeBytes(message)
			return value, 0
		case id == 1 && typ == want:
			number, _ = protowire.ConsumeVarint(message)
			return nil, number
		}
		message = message[size:]
	}
	return nil, 0
}
