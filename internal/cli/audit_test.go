package cli_test

import (
	"database/sql"
	"encoding/csv"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	_ "modernc.org/sqlite" // the driver with which the tests tamper

	"casbroker/internal/cli"
)

// audited is an environment over the data that a demo left in folder.
func audited(t *testing.T) (environ []string, folder string) {
	t.Helper()
	folder = filepath.Join(t.TempDir(), "demo")
	url, stop := demo(t, folder)
	save(t, url)
	if code := stop(); code != cli.ExitOK {
		t.Fatalf("the demo ended with %d", code)
	}
	for _, line := range good(t) {
		if !strings.HasPrefix(line, "CASBROKER_STORE_") && !strings.HasPrefix(line, "CASBROKER_SEAL_") {
			environ = append(environ, line)
		}
	}
	return append(environ,
		"CASBROKER_STORE_URL=sqlite:"+filepath.Join(folder, "broker.db"),
		"CASBROKER_SEAL_HASH_KEY_FILE="+filepath.Join(folder, "hash.key"),
		"CASBROKER_SEAL_KEYS_0_ID=demo", "CASBROKER_SEAL_KEYS_0_FILE="+filepath.Join(folder, "seal.key")), folder
}

func TestAuditVerifyExitsWithOneAndNamesTheBrokenLink(t *testing.T) {
	t.Parallel()
	environ, folder := audited(t)
	if code, out, errs := broker(t, environ, "audit", "verify"); code != cli.ExitOK || !strings.Contains(out, "are whole") {
		t.Errorf("%d %s %s", code, out, errs)
	}
	db, err := sql.Open("sqlite", filepath.Join(folder, "broker.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	var id string
	err = db.QueryRowContext(t.Context(), "UPDATE audit SET actor = 'demo:rohan' WHERE action = 'portfolio.save' RETURNING id").Scan(&id)
	if err != nil {
		t.Fatal(err)
	}
	code, out, errs := broker(t, environ, "audit", "verify")
	if code != cli.ExitFailed || !strings.Contains(out, "("+id+"): changed") || !strings.Contains(errs, "not whole") {
		t.Errorf("%d %s %s", code, out, errs)
	}
}

func TestAuditListIsATableForPeopleAndJSONForScripts(t *testing.T) {
	t.Parallel()
	environ, _ := audited(t)
	code, out, errs := broker(t, environ, "audit", "list", "--subject", "demo:asha", "--action", "portfolio.save", "--since", "1h")
	if lines := strings.Split(out, "\n"); code != cli.ExitOK || !strings.HasPrefix(out, "TIME") || len(lines) != 3 || !strings.Contains(lines[1], "demo:asha") {
		t.Errorf("%d %s %s", code, out, errs)
	}
	code, out, errs = broker(t, environ, "audit", "list", "--limit", "1", "--json")
	var v map[string]any
	if err := json.Unmarshal([]byte(out), &v); code != cli.ExitOK || err != nil || v["action"] != "admin.read" || v["role"] != "operator" {
		t.Errorf("the look before is not on record: %d %s %s %v", code, out, errs, err)
	}
	if code, out, _ := broker(t, environ, "audit", "list", "--until", "2020-01-01T00:00:00Z", "--json"); code != cli.ExitOK || out != "" {
		t.Errorf("%d %s", code, out)
	}
	for _, wrong := range [][]string{{"--since", "yesterday"}, {"--until", "-1h"}, {"--limit", "0"}, {"--outcome", "good"}} {
		if code, _, errs := broker(t, environ, append([]string{"audit", "list"}, wrong...)...); code != cli.ExitUsage || errs == "" {
			t.Errorf("%v: %d %s", wrong, code, errs)
		}
	}
}

func TestAuditExportWritesATableOrLines(t *testing.T) {
	t.Parallel()
	environ, _ := audited(t)
	code, out, errs := broker(t, environ, "audit", "export", "--format", "csv")
	rows, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	if code != cli.ExitOK || err != nil || len(rows) < 3 || rows[0][0] != "id" || rows[1][4] != "audit.export" {
		t.Errorf("%d %q %s %v", code, rows, errs, err)
	}
	code, out, errs = broker(t, environ, "audit", "export", "--action", "portfolio.save")
	if code != cli.ExitOK || strings.Count(out, "\n") != 1 || !strings.HasPrefix(out, `{"id":"au_`) {
		t.Errorf("%d %s %s", code, out, errs)
	}
}

func TestAuditWantsAMigratedDatabase(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"verify", "list", "export"} {
		if code, _, errs := broker(t, good(t), "audit", command); code != cli.ExitFailed || !strings.Contains(errs, "broker migrate") {
			t.Errorf("%s: %d %s", command, code, errs)
		}
	}
}
