package app_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"casbroker/internal/app"
	"casbroker/internal/audit"
	"casbroker/internal/secret"
)

func TestAnchorsShowThatAnOlderDatabaseWasPutBack(t *testing.T) {
	t.Parallel()
	posted := make(chan string, 10)
	archive := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		posted <- string(text)
	}))
	t.Cleanup(archive.Close)
	file := string(tempFile(t))
	settings, _ := settingsFor(t, secret.URL("sqlite:"+file), "memory")
	settings.Audit.Anchor.File, settings.Audit.Anchor.URL = filepath.Join(t.TempDir(), "anchors"), archive.URL
	run := func() *broker {
		b := start(t, settings)
		b.token(t, "asha")
		if err := b.stop(); err != nil {
			t.Fatal(err)
		}
		return b
	}
	run()
	old, err := os.ReadFile(file) //nolint:gosec // a file of this test
	if err != nil {
		t.Fatal(err)
	}
	log := run().log.String()
	anchors, err := os.ReadFile(settings.Audit.Anchor.File)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(string(anchors), "anchor1."); got != 4 || len(posted) != 4 { // at each start and each stop
		t.Errorf("got %d anchors in the file and %d posted, want 4 each", got, len(posted))
	}
	if err := os.WriteFile(file, old, 0o600); err != nil { //nolint:gosec // a file of this test
		t.Fatal(err)
	}
	trail, err := app.OpenTrail(t.Context(), settings, app.Options{LogTo: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = trail.Close() }()
	for from, text := range map[string]string{"file": string(anchors), "log": log} {
		list, err := audit.Anchors(trail.Box, []byte(text))
		if err != nil {
			t.Fatalf("%s: %v", from, err)
		}
		alone, err := trail.Verify(t.Context(), func(audit.Break) {})
		if err != nil || alone.Broken != 0 {
			t.Errorf("%s: without anchors got %+v %v, want it whole", from, alone, err)
		}
		report, err := trail.Verify(t.Context(), func(b audit.Break) { t.Log(b) }, list...)
		if err != nil || report.Broken == 0 {
			t.Errorf("%s: got %+v %v, want the gap", from, report, err)
		}
	}
}
