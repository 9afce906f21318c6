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

	"casbroker/internal/secret"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestGoldenFiles parses each testdata/*.vendor.json and compares the result with its
// *.statement.json.
func TestGoldenFiles(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.vendor.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("got %d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			golden := strings.Replace(file, ".vendor.", ".statement.", 1)
			got := parsed(t, readFile(t, file))
			if *update {
				if err := os.WriteFile(golden, got, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if want := readFile(t, golden); !bytes.Equal(got, want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// today is later than the period of every sample.
var today = time.Date(2026, 4, 15, 12, 0, 0, 0, time.UTC)

// parsed returns the result of Parse as JSON.
func parsed(t *testing.T, payload []byte) []byte {
	t.Helper()
	st, err := Parse(payload, today)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(st, json.Deterministic(true), jsontext.WithIndent("  "),
		json.WithMarshalers(json.MarshalFunc(func(t secret.Text) ([]byte, error) { return json.Marshal(t.Reveal()) })))
	if err != nil {
		t.Fatal(err)
	}
	return append(b, '\n')
}

func readFile(t *testing.T, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(file) //nolint:gosec // a file of the tests
	if err != nil {
		t.Fatal(err)
	}
	return b
}
