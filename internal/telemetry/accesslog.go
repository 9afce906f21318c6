package telemetry

import (
	"context"
	"io"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// accessMessage is the message of the log lines of requests.
const accessMessage = "request"

// Access is what the log has of a request.
type Access struct {
	RequestID, Method, Route string

	Status  int
	At      time.Time // of the end
	Took    time.Duration
	Bytes   int64 // of the answer's body
	Address string
	Subject string // "" for none
	Actor   string // "" for none
	Err     error  // nil for none
	TraceID string // "" for none
}

// LogAccess logs that a request was answered. A line of level info may be written some
// milliseconds later, with others, if log is one of NewLogger for a LineWriter.
func LogAccess(ctx context.Context, log *slog.Logger, level slog.Level, a Access) {
	if !log.Enabled(ctx, level) {
		return
	}
	if h, ok := log.Handler().(*handler); ok && h.lines != nil && level == slog.LevelInfo {
		h.logAccess(a)
		return
	}
	attrs := append(make([]slog.Attr, 0, 12),
		slog.String(requestIDAttr, a.RequestID), // the logger would add it otherwise, at the cost of an allocation
		slog.String("method", a.Method), slog.String("route", a.Route), slog.Int("status", a.Status),
		slog.Int64("took_us", a.Took.Microseconds()), slog.Int64("bytes", a.Bytes), slog.String("address", a.Address))
	if a.Subject != "" {
		attrs = append(attrs, slog.String("subject", a.Subject))
	}
	if a.Actor != "" {
		attrs = append(attrs, slog.String("actor", a.Actor))
	}
	if a.Err != nil {
		attrs = append(attrs, slog.String("error", a.Err.Error()))
	}
	if a.TraceID != "" {
		attrs = append(attrs, slog.String(traceIDAttr, a.TraceID))
	}
	log.LogAttrs(ctx, level, accessMessage, attrs...)
}

var accessLines = sync.Pool{New: func() any { return new(make([]byte, 0, 512)) }}

// logAccess writes the line that slog would write in JSON, field by field: it is written for
// each request, and takes slog several times as long.
func (h *handler) logAccess(a Access) {
	buf := accessLines.Get().(*[]byte) //nolint:errcheck // the pool holds nothing else
	s := h.scrub.current.Load()
	b := (*buf)[:0]
	b = append(b, `{"time":"`...)
	b = a.At.AppendFormat(b, time.RFC3339Nano)
	b = append(b, `","level":"INFO","msg":"`+accessMessage+`"`...)
	b = s.appendText(b, `,"`+requestIDAttr+`":`, a.RequestID)
	b = s.appendText(b, `,"method":`, a.Method)
	b = s.appendText(b, `,"route":`, a.Route)
	b = strconv.AppendInt(append(b, `,"status":`...), int64(a.Status), 10)
	b = strconv.AppendInt(append(b, `,"took_us":`...), a.Took.Microseconds(), 10)
	b = strconv.AppendInt(append(b, `,"bytes":`...), a.Bytes, 10)
	b = s.appendText(b, `,"address":`, a.Address)
	if a.Subject != "" {
		b = s.appendText(b, `,"subject":`, a.Subject)
	}
	if a.Actor != "" {
		b = s.appendText(b, `,"actor":`, a.Actor)
	}
	if a.Err != nil {
		b = s.appendText(b, `,"error":`, a.Err.Error())
	}
	if a.TraceID != "" {
		b = s.appendText(b, `,"`+traceIDAttr+`":`, a.TraceID)
	}
	b = append(b, "}\n"...)
	h.lines.WriteLater(b)
	*buf = b
	accessLines.Put(buf)
}

// appendText appends a member of a JSON object: name, which has the punctuation around it,
// and text without secrets and personal data.
func (s *scrubber) appendText(b []byte, name, text string) []byte {
	b, _ = jsontext.AppendQuote(append(b, name...), s.text(text)) // an error means that it replaced invalid UTF-8
	return b
}

// lineOutput takes the lines of a log.
type lineOutput interface {
	io.Writer
	WriteLater(line []byte)
}

// lockedWriter is the lineOutput of writers that are not a LineWriter.
type lockedWriter struct {
	mu sync.Mutex
	to io.Writer
}

// Write writes line.
func (w *lockedWriter) Write(line []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.to.Write(line)
}

// WriteLater writes line.
func (w *lockedWriter) WriteLater(line []byte) { _, _ = w.Write(line) }
