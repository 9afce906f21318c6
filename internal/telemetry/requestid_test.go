package telemetry_test

import (
	"strings"
	"testing"

	"casbroker/internal/telemetry"
)

func TestNewRequestIDsAreValidAndDiffer(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 1000 {
		id := telemetry.NewRequestID()
		if !telemetry.ValidRequestID(id) || len(id) != len("req_")+26 {
			t.Fatalf("got %q, want req_ and 26 characters", id)
		}
		if seen[id] {
			t.Fatalf("got %q twice", id)
		}
		seen[id] = true
	}
}

func TestValidRequestIDs(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]bool{
		"req_a":                          true,
		"req_" + strings.Repeat("9", 64): true,
		"req_" + strings.Repeat("9", 65): false,
		"req_":                           false,
		"":                               false,
		"REQ_abc":                        false,
		"req-abc":                        false,
		"req_a_b":                        false,
		"req_a b":                        false,
		"req_a\r\nX-Injected: 1":         false,
		"req_ä":                          false,
	} {
		if got := telemetry.ValidRequestID(id); got != want {
			t.Errorf("ValidRequestID(%q): got %v, want %v", id, got, !got)
		}
	}
}

func TestContextWithoutRequestIDHasNone(t *testing.T) {
	t.Parallel()
	if got := telemetry.RequestID(t.Context()); got != "" {
		t.Errorf("got %q, want none", got)
	}
	ctx := telemetry.WithRequestID(t.Context(), "req_abc")
	if got := telemetry.RequestID(ctx); got != "req_abc" {
		t.Errorf("got %q, want none", got)
	}
}

func BenchmarkNewRequestID(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		telemetry.NewRequestID()
	}
}
