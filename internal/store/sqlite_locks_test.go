package store_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"casbroker/internal/testkit/services"
	"casbroker/internal/testkit/storetest"
)

// TestNothingIsLostWhenAnotherProgramHasReadTheDatabase has the other program close the database. If
// this process held no locks then, SQLite would remove the -wal file with the newest changes.
func TestNothingIsLostWhenAnotherProgramHasReadTheDatabase(t *testing.T) {
	t.Parallel()
	python := services.Python(t)
	url := storetest.SQLite(t)
	path := strings.TrimPrefix(url, "sqlite:")
	db := storetest.Open(t, url, storetest.NewBox(t))
	for _, user := range []string{"app:asha", "app:rohan"} {
		if err := blockUser(t.Context(), db, user); err != nil {
			t.Fatal(err)
		}
		const read = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); print(c.execute('SELECT count(*) FROM blocks').fetchone()); c.close()"
		if out, err := exec.CommandContext(t.Context(), python, "-c", read, path).CombinedOutput(); err != nil { //nolint:gosec // a file of the test
			t.Fatalf("%v: %s", err, out)
		}
		if _, err := os.Stat(path + "-wal"); err != nil {
			t.Errorf("got %v, want the file with the newest changes in its place", err)
		}
	}
}
