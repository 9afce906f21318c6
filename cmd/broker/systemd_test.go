package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"casbroker/internal/testkit/services"
)

// unit returns config/casbroker.service for the program at path, and the values of its lines
// by their keys.
func unit(t *testing.T, path string) (text string, values map[string][]string) {
	t.Helper()
	file, err := os.ReadFile("../../config/casbroker.service")
	if err != nil {
		t.Fatal(err)
	}
	text = replace(t, string(file), "/usr/local/bin/broker", path)
	values = map[string][]string{}
	for _, line := range regexp.MustCompile(`(?m)^(\w+)=(.*)$`).FindAllStringSubmatch(text, -1) {
		values[line[1]] = append(values[line[1]], line[2])
	}
	return text, values
}

func TestUnitOfSystemdIsValidAndHardened(t *testing.T) {
	t.Parallel()
	systemd, p := services.Systemd(t), build(t)
	text, _ := unit(t, p.Path)
	file := filepath.Join(p.Folder, "casbroker.service")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	// The exposure, in tenths, is that of a service with a network.
	for _, args := range [][]string{{"verify", file}, {"security", "--offline=true", "--no-pager", "--threshold=15", file}} {
		out, err := exec.CommandContext(t.Context(), systemd, args...).CombinedOutput() //nolint:gosec // on the PATH
		if err != nil || args[0] == "verify" && strings.Contains(string(out), "casbroker.service") {
			t.Errorf("%s: got %v: %s", args[0], err, out)
		}
	}
}

// TestServiceOfSystemdHasWhatTheBrokerNeeds makes the settings and keys with the commands of
// config/README.md, and runs the unit's command with its credentials and variables.
func TestServiceOfSystemdHasWhatTheBrokerNeeds(t *testing.T) {
	t.Parallel()
	p := build(t)
	_, values := unit(t, p.Path)
	script, _, found := strings.Cut(readCommands(t, "../../config/README.md"), "broker serve")
	if !found {
		t.Fatal("config/README.md does not start the broker any more")
	}
	path := "PATH=" + filepath.Dir(p.Path) + ":" + os.Getenv("PATH")
	runScript(t, p.Folder, script, path, "CASPARSER_API_KEY=an-api-key-that-is-never-used")
	credentials := t.TempDir()
	for _, line := range values["LoadCredential"] {
		name, source, _ := strings.Cut(line, ":")
		text, err := os.ReadFile(filepath.Join(p.Folder, "secrets", filepath.Base(source)))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(credentials, name), text, 0o400); err != nil { //nolint:gosec // files of the test
			t.Fatal(err)
		}
	}
	command := strings.Fields(values["ExecStart"][0])
	settings := filepath.Join(p.Folder, "broker.yaml")
	if command[len(command)-1] != "/etc/casbroker/broker.yaml" {
		t.Fatalf("got %q, want the settings last", command)
	}
	command[len(command)-1] = settings
	run := func(first string, extra ...string) ([]byte, error) {
		args := append(strings.Fields(first), command[2:]...)
		cmd := exec.CommandContext(t.Context(), command[0], args...) //nolint:gosec // our own program
		cmd.Dir = t.TempDir()
		for _, line := range values["Environment"] {
			cmd.Env = append(cmd.Env, strings.ReplaceAll(line, "%d", credentials))
		}
		cmd.Env = append(cmd.Env, extra...)
		return cmd.CombinedOutput()
	}
	if out, err := run("config check"); err != nil {
		t.Errorf("got %v: %s", err, out)
	}
	var exit *exec.ExitError
	out, err := run("serve", "CASBROKER_LOG_LEVEL=loud")
	if !errors.As(err, &exit) || values["RestartPreventExitStatus"][0] != "2" || exit.ExitCode() != 2 {
		t.Errorf("a wrong setting: got %v: %s, want the status with which systemd does not try again", err, out)
	}
	if stop, err := time.ParseDuration(values["TimeoutStopSec"][0]); err != nil || stop < 30*time.Second {
		t.Errorf("got %v, %s, want more than server.drain_delay and server.drain_timeout", err, stop)
	}
}
