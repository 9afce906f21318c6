package services

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// installTimeout bounds the download of packages.
const installTimeout = 2 * time.Minute

// Node installs packages ("openid-client@6.9.0") from the npm registry into a new folder and
// returns a function that runs a JavaScript module there and returns what it writes. Without
// Node.js, npm or the registry it skips the test, or with CI=true fails it.
func Node(t testing.TB, packages ...string) (run func(module string, args ...string) string) {
	t.Helper()
	node, npm, folder := need(t, "nodejs"), need(t, "npm"), t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), installTimeout)
	defer cancel()
	args := append([]string{"install", "--prefix", folder, "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"}, packages...)
	if out, err := exec.CommandContext(ctx, npm, args...).CombinedOutput(); err != nil { //nolint:gosec // versions that the test names
		if os.Getenv("CI") == "true" {
			t.Fatalf("cannot install %s: %v\n%s", strings.Join(packages, " "), err, out)
		}
		t.Skipf("SKIPPED: cannot install %s: %v", strings.Join(packages, " "), err)
	}
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
