// Package tracing records what a request spent its time on, as OpenTelemetry spans that are sent
// to a collector with OTLP over HTTP.
//
//	Tracer.Continue ─▶ span of the request, in the context
//	                     │
//	           Start ────┴─▶ spans below it: limiter, cache, vendor, SQL
//	                                    │ End
//	                                    ▼
//	                      queue (bounded) ─▶ one goroutine ─▶ POST /v1/traces
//
// Rules:
//
//   - A span has names and numbers that the broker's own code chose: patterns of routes, kinds of
//     statements, outcomes. It never has paths, ids, users, addresses, arguments, keys or tokens.
//   - Work that is stored and done later, such as the delivery of an event, is a trace of its own, with a link to
//     the span that has stored it.
//   - No request waits for the collector. Spans that find the queue full are dropped and counted.
//   - Without an open Tracer, Start reads one atomic integer and does nothing else.
//   - All methods of a nil *Tracer and a nil *Span may be called and do nothing.
//
// Spans and their sending are written here, and only the messages of OTLP come from a library
// (go.opentelemetry.io/proto/otlp), for the size of the program: with that it grows by 0.2 MB, with the
// OpenTelemetry SDK by 0.8 MB and nine modules, and with its exporter for HTTP, which
// contains gRPC, by 8.2 MB. The SDK would also read settings from OTEL_* variables, which no check of
// settings would see.
package tracing
