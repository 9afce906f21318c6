package app_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"casbroker/internal/config"
	"casbroker/internal/testkit/services"
)

// moduleFolder returns a folder with web/connect, and node_modules.
func moduleFolder(t *testing.T) string {
	t.Helper()
	modules, folder := services.NodeModules(t), t.TempDir()
	if err := os.CopyFS(folder, withoutModules{os.DirFS("../../web/connect")}); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(modules, filepath.Join(folder, "node_modules")); err != nil {
		t.Fatal(err)
	}
	return folder
}

// withoutModules is a file system without node_modules, which a developer may have there.
type withoutModules struct{ fs.FS }

// ReadDir returns the entries of a folder.
func (f withoutModules) ReadDir(name string) ([]fs.DirEntry, error) {
	all, err := fs.ReadDir(f.FS, name)
	kept := all[:0]
	for _, e := range all {
		if e.Name() != "node_modules" {
			kept = append(kept, e)
		}
	}
	return kept, err
}

// inFolder runs a program in folder, with more variables.
func inFolder(t *testing.T, folder string, environ []string, program string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...) //nolint:gosec // a program of the test
	cmd.Dir, cmd.Env = folder, append(os.Environ(), environ...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", program, err, out)
	}
}

func TestModuleInNode(t *testing.T) {
	t.Parallel()
	folder := moduleFolder(t)
	settings, _ := settingsFor(t, sqlite(t), "memory")
	settings.Token.Mode = config.ModeBoth
	b := start(t, settings)
	jwts := map[string]string{}
	for _, user := range []string{"asha", "ravi", "meera", "vikram"} {
		jwts[user] = bearer(t, user)
	}
	text, err := json.Marshal(jwts)
	if err != nil {
		t.Fatal(err)
	}
	inFolder(t, folder, []string{"BROKER_URL=" + b.URL, "VENDOR_URL=" + settings.Upstream.URL, "USER_JWTS=" + string(text)},
		"node", "--test", "--test-timeout=20000", "--test-force-exit", "test/connect.test.js")
}

func TestTypesOfTheModule(t *testing.T) {
	t.Parallel()
	inFolder(t, moduleFolder(t), nil, "node", "node_modules/typescript/bin/tsc", "-p", "test")
}
