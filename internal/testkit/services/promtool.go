package services

import (
	"os/exec"
	"strings"
	"testing"
)

// Promtool runs Prometheus' promtool with args and standard input, and returns what it
// printed. It fails the test if promtool fails.
func Promtool(t testing.TB, stdin string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), need(t, "prometheus"), args...) //nolint:gosec // on the PATH
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}
