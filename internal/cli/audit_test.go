package cli_test

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"

	_ "modernc.org/sqlite" // the driver with which the tests tamper

	"casbroker/internal/cli"
)

// audited returns an environment for the data of a stopped demo in folder.
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

func TestAuditVerifyNamesTheBrokenLink(t *testing.T) {
	t.Parallel()
	environ, folder := audited(t)
	if code, out, errs := broker(t, environ, "audit", "verify"); code != cli.ExitOK || !strings.Contains(out, "are intact") {
		t.Errorf("got exit code %d, %s %s", code, out, errs)
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
	if code != cli.ExitFailed || !strings.Contains(out, "("+id+"): changed") || !strings.Contains(errs, "incomplete") {
		t.Errorf("got exit code %d, %s %s", code, out, errs)
	}
}

func TestAuditVerifyNeedsAMigratedDatabase(t *testing.T) {
	t.Parallel()
	if code, _, errs := broker(t, good(t), "audit", "verify"); code != cli.ExitFailed || !strings.Contains(errs, "broker migrate") {
		t.Errorf("got exit code %d, %s", code, errs)
	}
}
