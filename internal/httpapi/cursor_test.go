package httpapi_test

import (
	"strings"
	"testing"
	"time"

	"casbroker/internal/httpapi"
)

// ours reports whether an id can occur in the list of these tests.
func ours(id string) bool { return strings.HasPrefix(id, "pf_") }

func TestCursorDecodesToItsPosition(t *testing.T) {
	t.Parallel()
	for _, position := range []string{"", "7", "app:a/b c?d=%2f&+", "app:😀", strings.Repeat("x", 289), "\x00\xff"} {
		text := httpapi.EncodeCursor(position)
		if strings.ContainsAny(text, "+/=%& ") {
			t.Errorf("%q needs escaping in a query", text)
		}
		if got, ok := httpapi.DecodeCursor(text); !ok || got != position {
			t.Errorf("cursor %q decodes to %q, %v", position, got, ok)
		}
	}
}

func TestTimeCursorKeepsMilliseconds(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 4, 1, 9, 30, 0, 123_456_789, time.UTC)
	got, id, ok := httpapi.DecodeTimeCursor(httpapi.EncodeTimeCursor(at, "pf_1"), ours)
	if !ok || id != "pf_1" || !got.Equal(at.Truncate(time.Millisecond)) {
		t.Errorf("got %s, %q, %v", got, id, ok)
	}
	if got, id, ok := httpapi.DecodeTimeCursor("", ours); !ok || id != "" || !got.IsZero() {
		t.Errorf("first page: %s, %q, %v", got, id, ok)
	}
}

func TestCursorsOfEarlierReleasesStayValid(t *testing.T) {
	t.Parallel()
	at, id, ok := httpapi.DecodeTimeCursor("MTc3NTAzNTgwMDAwMCBwZl8x", ours)
	if want := time.UnixMilli(1_775_035_800_000); !ok || id != "pf_1" || !at.Equal(want) {
		t.Errorf("got %s, %q, %v", at, id, ok)
	}
}

func TestForeignTextIsNotACursor(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"=", "a", "a b", "YQ==", "YR", "YQ\n", "\n", "ä"} {
		if position, ok := httpapi.DecodeCursor(text); ok {
			t.Errorf("%q decodes to %q", text, position)
		}
	}
	for _, position := range []string{"pf_1", "1", "1 ", " pf_1", "x pf_1", "1 gr_1", "99999999999999999999 pf_1"} {
		if _, id, ok := httpapi.DecodeTimeCursor(httpapi.EncodeCursor(position), ours); ok || id != "" {
			t.Errorf("%q decodes to %q", position, id)
		}
	}
}

func FuzzDecodeTimeCursor(f *testing.F) {
	f.Add("MTc3NTAzNTgwMDAwMCBwZl8x")
	f.Add("")
	f.Add("====")
	f.Fuzz(func(t *testing.T, text string) {
		at, id, ok := httpapi.DecodeTimeCursor(text, ours)
		if !ok || id == "" {
			return
		}
		if again, same, ok := httpapi.DecodeTimeCursor(httpapi.EncodeTimeCursor(at, id), ours); !ok || same != id || !again.Equal(at) {
			t.Errorf("%q decodes to %s, %q", text, at, id)
		}
	})
}
