package telemetry

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
)

// placeholderValue replaces a value whose key says that it must be hidden.
const placeholderValue = "[redacted]"

// attr returns a with secrets and personal data hidden, and whether that changed a.
func (s *scrubber) attr(a slog.Attr) (slog.Attr, bool) {
	if hiddenKey(a.Key) {
		if a.Value = a.Value.Resolve(); isPresence(a.Value) {
			return a, true
		}
		return slog.String(a.Key, placeholderValue), true
	}
	v, changed := s.value(a.Value)
	return slog.Attr{Key: a.Key, Value: v}, changed
}

// isPresence reports whether v shows only whether a hidden value exists: a bool, "" or nil.
func isPresence(v slog.Value) bool {
	switch v.Kind() {
	case slog.KindBool:
		return true
	case slog.KindString:
		return v.String() == ""
	case slog.KindAny:
		return v.Any() == nil
	default:
		return false
	}
}

// value returns v with secrets and personal data hidden, and whether that changed v.
func (s *scrubber) value(v slog.Value) (slog.Value, bool) {
	switch v.Kind() {
	case slog.KindString:
		in := v.String()
		out := s.text(in)
		if out == in {
			return v, false
		}
		return slog.StringValue(out), true
	case slog.KindGroup:
		return s.group(v)
	case slog.KindLogValuer:
		resolved, _ := s.value(v.Resolve())
		return resolved, true
	case slog.KindAny:
		if v.Any() == nil {
			return v, false
		}
		return s.any(v.Any()), true
	default: // numbers, times and durations contain nothing to hide
		return v, false
	}
}

// group scrubs each attribute of a group.
func (s *scrubber) group(v slog.Value) (slog.Value, bool) {
	attrs := v.Group()
	var out []slog.Attr // nil until something is hidden
	for i, a := range attrs {
		b, changed := s.attr(a)
		if changed && out == nil {
			out = append(make([]slog.Attr, 0, len(attrs)), attrs[:i]...)
		}
		if out != nil {
			out = append(out, b)
		}
	}
	if out == nil {
		return v, false
	}
	return slog.GroupValue(out...), true
}

// any returns a value of any type as JSON, scrubbed by key and by pattern. Raw bytes, which
// may be payloads or ciphertext, are only counted.
func (s *scrubber) any(x any) (v slog.Value) {
	defer func() {
		if recover() != nil { // a method of x panicked, for instance on a nil pointer
			v = unloggable(x)
		}
	}()
	switch x := x.(type) {
	case error:
		return slog.StringValue(s.text(x.Error()))
	case []byte:
		return slog.StringValue(fmt.Sprintf("[%d bytes]", len(x)))
	}
	return s.json(x)
}

// json returns the scrubbed JSON form of x.
func (s *scrubber) json(x any) slog.Value {
	doc, err := json.Marshal(x)
	if err != nil {
		return unloggable(x)
	}
	var tree any
	d := json.NewDecoder(bytes.NewReader(doc))
	d.UseNumber()
	if err := d.Decode(&tree); err != nil {
		return unloggable(x)
	}
	tree = s.tree(tree)
	if text, ok := tree.(string); ok {
		return slog.StringValue(text)
	}
	clean, err := json.Marshal(tree)
	if err != nil {
		return unloggable(x)
	}
	return slog.AnyValue(json.RawMessage(clean))
}

// tree scrubs a value that a JSON decoder returned.
func (s *scrubber) tree(x any) any {
	switch x := x.(type) {
	case string:
		return s.text(x)
	case []any:
		for i := range x {
			x[i] = s.tree(x[i])
		}
		return x
	case map[string]any:
		out := make(map[string]any, len(x))
		for key, v := range x {
			if hiddenKey(key) && !isPresence(slog.AnyValue(v)) {
				v = placeholderValue
			}
			out[s.text(key)] = s.tree(v)
		}
		return out
	default:
		return x
	}
}

// unloggable returns the text for a value that has no JSON form.
func unloggable(x any) slog.Value {
	return slog.StringValue(fmt.Sprintf("[unloggable %T]", x))
}
