package tracing

import (
	"strings"
	"testing"
)

func TestOnlyValidTraceparentsAreRead(t *testing.T) {
	t.Parallel()
	const trace, span = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	for text, want := range map[string]struct{ ok, sampled bool }{
		"00-" + trace + "-" + span + "-01":                    {true, true},
		"00-" + trace + "-" + span + "-00":                    {true, false},
		"00-" + trace + "-" + span + "-03":                    {true, true},
		"01-" + trace + "-" + span + "-01":                    {true, true},
		"01-" + trace + "-" + span + "-01-more":               {true, true},
		"01-" + trace + "-" + span + "-01more":                {},
		"00-" + trace + "-" + span + "-01-more":               {},
		"ff-" + trace + "-" + span + "-01":                    {},
		"":                                                    {},
		"00":                                                  {},
		trace:                                                 {},
		"00-" + trace + "-" + span + "-1":                     {},
		"00-" + trace + "-" + span + "-0g":                    {},
		"00-" + trace + "_" + span + "-01":                    {},
		"0x-" + trace + "-" + span + "-01":                    {},
		"00-" + strings.ToUpper(trace) + "-" + span + "-01":   {},
		"00-" + strings.Repeat("0", 32) + "-" + span + "-01":  {},
		"00-" + trace + "-" + strings.Repeat("0", 16) + "-01": {},
		" 00-" + trace + "-" + span + "-01":                   {},
		"00-" + trace + "-" + span + "-01 ":                   {},
		"00-" + trace[:31] + "é" + "-" + span + "-01":         {},
	} {
		got, ok := parseTraceparent(text)
		if ok != want.ok || got.sampled != want.sampled {
			t.Errorf("%q: got %v, sampled %v; want %v, %v", text, ok, got.sampled, want.ok, want.sampled)
		}
		if !ok && got != (remote{}) {
			t.Errorf("%q: got ids of a header that is not valid", text)
		}
	}
}

func FuzzParseTraceparent(f *testing.F) {
	f.Add("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	f.Add("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more")
	f.Fuzz(func(t *testing.T, text string) {
		r, ok := parseTraceparent(text)
		if ok && (r.trace == traceID{} || r.span == spanID{} || len(text) < 55) {
			t.Errorf("%q is valid with the ids %x and %x", text, r.trace, r.span)
		}
	})
}
