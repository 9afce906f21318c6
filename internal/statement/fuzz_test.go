package statement

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"casbroker/internal/fault"
)

// FuzzParse parses any bytes. Parse returns one of three faults, or a statement whose
// numbers add up and whose findings point to existing values.
func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/*.vendor.json", "../sandbox/statements/*.json"} {
		files, _ := filepath.Glob(pattern)
		for _, file := range files {
			if seed, err := os.ReadFile(file); err == nil { //nolint:gosec // a file of the tests
				f.Add(seed)
			}
		}
	}
	for _, seed := range []string{
		``, `null`, `[]`, `{`, `{"data":{}}`, `{"raw_response":{"data":null}}`, `{"status":"closed"}`, `{"a":1,"a":2}`, "{\"a\":\"\xc3\x28\"}",
		`{"cas_type":"CDSL","nps":[{"funds":[{"additional_info":{"tier":1e-1}}]}]}`, `{"cas_type":"cams","nps":[],"x\u0000":"\ud800"}`,
		`{"cas_type":"CDSL","nps":[{"value":1e29,"funds":[{"value":"-0","name":"\u00e9","nav":123456789012345678901234567890.5}]}]}`,
		`{"cas_type":"NSDL","insurance":[{"policy_name":"\ufeff","transactions":[{"units":1,"balance":5},{"units":-1,"balance":"4"}]}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		st, err := Parse(payload, today)
		if err != nil {
			if !errors.Is(err, errJSON) && !errors.Is(err, errLimit) && !errors.Is(err, errStatement) {
				t.Fatalf("got %v, want invalid_json, payload_limit or not_a_statement", err)
			}
			if got := findingsOf(err); len(got) > maxFindings {
				t.Errorf("got %d faults, want %d at most", len(got), maxFindings)
			}
			return
		}
		checkStatement(t, payload, st)
		for _, list := range [][]fault.Field{st.Warnings[:min(len(st.Warnings), 5)], st.Rejected[:min(len(st.Rejected), 5)]} {
			for _, w := range list {
				checkFinding(t, payload, w)
			}
		}
	})
}

// FuzzPointer looks up the pointer of each value of any JSON text with another decoder.
func FuzzPointer(f *testing.F) {
	for _, seed := range []string{
		`{"":{"/":[{"~":1},{"~1":2}]}}`, `[[],[[]],{"a":{"b":[0]}}]`, `{"\u002f":1,"é":{"\ud83d\ude00":[1,2]}}`, `{"00":[[0]],"0":{"-1":1}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		doc, err := parseDocument(payload)
		if err != nil || len(doc.nodes) > 500 {
			return
		}
		whole := decoded(t, payload)
		seen := map[string]bool{}
		for at := range doc.nodes {
			v := value{doc, uint32(at)}
			pointer := v.pointer()
			if len(pointer) > maxPointer-4 { // it may be cut
				continue
			}
			other, ok := resolve(whole, pointer)
			if !ok || seen[pointer] || kindOf(other) != byte(v.kind()) {
				t.Errorf("%q: got %v, want %s", pointer, other, kindName(v.kind()))
			}
			seen[pointer] = true
		}
	})
}

// kindOf returns the kind of a value that encoding/json decoded.
func kindOf(v any) byte {
	switch v := v.(type) {
	case map[string]any:
		return '{'
	case []any:
		return '['
	case string:
		return '"'
	case bool:
		if v {
			return 't'
		}
		return 'f'
	case nil:
		return 'n'
	default:
		return '0'
	}
}
