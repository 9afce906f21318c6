package store_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"casbroker/internal/access"
	"casbroker/internal/secret"
	"casbroker/internal/store"
	"casbroker/internal/testkit/services"
	"casbroker/internal/testkit/storetest"
)

// copyTo copies files of a database, with suffixes, to the path to, in another process: this one would drop
// its locks on the database when it closed the file.
func copyTo(t *testing.T, from, to string, suffixes ...string) {
	t.Helper()
	for _, suffix := range suffixes {
		if out, err := exec.CommandContext(t.Context(), "cp", from+suffix, to+suffix).CombinedOutput(); err != nil { //nolint:gosec // files of the test
			t.Fatalf("%v: %s", err, out)
		}
	}
}

// wantTorn checks what CheckTorn says about the file at path.
func wantTorn(t *testing.T, state, path string, want bool) {
	t.Helper()
	if err := store.CheckTorn(path); errors.Is(err, store.ErrTorn) != want {
		t.Errorf("%s: got %v, want torn: %v", state, err, want)
	}
}

// inPython starts a program that connects to the database at path as c; end has it go on after a
// line and waits until it has ended.
func inPython(t *testing.T, path, program string) (end func()) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), services.Python(t), "-c", "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], timeout=0.1)\n"+program, path) //nolint:gosec // a file of the test
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatalf("python printed %q, %v", line, err)
	}
	return func() {
		_ = in.Close()
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
}

const read = "print(c.execute('SELECT count(*) FROM blocks').fetchone(), flush=True); "

func TestCopiesUnderLoadAreNeverTakenAsWhole(t *testing.T) {
	t.Parallel()
	url, folder := storetest.SQLite(t), t.TempDir()
	path := strings.TrimPrefix(url, "sqlite:")
	db, err := store.Open(store.Options{URL: secret.URL(url), Box: storetest.NewBox(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	ctx, cancel := context.WithCancel(t.Context())
	var load sync.WaitGroup
	load.Go(func() { keepBlocking(ctx, db, func(int) {}) })
	for n := range 20 {
		if n%10 == 0 { // other programs move changes to the file, too
			inPython(t, path, "c.execute('PRAGMA wal_checkpoint(TRUNCATE)'); "+read)()
		}
		alone := filepath.Join(folder, fmt.Sprint("copy", n, ".db"))
		copyTo(t, path, alone, "")
		wantTorn(t, "a copy under load", alone, true)
	}
	cancel()
	load.Wait()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	wantTorn(t, "closed", path, false)
	whole := filepath.Join(folder, "whole.db")
	copyTo(t, path, whole, "")
	if err := store.CheckIntegrity(t.Context(), whole); err != nil {
		t.Error(err)
	}
}

// keepBlocking blocks users until ctx ends, and calls done with the number of each.
func keepBlocking(ctx context.Context, db *store.DB, done func(n int)) {
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for n := i; ctx.Err() == nil; n += 8 {
				if _, err := alter(ctx, db, access.Change{Kind: access.Block, Subject: fmt.Sprint("app:", n)}, time.Now()); err == nil {
					done(n)
				}
			}
		})
	}
	all.Wait()
}

// killedURL names the environment variable with which TestProcessThatIsKilled is another process.
const killedURL = "CASBROKER_TEST_KILLED"

// TestProcessThatIsKilled is no test: it is the process that TestKilledProcessLosesNothing kills.
func TestProcessThatIsKilled(t *testing.T) {
	at := os.Getenv(killedURL)
	if at == "" {
		return
	}
	var printing sync.Mutex
	keepBlocking(t.Context(), storetest.Open(t, at, sharedBox(t)), func(n int) {
		printing.Lock()
		defer printing.Unlock()
		_, _ = fmt.Fprintln(os.Stdout, "app:", n)
	})
}

func TestKilledProcessLosesNothing(t *testing.T) {
	t.Parallel()
	url, folder := storetest.SQLite(t), t.TempDir()
	path, alone, both := strings.TrimPrefix(url, "sqlite:"), filepath.Join(folder, "alone.db"), filepath.Join(folder, "both.db")
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestProcessThatIsKilled$") //nolint:gosec // this program
	cmd.Env = append(os.Environ(), killedURL+"="+url)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	made := 0
	for lines := bufio.NewScanner(out); lines.Scan(); { // until the pipe is empty after the end
		if made++; made == 300 {
			_ = cmd.Process.Kill()
		}
	}
	_ = cmd.Wait()
	if made < 300 {
		t.Fatalf("the process made %d changes and ended", made)
	}
	copyTo(t, path, alone, "")
	copyTo(t, path, both, "", "-wal")
	wantTorn(t, "the file alone", alone, true)
	for _, file := range []string{both, path} {
		wantTorn(t, "killed", file, false)
		db, err := store.Open(store.Options{URL: secret.URL("sqlite:" + file), Box: sharedBox(t)})
		if err != nil {
			t.Fatal(err)
		}
		if version, err := db.AccessVersion(t.Context()); err != nil || version < int64(made) {
			t.Errorf("got %d changes, %v, want %d or more", version, err, made)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(file + "-wal"); err == nil {
			t.Error("the -wal file is left")
		}
		wantTorn(t, "closed", file, false)
	}
}

// TestDatabaseThatAnotherProgramClosesLast is whole, but says the opposite: there is no safe way to
// tell it from a copy. The next broker mends that; commands that only look do not.
func TestDatabaseThatAnotherProgramClosesLast(t *testing.T) {
	t.Parallel()
	url, box := storetest.SQLite(t), storetest.NewBox(t)
	path := strings.TrimPrefix(url, "sqlite:")
	closed := func(change, accept bool, meanwhile func()) {
		t.Helper()
		db, err := store.Open(store.Options{URL: secret.URL(url), Box: box, AcceptTorn: accept})
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Ready(t.Context()); err != nil {
			t.Error(err)
		}
		if change {
			if err := blockUser(t.Context(), db, "app:asha"); err != nil {
				t.Error(err)
			}
		}
		meanwhile()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
	var end func()
	closed(true, false, func() { end = inPython(t, path, read+"sys.stdin.read(); c.close()") })
	end()
	wantTorn(t, "closed by another program", path, true)
	closed(false, false, func() {})
	wantTorn(t, "looked at", path, true)
	if err := store.CheckUnused(t.Context(), path); err != nil {
		t.Error(err)
	}
	wantTorn(t, "found unused", path, true)
	closed(false, true, func() {})
	wantTorn(t, "accepted", path, false)
}

// TestMarkIsThereWhileOthersRead has another program read an old state, which keeps changes out of the file.
func TestMarkIsThereWhileOthersRead(t *testing.T) {
	t.Parallel()
	url := storetest.SQLite(t)
	path, alone := strings.TrimPrefix(url, "sqlite:"), filepath.Join(t.TempDir(), "alone.db")
	wantTorn(t, "new", path, false)
	end := inPython(t, path, "c.execute('BEGIN'); "+read+"sys.stdin.read(); c.close()")
	db := storetest.Open(t, url, storetest.NewBox(t))
	if err := blockUser(t.Context(), db, "app:asha"); err != nil {
		t.Fatal(err)
	}
	copyTo(t, path, alone, "")
	wantTorn(t, "a copy", alone, true)
	end()
}
