package cli_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"casbroker/internal/cli"
)

// onFile returns an environment for the database file, with the keys of the demo in folder.
func onFile(t *testing.T, file, folder string) []string {
	t.Helper()
	environ := slices.DeleteFunc(good(t), func(line string) bool {
		return strings.HasPrefix(line, "CASBROKER_STORE_") || strings.HasPrefix(line, "CASBROKER_SEAL_")
	})
	return append(environ,
		"CASBROKER_STORE_URL=sqlite:"+file,
		"CASBROKER_SEAL_HASH_KEY_FILE="+filepath.Join(folder, "hash.key"),
		"CASBROKER_SEAL_KEYS_0_ID=demo", "CASBROKER_SEAL_KEYS_0_FILE="+filepath.Join(folder, "seal.key"))
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from) //nolint:gosec // a file of this test
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, to, text)
}

func writeFile(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil { //nolint:gosec // a file of this test
		t.Fatal(err)
	}
}

// fails runs a command that must fail with a message that has want.
func fails(t *testing.T, environ []string, want string, args ...string) {
	t.Helper()
	if code, out, errs := broker(t, environ, args...); code != cli.ExitFailed || !strings.Contains(errs, want) {
		t.Errorf("%v: got exit code %d, %s%s, want 1 and %q", args, code, out, errs, want)
	}
}

func succeeds(t *testing.T, environ []string, want string, args ...string) {
	t.Helper()
	if code, out, errs := broker(t, environ, args...); code != cli.ExitOK || !strings.Contains(out, want) {
		t.Errorf("%v: got exit code %d, %s%s, want 0 and %q", args, code, out, errs, want)
	}
}

// keepSaving saves statements until stop is called.
func keepSaving(t *testing.T, url string) (stop func()) {
	t.Helper()
	token := signIn(t, url)
	ended := make(chan bool)
	var all sync.WaitGroup
	for saver := range 4 {
		all.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-ended:
					return
				default:
				}
				ask(t, "POST", url+"/v1/portfolios", token, fmt.Sprintf(`{"meta":{"cas_type":"CDSL"},"investor":{"name":"Asha Verma"},"demat_accounts":[
					{"bo_id":"12%07d%07d","value":10,"holdings":{"equities":[{"isin":"INE000A01012","name":"Nowhere Ltd","units":1,"value":%d}]}}]}`, saver, n, n), nil)
			}
		})
	}
	return sync.OnceFunc(func() { close(ended); all.Wait() })
}

