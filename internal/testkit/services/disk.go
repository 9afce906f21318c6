package services

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// SmallDisk returns a folder with a file system of the given size, such as 64m, in which all users
// may write. Where neither root nor RunInNamespace may mount one, the test is skipped, also with
// CI=true: unlike a program, the right to do so cannot be installed.
func SmallDisk(t testing.TB, size string) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "casbroker-disk-") // a server cannot enter that of t.TempDir
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	if err := mountMemory(folder, size); err != nil {
		t.Skipf("!!! SKIPPED: no file system can be mounted here: %v !!!", err)
	}
	t.Cleanup(func() { unmount(folder) })
	return folder
}

// FillDisk fills the file system of folder, and returns a function that frees it again.
func FillDisk(t testing.TB, folder string) (free func()) {
	t.Helper()
	fill := filepath.Join(folder, "fill")
	_ = exec.CommandContext(t.Context(), "dd", "if=/dev/zero", "of="+fill, "bs=16k").Run() //nolint:gosec // it fails when the disk is full
	return func() {
		if err := os.Remove(fill); err != nil {
			t.Error(err)
		}
	}
}
