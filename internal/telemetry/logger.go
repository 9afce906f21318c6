// Package telemetry is how the broker tells its operators what it does: a slog
// logger that hides secrets and personal data in whatever it is given, the ids
// that tie the records of one request together, and the Prometheus metrics. What
// is worth telling is decided by those who use it.
package telemetry

import (
	"context"
	"io"
	"log/slog"

	"casbroker/internal/secret"
)

// FormatText is the value of LogOptions.Format for logs that people read.
const FormatText = "text"

const requestIDAttr = "request_id"

// LogOptions says how to log.
type LogOptions struct {
	Format  string        // FormatText; anything else is JSON, one object a line
	Level   slog.Leveler  // the least level that is logged; nil means info
	Secrets []secret.Text // hidden wherever they appear; those under 6 bytes are not searched for
}

// NewLogger returns a logger that writes to w and hides:
//
//   - values under the keys of credentials and personal data (password, api_key,
//     access_token, pan …, in any case, in groups, maps and structs);
//   - in every text, messages and errors included: o.Secrets, access tokens, JWTs,
//     PANs, account and phone numbers, the names in e-mail addresses and the users
//     and passwords in URLs.
//
// Records logged with a context that has a request id bear it as request_id; on a
// logger made by WithGroup it stands in that group. The logger is safe for
// concurrent use.
func NewLogger(w io.Writer, o LogOptions) *slog.Logger {
	plain := &slog.HandlerOptions{Level: o.Level}
	var next slog.Handler = slog.NewJSONHandler(w, plain)
	if o.Format == FormatText {
		next = slog.NewTextHandler(w, plain)
	}
	return slog.New(&handler{next: next, scrub: newScrubber(o.Secrets)})
}

// handler hides in records what must not be shown and hands them on.
type handler struct {
	next  slog.Handler
	scrub *scrubber
	hasID bool // With has set the request id already
}

// Enabled asks the handler that writes.
func (h *handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

// Handle hands r on, as it is when there is nothing to hide in it.
func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	var room [16]slog.Attr // on the stack: enough for an access log line
	attrs := room[:0]
	message := h.scrub.text(r.Message)
	dirty, hasID := message != r.Message, h.hasID
	r.Attrs(func(a slog.Attr) bool {
		clean, changed := h.scrub.attr(a)
		attrs = append(attrs, clean)
		dirty = dirty || changed
		hasID = hasID || a.Key == requestIDAttr
		return true
	})
	if id := RequestID(ctx); id != "" && !hasID {
		attrs, dirty = append(attrs, slog.String(requestIDAttr, id)), true
	}
	if dirty {
		r = slog.NewRecord(r.Time, r.Level, message, r.PC)
		r.AddAttrs(attrs...)
	}
	return h.next.Handle(ctx, r)
}

// WithAttrs hides in attrs once, for all records to come.
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := *h
	clean := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		clean[i], _ = h.scrub.attr(a)
		c.hasID = c.hasID || a.Key == requestIDAttr
	}
	c.next = h.next.WithAttrs(clean)
	return &c
}

// WithGroup opens a group in the handler that writes.
func (h *handler) WithGroup(name string) slog.Handler {
	c := *h
	c.next = h.next.WithGroup(name)
	return &c
}
