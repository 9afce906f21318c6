package store

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func noLinks(string, string) error { return &os.LinkError{Op: "link", Err: syscall.EPERM} }

func TestEachReplacementKeepsTheDatabaseBefore(t *testing.T) {
	t.Parallel()
	for name, link := range map[string]func(from, to string) error{"hard links": os.Link, "no hard links": noLinks} {
		folder := t.TempDir()
		path := filepath.Join(folder, "broker.db")
		for _, n := range []string{"1", "2", "3"} {
			writeText(t, path, n)
			before, err := keepBefore(link, path, ".before-now")
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			_ = os.Remove(path)
			wantText(t, before, n)
		}
		for suffix, n := range map[string]string{"": "1", "-2": "2", "-3": "3"} {
			wantText(t, path+".before-now"+suffix, n)
		}
	}
}

func TestTwoRestoresInOneSecondDoNotCollide(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	path, from := filepath.Join(folder, "broker.db"), filepath.Join(folder, "copy.db")
	writeText(t, path, "0")
	for _, n := range []string{"1", "2"} {
		writeText(t, from, n)
		before, err := Replace(from, path, ".before-now")
		if err != nil {
			t.Fatal(err)
		}
		wantText(t, path, n)
		wantText(t, before, string(n[0]-1))
	}
}

func TestReplacementThatFailsLeavesTheDatabaseInItsPlace(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	path := filepath.Join(folder, "broker.db")
	writeText(t, path, "0")
	if _, err := Replace(path+".missing", path, ".before-now"); err == nil {
		t.Error("a missing file has replaced the database")
	}
	wantText(t, path, "0")
	if list, _ := os.ReadDir(folder); len(list) != 1 {
		t.Errorf("got %v, want one file", list)
	}
}

func TestMoveReplacesNoFile(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	from, to := filepath.Join(folder, "from"), filepath.Join(folder, "to")
	writeText(t, from, "new")
	writeText(t, to, "old")
	if err := MoveNew(from, to); !os.IsExist(err) {
		t.Errorf("got %v, want that the name is taken", err)
	}
	wantText(t, to, "old")
	if err := MoveNew(from+".missing", to+"2"); err == nil {
		t.Error("a missing file was moved")
	}
	if _, err := os.Stat(to + "2"); err == nil {
		t.Error("a failed move leaves a file")
	}
	if err := MoveNew(from, to+"2"); err != nil {
		t.Error(err)
	}
	wantText(t, to+"2", "new")
}

func writeText(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func wantText(t *testing.T, path, want string) {
	t.Helper()
	if got, err := os.ReadFile(path); err != nil || string(got) != want { //nolint:gosec // a file of the test
		t.Errorf("got %q, %v in %s, want %q", got, err, path, want)
	}
}
