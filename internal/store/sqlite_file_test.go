package store_test

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"strings"
	"testing"

	"casbroker/internal/secret"
	"casbroker/internal/store"
	"casbroker/internal/testkit/storetest"
)

func TestNothingIsChangedInAFileThatWasReplacedOrRemoved(t *testing.T) {
	t.Parallel()
	url, box := storetest.SQLite(t), storetest.NewBox(t)
	path := strings.TrimPrefix(url, "sqlite:")
	var log bytes.Buffer
	db, err := store.Open(store.Options{URL: secret.URL(url), Box: box, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	check := func(state string, want error) {
		t.Helper()
		if err := db.Ready(t.Context()); !errors.Is(err, want) {
			t.Errorf("%s: Ready() = %v, want %v", state, err, want)
		}
		if err := blockUser(t.Context(), db, "app:"+strings.Fields(state)[0]); !errors.Is(err, want) {
			t.Errorf("%s: a change got %v, want %v", state, err, want)
		}
	}
	check("untouched", nil)

	if err := os.Rename(path, path+".old"); err != nil {
		t.Fatal(err)
	}
	check("removed", store.ErrUnavailable)
	content, err := os.ReadFile(path + ".old") //nolint:gosec // a file of the test
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil { //nolint:gosec // as above
		t.Fatal(err)
	}
	check("replaced", store.ErrUnavailable)
	if got := log.String(); !strings.Contains(got, "level=ERROR") || strings.Count(got, "was replaced or removed while it is open") != 1 {
		t.Errorf("got the log %q, want one error that says what happened", got)
	}

	if err := os.Rename(path+".old", path); err != nil {
		t.Fatal(err)
	}
	check("restored", nil)
	if version, err := db.AccessVersion(t.Context()); version != 2 || err != nil {
		t.Errorf("got version %d, %v; want 2, the changes before and after", version, err)
	}
}
