package cli_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"casbroker/internal/cli"
)

func TestAdminKeyPrintsTheKeyAndItsSetting(t *testing.T) {
	t.Parallel()
	code, out, errs := broker(t, nil, "admin-key", "asha-1")
	for _, part := range []string{
		"\n  cbk_asha-1_", "\n      - name: asha-1\n        hash: sha256:", "\n  CASBROKER_ADMIN_KEYS_0_NAME=asha-1\n  CASBROKER_ADMIN_KEYS_0_HASH=sha256:",
	} {
		if code != cli.ExitOK || strings.Count(out, part) != 1 {
			t.Errorf("%d, no %q in\n%s%s", code, part, out, errs)
		}
	}
	if strings.Count(out, "cbk_") != 1 {
		t.Errorf("the key is shown more than once:\n%s", out)
	}
}

func TestAdminKeyPrintsJSONForScripts(t *testing.T) {
	t.Parallel()
	code, out, errs := broker(t, nil, "admin-key", "asha", "--json")
	var made map[string]string
	if err := json.Unmarshal([]byte(out), &made); code != cli.ExitOK || err != nil || len(made) != 3 || made["name"] != "asha" ||
		!strings.HasPrefix(made["key"], "cbk_asha_") || !strings.HasPrefix(made["hash"], "sha256:") {
		t.Errorf("got exit code %d, %s %s", code, out, errs)
	}
}

func TestServiceKeyPrintsTheKeyAndSettingsThatWork(t *testing.T) {
	t.Parallel()
	args := []string{"service-key", "payroll", "--scope", "token:write", "--scope", "portfolios:read", "--for", "demo"}
	code, out, errs := broker(t, nil, args...)
	if code != cli.ExitOK || strings.Count(out, "cbs_payroll_") != 1 {
		t.Fatalf("got exit code %d, %s%s", code, out, errs)
	}
	_, rest, _ := strings.Cut(out, "  auth:\n")
	yaml, rest, _ := strings.Cut(rest, "\n\n")
	file := filepath.Join(t.TempDir(), "broker.yaml")
	if err := os.WriteFile(file, []byte("auth:\n"+strings.ReplaceAll(yaml, "\n  ", "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	var environ []string
	for line := range strings.Lines(rest) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "CASBROKER_") {
			environ = append(environ, line)
		}
	}
	verifier := []string{"CASBROKER_AUTH_VERIFIERS_0_NAME=demo"}
	for _, way := range [][]string{{"--config", file}, nil} {
		all := append(append(good(t), verifier...), environ...)
		if way != nil {
			all = append(good(t), verifier...)
		}
		_, settings, errs := broker(t, all, append([]string{"config", "print"}, way...)...)
		for _, part := range []string{"name: payroll", "- token:write", "- portfolios:read", "- demo"} {
			if !strings.Contains(settings, part) {
				t.Errorf("%v: no %q in the settings %s%s", way, part, settings, errs)
			}
		}
		if code, _, errs := broker(t, all, append([]string{"config", "check"}, way...)...); code != cli.ExitOK {
			t.Errorf("%v: the settings are refused: %s", way, errs)
		}
		if strings.Contains(settings, "sha256:") {
			t.Error("the settings show the hash")
		}
	}

	_, out, _ = broker(t, nil, append(args, "--json")...)
	var made struct {
		Name, Key, Hash string
		Scopes          []string
		ActsFor         []string `json:"acts_for"`
	}
	if err := json.Unmarshal([]byte(out), &made); err != nil || made.Name != "payroll" || len(made.Scopes) != 2 || made.ActsFor[0] != "demo" || made.Hash == "" {
		t.Errorf("got %s, %v", out, err)
	}
}

func TestServiceKeyNeedsAValidNameAndScope(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{}, {"payroll"}, {"a_b", "--scope", "token:write"}, {"payroll", "--scope", "token:read"}, {"payroll", "--scope", ""}} {
		if code, out, errs := broker(t, nil, append([]string{"service-key"}, args...)...); code != cli.ExitUsage || out != "" || errs == "" {
			t.Errorf("%q: got exit code %d, %s %s", args, code, out, errs)
		}
	}
}

func TestAdminKeyNeedsAValidName(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{}, {""}, {"Asha Verma"}, {"a_b"}, {strings.Repeat("a", 33)}} {
		if code, out, errs := broker(t, nil, append([]string{"admin-key"}, args...)...); code != cli.ExitUsage || out != "" || errs == "" {
			t.Errorf("%q: got exit code %d, %s %s", args, code, out, errs)
		}
	}
}

func TestConfigCheckNamesAdminKeysWithAnOldHash(t *testing.T) {
	t.Parallel()
	const old = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$dGFndGFndGFndGFndGFndGFndGFndGFndGFndGFndGE"
	environ := append(good(t), "CASBROKER_ADMIN_KEYS_0_NAME=asha", "CASBROKER_ADMIN_KEYS_0_HASH="+old,
		"CASBROKER_ADMIN_KEYS_1_NAME=rohan", "CASBROKER_ADMIN_KEYS_1_HASH=sha256:dGFndGFndGFndGFndGFndGFndGFndGFndGFndGFndGE")
	code, out, errs := broker(t, environ, "config", "check")
	if code != cli.ExitOK || !strings.Contains(errs, "broker admin-key asha") || strings.Contains(errs, "rohan") || strings.Contains(out+errs, "dGFnd") {
		t.Errorf("exit code %d, stdout %q, stderr %q, want a note about asha only", code, out, errs)
	}
}
