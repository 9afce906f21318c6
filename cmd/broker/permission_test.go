package main

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"casbroker/internal/testkit/brokertest"
	"casbroker/internal/testkit/logtest"
)

func TestNewFilesAreForTheBrokerOnlyWhateverTheUmask(t *testing.T) {
	t.Parallel()
	p := build(t)
	p.Folder = filepath.Join(p.Folder, "data")
	p.Address = brokertest.Free(t)
	p.Output = &logtest.Log{}
	p.Cmd = exec.CommandContext(t.Context(), "sh", "-c", "umask 000 && exec "+p.Path+" serve") //nolint:gosec // our own program
	p.Cmd.Env, p.Cmd.Stdout, p.Cmd.Stderr = append(os.Environ(), p.Settings()...), p.Output, p.Output
	p.Run()
	found := map[string]bool{}
	err := filepath.WalkDir(p.Folder, func(path string, entry fs.DirEntry, err error) error {
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
