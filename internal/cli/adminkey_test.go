package cli_test

import (
	"encoding/json"
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