func TestBackupOfARunningBrokerIsRestored(t *testing.T) {
	t.Parallel()
	folder, other := filepath.Join(t.TempDir(), "demo"), t.TempDir()
	file, backup := filepath.Join(folder, "broker.db"), filepath.Join(other, "backup.db")
	url, stop := demo(t, folder)
	id := save(t, url)
	environ := onFile(t, file, folder)

	succeeds(t, environ, "6 encrypted values can be decrypted", "backup", backup)
	if info, err := os.Stat(backup); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v, want mode 0600", info.Mode(), err)
	}
	if list, _ := os.ReadDir(other); len(list) != 1 {
		t.Errorf("got %v, want one file", list)
	}
	fails(t, environ, "exists already", "backup", backup)
	succeeds(t, environ, "a backup was made now", "backup", "--record")
	for _, args := range [][]string{{"backup"}, {"backup", "--record", backup}} {
		if code, _, errs := broker(t, environ, args...); code != cli.ExitUsage || !strings.Contains(errs, "--record") {
			t.Errorf("%v: got exit code %d, %s, want 2 and advice", args, code, errs)
		}
	}
	fails(t, environ, "stop the broker first", "restore", backup)

	// The main file alone lacks what is in the other one.
	const want = "without the -wal file next to it: what was in that is missing; use broker backup"
	stopSaving := keepSaving(t, url)
	defer stopSaving()
	for n := range 20 {
		torn := filepath.Join(other, fmt.Sprint("torn", n, ".db"))
		copyFile(t, file, torn)
		for range 2 { // looking at it does not make it whole
			fails(t, onFile(t, torn, folder), want, "audit", "verify")
			fails(t, onFile(t, filepath.Join(other, "new.db"), folder), want, "restore", torn)
		}
	}
	stopSaving()
	torn := onFile(t, filepath.Join(other, "torn0.db"), folder)
	if _, out, _ := broker(t, torn, "doctor", "--json"); !strings.Contains(out, want) { // it opens the database
		t.Errorf("got %s, want %q", out, want)
	}
	fails(t, torn, want, "audit", "verify")
	succeeds(t, environ, "can be decrypted", "backup", filepath.Join(other, "loaded.db"))
	succeeds(t, onFile(t, filepath.Join(other, "loaded", "broker.db"), folder), "is restored", "restore", filepath.Join(other, "loaded.db"))
	small := filepath.Join(other, "small.db")
	text, _ := os.ReadFile(backup) //nolint:gosec // a file of this test
	writeFile(t, small, text[:4096])
	writeFile(t, small+"-wal", nil) // also with a file that only looks like the other part
	fails(t, onFile(t, filepath.Join(other, "new.db"), folder), "damaged", "restore", small)

	if code := stop(); code != cli.ExitOK {
		t.Fatalf("the broker ended with %d", code)
	}
	succeeds(t, environ, "are intact", "audit", "verify") // a stopped broker's file is whole
	keys := environ[:len(environ)-2]
	fails(t, append(slices.Clip(keys), "CASBROKER_SEAL_KEYS_0_ID=other", "CASBROKER_SEAL_KEYS_0_KEY="+nextKey), `"demo" (6)`, "restore", backup)
	damaged := filepath.Join(other, "damaged.db")
	text, _ = os.ReadFile(backup) //nolint:gosec // a file of this test
	writeFile(t, damaged, slices.Concat(text[:8192], make([]byte, 40960), text[49152:]))
	fails(t, environ, "damaged", "restore", damaged)
	if left, _ := filepath.Glob(file + ".before-*"); len(left) > 0 {
		t.Errorf("got %v although nothing was replaced", left)
	}

	writeFile(t, file, []byte("lost"))
	succeeds(t, environ, "6 encrypted values can be decrypted", "restore", backup)
	if left, _ := filepath.Glob(file + ".before-*"); len(left) != 1 {
		t.Errorf("got %v, want the database before", left)
	}
	url, stop = demo(t, folder)
	defer stop()
	var latest struct{ ID string }
	ask(t, "GET", url+"/v1/portfolios/latest", signIn(t, url), "", &latest)
	if latest.ID != id {
		t.Errorf("got %s, want the saved portfolio %s", latest.ID, id)
	}
}

func TestRestoreComparesTheCopyWithAnchors(t *testing.T) {
	t.Parallel()
	folder, other := filepath.Join(t.TempDir(), "demo"), t.TempDir()
	file, backup, anchors := filepath.Join(folder, "broker.db"), filepath.Join(other, "backup.db"), filepath.Join(other, "anchors")
	setting := "CASBROKER_AUDIT_ANCHOR_FILE=" + anchors
	_, stop := demo(t, folder, setting)
	stop()
	environ := onFile(t, file, folder)
	succeeds(t, environ, "is a whole copy", "backup", backup)
	succeeds(t, environ, "is restored", "restore", "--anchor", anchors, backup)
	url, stop := demo(t, folder, setting)
	save(t, url)
	stop()
	fails(t, environ, "incomplete or was changed", "restore", "--anchor", anchors, backup)
	if matches, _ := filepath.Glob(file + ".before-*"); len(matches) != 1 {
		t.Errorf("got %v, want only that of the first restore", matches)
	}
}

func TestBackupNeedsSQLite(t *testing.T) {
	t.Parallel()
	environ := append(good(t), "CASBROKER_STORE_URL=postgres://u:p@127.0.0.1:1/x")
	fails(t, environ, "pg_dump", "backup", filepath.Join(t.TempDir(), "x"))
	fails(t, environ, "pg_restore", "restore", os.Args[0])
}
