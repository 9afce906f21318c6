package cli_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"casbroker/internal/cli"
)

// nextKey is what the tests rotate to.
const nextKey = "bmV4dC1rZXktb2YtdGhlLXRlc3RzLTAxMjM0NTY3ODk="

// rotating is an environment over the demo's data in folder, with the key "next" in
// front of the demo's own.
func rotating(t *testing.T, folder string) []string {
	t.Helper()
	var environ []string
	for _, line := range good(t) {
		if !strings.HasPrefix(line, "CASBROKER_STORE_") && !strings.HasPrefix(line, "CASBROKER_SEAL_") {
			environ = append(environ, line)
		}
	}
	return append(environ,
		"CASBROKER_STORE_URL=sqlite:"+filepath.Join(folder, "broker.db"),
		"CASBROKER_SEAL_HASH_KEY_FILE="+filepath.Join(folder, "hash.key"),
		"CASBROKER_SEAL_KEYS_0_ID=next", "CASBROKER_SEAL_KEYS_0_KEY="+nextKey,
		"CASBROKER_SEAL_KEYS_1_ID=demo", "CASBROKER_SEAL_KEYS_1_FILE="+filepath.Join(folder, "seal.key"))
}

func TestSealRotateWorksBesideABrokerThatServes(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "demo")
	url, stop := demo(t, folder, "CASBROKER_SEAL_KEYS_0_ID=demo", "CASBROKER_SEAL_KEYS_1_ID=next", "CASBROKER_SEAL_KEYS_1_KEY="+nextKey)
	id := save(t, url)
	environ := rotating(t, folder)

	code, out, errs := broker(t, environ, "seal", "rotate")
	for _, line := range []string{
		"portfolios: 1 sealed anew, 0 under missing keys, 0 damaged\n", "payloads: 1 sealed anew,", "idempotency: 0 sealed anew,",
		`All is sealed under "next"; 2 rows were sealed anew.`,
	} {
		if code != cli.ExitOK || !strings.Contains(out, line) {
			t.Errorf("%d, no %q in\n%s%s", code, line, out, errs)
		}
	}
	ask(t, http.MethodGet, url+"/v1/portfolios/"+id+"/raw", signIn(t, url), "", nil)
	var latest struct {
		ID       string
		Readable bool
	}
	ask(t, http.MethodGet, url+"/v1/portfolios/latest", signIn(t, url), "", &latest)
	if latest.ID != id || !latest.Readable {
		t.Errorf("the broker that serves reads %+v", latest)
	}
	if code := stop(); code != cli.ExitOK {
		t.Errorf("it ended with %d", code)
	}
	if err := os.Remove(filepath.Join(folder, "seal.key")); err != nil {
		t.Fatal(err)
	}
	if code, out, errs := broker(t, environ, "seal", "rotate"); code != cli.ExitOK || !strings.Contains(out, "0 rows were sealed anew") {
		t.Errorf("again, without the old key: %d %s %s", code, out, errs)
	}
}

func TestSealRotateNamesTheKeysThatAreMissing(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "demo")
	url, stop := demo(t, folder)
	save(t, url)
	stop()
	if err := os.Remove(filepath.Join(folder, "seal.key")); err != nil {
		t.Fatal(err)
	}
	environ := rotating(t, folder)
	code, out, errs := broker(t, environ, "seal", "rotate")
	if code != cli.ExitFailed || !strings.Contains(errs, `"demo" (2)`) || !strings.Contains(out, "payloads: 0 sealed anew, 1 under missing keys") {
		t.Errorf("%d %s %s", code, out, errs)
	}
	code, out, errs = broker(t, environ, "config", "check")
	if code != cli.ExitOK || !strings.Contains(errs, `"demo"`) || !strings.Contains(errs, "seal.key") || !strings.Contains(out, "good") {
		t.Errorf("config check: %d %s %s", code, out, errs)
	}
}

func TestSealRotateWantsAMigratedDatabase(t *testing.T) {
	t.Parallel()
	if code, _, errs := broker(t, good(t), "seal", "rotate"); code != cli.ExitFailed || !strings.Contains(errs, "broker migrate") {
		t.Errorf("%d %s", code, errs)
	}
}

func TestTheKeyThatSealsHasToBeThere(t *testing.T) {
	t.Parallel()
	environ := good(t)
	for i, line := range environ {
		if strings.HasPrefix(line, "CASBROKER_SEAL_KEYS_0_KEY=") {
			environ[i] = "CASBROKER_SEAL_KEYS_0_FILE=" + filepath.Join(t.TempDir(), "nowhere")
		}
	}
	for _, command := range [][]string{{"serve"}, {"migrate"}, {"seal", "rotate"}, {"config", "check"}} {
		if code, _, errs := broker(t, environ, command...); code != cli.ExitUsage || !strings.Contains(errs, "seal.keys[0].file: ") {
			t.Errorf("%v: %d %s", command, code, errs)
		}
	}
}
