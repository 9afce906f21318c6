package services

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// SmallDisk returns a folder with a file system of the given size, such as 64m, in which all users
// may write. Only root may mount one: if this user may not, the test is skipped, or with CI=true
// fails.
func SmallDisk(t testing.TB, size string) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "casbroker-disk-") // a server cannot enter that of t.TempDir
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	if out, err := exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", "mode=0777,size="+size, "tmpfs", folder).CombinedOutput(); err != nil { //nolint:gosec // our own folder
		if os.Getenv("CI") == "true" {
			t.Fatalf("no file system can be mounted here, and with CI=true nothing is skipped: %s", out)
		}
		t.Skipf("SKIPPED: no file system can be mounted here: %s", out)
	}
	t.Cleanup(func() { _ = exec.Command("umount", "-l", folder).Run() }) //nolint:noctx,gosec // the context of the test has ended
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
