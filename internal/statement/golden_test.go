package statement

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestEachShapeBecomesTheHoldingsOwedForIt reads each testdata/*.vendor.json and
// compares with *.statement.json what is owed for it.
func TestEachShapeBecomesTheHoldingsOwedForIt(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.vendor.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			golden := strings.Replace(file, ".vendor.", ".statement.", 1)
			got := shown(t, read(t, file))
			if *update {
				if err := os.WriteFile(golden, got, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if want := read(t, golden); !bytes.Equal(got, want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// today is after the period of every sample.
var today = time.Date(2026, 4, 15, 12, 0, 0, 0, time.UTC)

// shown is what payload is read as.
func shown(t *testing.T, payload []byte) []byte {
	t.Helper()
	st, err := Parse(payload, today)
	if err != nil {
		t.Fatal(err)
	}
	plain := struct {
		*Statement
		PAN string // in full, which it never is elsewhere
	}{st, string(st.PAN)}
	b, err := json.Marshal(plain, json.Deterministic(true), jsontext.WithIndent("  "))
	if err != nil {
		t.Fatal(err)
	}
	return append(b, '\n')
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(file) //nolint:gosec // named by the test
	if err != nil {
		t.Fatal(err)
	}
	return b
}
