// Package telemetry has what operators see of the broker: a slog logger that hides secrets
// and personal data, request ids, and the Prometheus metrics.
package telemetry

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"

	"casbroker/internal/secret"
	"casbroker/internal/tracing"
)

// FormatText is the value of LogOptions.Format for logs read by people.
const FormatText = "text"

const (
	requestIDAttr = "request_id"
	traceIDAttr   = "trace_id"
)

// LogOptions configures a logger.
type LogOptions struct {
	Format  string        // FormatText; anything else is JSON, one object per line
	Level   slog.Leveler  // the lowest level that is logged; nil means info
	Secrets []secret.Text // hidden wherever they appear, if they have 6 bytes or more
}

// NewLogger returns a logger that writes to w and hides:
//
//   - values under the keys of credentials and personal data (password, api_key,
//     access_token, pan …, in any case, in groups, maps and structs);
//   - in every text, messages and errors included: o.Secrets, access tokens, JWTs,
//     PANs, account and phone numbers, the names in e-mail addresses and the users
//     and passwords in URLs.
//
// A record logged with a context that has a request id or belongs to a trace gets them as
// request_id and trace_id, inside the current group if there is one. The logger is safe for concurrent use.
func NewLogger(w io.Writer, o LogOptions) *slog.Logger {
	lines, ok := w.(lineOutput)
	if !ok {
		lines = &lockedWriter{to: w}
	}
	plain := &slog.HandlerOptions{Level: o.Level}
	h := &handler{scrub: &scrubbers{secrets: o.Secrets}}
	h.scrub.current.Store(newScrubber(o.Secrets))
	if o.Format == FormatText {
		h.next = slog.NewTextHandler(lines, plain)
	} else {
		h.next, h.lines = slog.NewJSONHandler(lines, plain), lines
	}
	return slog.New(h)
}

// HideSecret makes log, which NewLogger has returned, hide one more secret.
func HideSecret(log *slog.Logger, s secret.Text) {
	if h, ok := log.Handler().(*handler); ok {
		h.scrub.add(s)
	}
}

// scrubbers has the scrubber in use, which all loggers that derive from one share.
type scrubbers struct {
	mu      sync.Mutex
	secrets []secret.Text
	current atomic.Pointer[scrubber]
}

// add adds a secret.
func (s *scrubbers) add(more secret.Text) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.secrets = append(slices.Clip(s.secrets), more)
	s.current.Store(newScrubber(s.secrets))
}

// handler removes secrets and personal data from records before next writes them.
type handler struct {
	next  slog.Handler
	scrub *scrubbers
	hasID bool       // WithAttrs has set the request id
	lines lineOutput // where next writes JSON; nil for text, and after WithAttrs and WithGroup
}

// Enabled implements slog.Handler.
func (h *handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

// Handle passes r to the next handler, unchanged if it contains nothing to hide.
func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	var buf [16]slog.Attr // on the stack: enough for an access log line
	attrs := buf[:0]
	scrub := h.scrub.current.Load()
	message := scrub.text(r.Message)
	dirty, hasID, hasTrace := message != r.Message, h.hasID, false
	r.Attrs(func(a slog.Attr) bool {
		clean, changed := scrub.attr(a)
		attrs = append(attrs, clean)
		dirty = dirty || changed
		hasID, hasTrace = hasID || a.Key == requestIDAttr, hasTrace || a.Key == traceIDAttr
		return true
	})
	if id := RequestID(ctx); id != "" && !hasID {
		attrs, dirty = append(attrs, slog.String(requestIDAttr, id)), true
	}
	if id := tracing.TraceID(ctx); id != "" && !hasTrace {
		attrs, dirty = append(attrs, slog.String(traceIDAttr, id)), true
	}
	if dirty {
		r = slog.NewRecord(r.Time, r.Level, message, r.PC)
		r.AddAttrs(attrs...)
	}
	return h.next.Handle(ctx, r)
}

// WithAttrs implements slog.Handler; attrs are scrubbed once.
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := *h
	c.lines = nil
	clean := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		clean[i], _ = h.scrub.current.Load().attr(a)
		c.hasID = c.hasID || a.Key == requestIDAttr
	}
	c.next = h.next.WithAttrs(clean)
	return &c
}

// WithGroup implements slog.Handler.
func (h *handler) WithGroup(name string) slog.Handler {
	c := *h
	c.lines = nil
	c.next = h.next.WithGroup(name)
	return &c
}
