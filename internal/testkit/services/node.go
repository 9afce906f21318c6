package services

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"casbroker/web"
)

// installTimeout bounds the download of packages.
const installTimeout = 2 * time.Minute

// Node installs packages ("openid-client@6.9.0") from the npm registry into a new folder and
// returns a function that runs a JavaScript module there and returns what it writes. Without
// Node.js, npm or the registry it skips the test, or with CI=true fails it.
func Node(t testing.TB, packages ...string) (run func(module string, args ...string) string) {
	t.Helper()
	node, folder := need(t, "nodejs"), t.TempDir()
	install(t, folder, packages...)
	return func(module string, args ...string) string {
		t.Helper()
		// From standard input, a module finds the packages of the working directory.
		args = append([]string{"--input-type=module", "-"}, args...)
		cmd := exec.CommandContext(t.Context(), node, args...) //nolint:gosec // a program of the test
		cmd.Dir, cmd.Stdin = folder, strings.NewReader(module)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("node: %v\n%s", err, out)
		}
		return string(out)
	}
}

// NodePackage copies the files of an npm package of ours into folder, and installs what the
// package needs there. It skips or fails the test as Node does.
func NodePackage(t testing.TB, folder, source string) {
	t.Helper()
	need(t, "nodejs")
	entries, err := os.ReadDir(source)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !e.Type().IsRegular() {
			continue // node_modules and what was built
		}
		content, err := os.ReadFile(filepath.Join(source, e.Name())) //nolint:gosec // files of ours
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, e.Name()), content, 0o600); err != nil { //nolint:gosec // a folder of the test
			t.Fatal(err)
		}
	}
	install(t, folder)
}

// NodeModules returns the folder node_modules with what web/connect/package.json names: what the
// tests of pages and of connect.js need (typescript, react, axe-core). All tests share it, and none
// may change it. It skips or fails the test as Node does.
func NodeModules(t testing.TB) string {
	t.Helper()
	list, err := fs.ReadFile(web.Connect, "package.json")
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(installed(t, list), "node_modules")
}

// NodeModulesOf returns the folder node_modules with what the package.json at path names. All tests
// share it, and none may change it. It skips or fails the test as Node does.
func NodeModulesOf(t testing.TB, path string) string {
	t.Helper()
	list, err := os.ReadFile(path) //nolint:gosec // a file of ours
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(installed(t, list), "node_modules")
}

// install installs packages into folder; without any, those of its package.json.
func install(t testing.TB, folder string, packages ...string) {
	t.Helper()
	list, err := os.ReadFile(filepath.Join(folder, "package.json")) //nolint:gosec // a folder of the test
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	from := installed(t, list, packages...)
	if err := copyTree(filepath.Join(from, "node_modules"), filepath.Join(folder, "node_modules")); err != nil {
		t.Fatal(err)
	}
}

// installed returns a folder of the cache with packages and those of the package.json list, which
// may be nil. An earlier test, of any run, may have installed them.
func installed(t testing.TB, list []byte, packages ...string) string {
	t.Helper()
	npm := need(t, "npm")
	ctx, cancel := context.WithTimeout(t.Context(), installTimeout)
	defer cancel()
	folder, err := Cached("npm", append([]string{string(list)}, packages...), func(into string) error {
		if list != nil {
			if err := os.WriteFile(filepath.Join(into, "package.json"), list, 0o600); err != nil { //nolint:gosec // a folder of ours
				return err
			}
		}
		args := append([]string{"install", "--prefix", into, "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"}, packages...)
		if out, err := exec.CommandContext(ctx, npm, args...).CombinedOutput(); err != nil { //nolint:gosec // versions that the test names
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	})
	if err != nil {
		what := strings.Join(packages, " ") + string(list)
		if os.Getenv("CI") == "true" {
			t.Fatalf("cannot install %s: %v", what, err)
		}
		t.Skipf("SKIPPED: cannot install %s: %v", what, err)
	}
	return folder
}
