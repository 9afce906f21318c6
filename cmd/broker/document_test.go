package main

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"casbroker/internal/testkit/brokertest"
	"casbroker/internal/testkit/logtest"
	"casbroker/internal/testkit/services"
)

// shellBlocks are the ```sh blocks of a document, in order.
var shellBlocks = regexp.MustCompile("(?ms)^```sh\n(.*?)^```$")

// readCommands returns the ```sh blocks of a document as one script.
func readCommands(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path) //nolint:gosec // a document of ours
	if err != nil {
		t.Fatal(err)
	}
	var script strings.Builder
	for _, block := range shellBlocks.FindAllStringSubmatch(string(text), -1) {
		script.WriteString(block[1])
	}
	if script.Len() == 0 {
		t.Fatalf("%s has no commands", path)
	}
	return script.String()
}

// runScript runs a script with bash in folder and fails the test if a command fails.
func runScript(t *testing.T, folder, script string, env ...string) (output string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", script) //nolint:gosec // commands of our documents
	cmd.Dir, cmd.Env = folder, append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	return string(out)
}

// replace is strings.ReplaceAll for text that must be there.
func replace(t *testing.T, text, old, replacement string) string {
	t.Helper()
	if !strings.Contains(text, old) {
		t.Fatalf("the document does not have %q any more", old)
	}
	return strings.ReplaceAll(text, old, replacement)
}

// traceStatus makes curl print each status code to standard error.
const traceStatus = "curl() { command curl -w '%{stderr}status %{http_code} %{url}\\n' \"$@\"; }\n"

func TestCommandsInTheReadmeWork(t *testing.T) {
	t.Parallel()
	services.Curl(t)
	p := build(t)
	p.Address = brokertest.Free(t)
	p.Output = &logtest.Log{}
	p.Cmd = exec.CommandContext(t.Context(), p.Path, "demo", "--address", p.Address, "--data", filepath.Join(p.Folder, "data")) //nolint:gosec // our own program
	p.Cmd.Stdout, p.Cmd.Stderr = p.Output, p.Output
	p.Run()
	key := strings.TrimSpace(p.Printed(regexp.MustCompile(`cbk_admin_[\w-]+\s`)))

	script := readCommands(t, "../../README.md")
	script = replace(t, script, "http://127.0.0.1:8080", "http://"+p.Address)
	script = replace(t, script, "cbk_admin_…", key)
	out := runScript(t, t.TempDir(), traceStatus+script)

	refused := 0
	for _, status := range regexp.MustCompile(`status (\d+) (\S+)`).FindAllStringSubmatch(out, -1) {
		switch {
		case status[1] == "403" && strings.HasSuffix(status[2], "/v1/token"):
			refused++ // while the user is blocked
		case !strings.HasPrefix(status[1], "2"):
			t.Errorf("%s answered %s", status[2], status[1])
		}
	}
	if refused != 1 {
		t.Errorf("a blocked user was refused %d times, want once", refused)
	}
	if t.Failed() {
		t.Log(out)
	}
}

func TestCommandsForOperatorsWork(t *testing.T) {
	t.Parallel()
	services.Curl(t)
	services.OpenSSL(t)
	p := build(t)
	p.Address = brokertest.Free(t)
	folder := t.TempDir()
	var admin struct{ Key, Hash string }
	out, err := exec.CommandContext(t.Context(), p.Path, "admin-key", "meera", "--json").Output() //nolint:gosec // our own program
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out, &admin); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	var service struct{ Key, Hash string }
	if out, err = exec.CommandContext(t.Context(), p.Path, "service-key", "backend", "--scope", "portfolios:read", "--json").Output(); err != nil { //nolint:gosec // our own program
		t.Fatal(err)
	}
	if err := json.Unmarshal(out, &service); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	keyFile := filepath.Join(folder, "meera.key")
	if err := os.WriteFile(keyFile, []byte(admin.Key), 0o600); err != nil {
		t.Fatal(err)
	}
	// The server runs in the background of the script, which waits until it is ready.
	script := replace(t, readCommands(t, "../../config/README.md"), "broker serve --config broker.yaml\n", `
		broker serve --config broker.yaml >serve.log 2>&1 &
		trap "kill $! && wait $! || true" EXIT
		for _ in $(seq 100); do broker health 2>health.log && break; sleep 0.1; done
		broker health || { cat serve.log; exit 1; }
`)
	// Between the commands, an operator puts the new key first, as the text says.
	script = replace(t, script, "broker seal rotate --config broker.yaml\n",
		"sed -i 's|^    - id: k1$|    - id: k2\\n      file: secrets/seal-2.key\\n&|' broker.yaml\n"+
			"broker seal rotate --config broker.yaml\n")
	text := runScript(t, folder, script,
		"PATH="+filepath.Dir(p.Path)+":"+os.Getenv("PATH"), "CASPARSER_API_KEY=an-api-key-that-is-never-used",
		"CASBROKER_SERVER_ADDRESS="+p.Address, "CASBROKER_ADMIN_KEYS_0_NAME=meera", "CASBROKER_ADMIN_KEYS_0_HASH="+admin.Hash,
		"CASBROKER_AUTH_SERVICE_KEYS_0_NAME=backend", "CASBROKER_AUTH_SERVICE_KEYS_0_HASH="+service.Hash,
		"CASBROKER_AUTH_SERVICE_KEYS_0_SCOPES=portfolios:read", "CASBROKER_AUTH_SERVICE_KEYS_0_ACTS_FOR=app", "SERVICE_KEY="+service.Key,
		"BROKER_URL=http://"+p.Address, "BROKER_KEY_FILE="+keyFile)
	audit, err := os.ReadFile(filepath.Join(folder, "audit.csv")) //nolint:gosec // a file of the test
	if err != nil || !strings.Contains(string(audit), "access.block") {
		t.Errorf("the exported audit trail lacks the block (%v): %s\n%s", err, audit, text)
	}
}
