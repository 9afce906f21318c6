package services

import (
	"os"
	"sync"
	"testing"
)

// memoryFolder returns a folder of this test binary in memory, which is removed when the
// binary ends, or "" if the machine has none.
var memoryFolder = sync.OnceValue(func() string {
	root := memoryRoot()
	if root == "" {
		return ""
	}
	folder, err := os.MkdirTemp(root, "casbroker-")
	if err != nil {
		return ""
	}
	if err := spawn(nil, "TERM", folder, "true"); err != nil {
		_ = os.RemoveAll(folder)
		return ""
	}
	return folder
})

// TempDir is t.TempDir with a folder in memory where the machine has one: databases and the
// profiles of browsers are many small files, whose creation costs more than their use.
// Programs may not run from there.
func TempDir(t testing.TB) string {
	t.Helper()
	root := memoryFolder()
	if root == "" {
		return t.TempDir()
	}
	folder, err := os.MkdirTemp(root, "test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	return folder
}

// SharedDir is TempDir with a folder that outlives the test. Its user removes it.
func SharedDir(t testing.TB) string {
	t.Helper()
	folder, err := os.MkdirTemp(memoryFolder(), "shared-")
	if err != nil {
		t.Fatal(err)
	}
	return folder
}

// ProgramDir returns a folder of this test binary from which programs may run. It is removed
// when the binary ends.
var ProgramDir = sync.OnceValues(func() (string, error) {
	folder, err := os.MkdirTemp("", "casbroker-programs-")
	if err != nil {
		return "", err
	}
	return folder, spawn(nil, "TERM", folder, "true")
})
