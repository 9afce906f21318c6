package main

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"casbroker/internal/testkit/logtest"
)

func TestNewFilesAreForTheBrokerOnlyWhateverTheUmask(t *testing.T) {
	t.Parallel()
	p := build(t)
	p.folder = filepath.Join(p.folder, "data")
	p.address = free(t)
	p.output = &logtest.Log{}
	p.cmd = exec.CommandContext(t.Context(), "sh", "-c", "umask 000 && exec "+p.path+" serve") //nolint:gosec // our own program
	p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = append(os.Environ(), p.settings()...), p.output, p.output
	p.run()
	found := map[string]bool{}
	err := filepath.WalkDir(p.folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if mode := info.Mode().Perm(); mode&0o077 != 0 {
			t.Errorf("%s: got mode %04o, want it for its owner only", path, mode)
		}
		found[entry.Name()] = true
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"data", "broker.db", "broker.db-wal", "broker.db-shm", "broker.db.lock"} {
		if !found[name] {
			t.Errorf("got no %s in %v", name, found)
		}
	}
}
