package cli_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"casbroker/internal/cli"
)

// nextKey is the key that the tests rotate to.
const nextKey = "bmV4dC1rZXktb2YtdGhlLXRlc3RzLTAxMjM0NTY3ODk="

// rotating returns an environment for the demo's data in folder, with the key "next" before
// the demo's own.
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

func TestSealRotateWorksNextToARunningBroker(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "demo")
	url, stop := demo(t, folder, "CASBROKER_SEAL_KEYS_0_ID=demo", "CASBROKER_SEAL_KEYS_1_ID=next", "CASBROKER_SEAL_KEYS_1_KEY="+nextKey)
	id := save(t, url)
	environ := rotating(t, folder)

	code, out, errs := broker(t, environ, "seal", "rotate")
	for _, line := range []string{
		"portfolios: 1 encrypted again, 0 with missing keys, 0 damaged\n", "payloads: 1 encrypted again,", "idempotency: 0 encrypted again,",
		`All values are now encrypted with "next"; 6 rows were encrypted again. Every replica must have "next" first:`,
	} {
		if code != cli.ExitOK || !strings.Contains(out, line) {
			t.Errorf("%d, no %q in\n%s%s", code, line, out, errs)
		}
	}
	if code, out, errs := broker(t, environ, "seal", "verify"); code != cli.ExitOK || !strings.Contains(out, "payloads: 1 readable, 0 with missing keys, 0 damaged\n") ||
		!strings.Contains(out, "All encrypted values can be decrypted: 6 rows.") {
		t.Errorf("verify: %d %s %s", code, out, errs)
	}
	ask(t, http.MethodGet, url+"/v1/portfolios/"+id+"/raw", signIn(t, url), "", nil)
	var latest struct {
		ID       string
		Readable bool
	}
	ask(t, http.MethodGet, url+"/v1/portfolios/latest", signIn(t, url), "", &latest)
	if latest.ID != id || !latest.Readable {
		t.Errorf("the running broker reads %+v", latest)
	}
	if code := stop(); code != cli.ExitOK {
		t.Errorf("it ended with %d", code)
	}
	if err := os.Remove(filepath.Join(folder, "seal.key")); err != nil {
		t.Fatal(err)
	}
	if code, out, errs := broker(t, environ, "seal", "rotate"); code != cli.ExitOK || !strings.Contains(out, "0 rows were encrypted again") {
		t.Errorf("again, without the old key: %d %s %s", code, out, errs)
	}
}

func TestSealRotateNamesMissingKeys(t *testing.T) {
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
	if code != cli.ExitFailed || !strings.Contains(errs, `"demo" (6)`) || !strings.Contains(out, "payloads: 0 encrypted again, 1 with missing keys") {
		t.Errorf("got exit code %d, %s %s", code, out, errs)
	}
	code, out, errs = broker(t, environ, "seal", "verify")
	if code != cli.ExitFailed || !strings.Contains(errs, `"demo" (6)`) || !strings.Contains(out, "payloads: 0 readable, 1 with missing keys") {
		t.Errorf("verify: %d %s %s", code, out, errs)
	}
	code, out, errs = broker(t, environ, "config", "check")
	if code != cli.ExitOK || !strings.Contains(errs, `"demo"`) || !strings.Contains(errs, "seal.key") || !strings.Contains(out, "valid") {
		t.Errorf("config check: %d %s %s", code, out, errs)
	}
}

func TestSealNeedsAMigratedDatabase(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"rotate", "verify"} {
		if code, _, errs := broker(t, good(t), "seal", command); code != cli.ExitFailed || !strings.Contains(errs, "broker migrate") {
			t.Errorf("%s: got %d %s", command, code, errs)
		}
	}
}

func TestMissingFirstKeyStopsEveryCommand(t *testing.T) {
	t.Parallel()
	environ := good(t)
	for i, line := range environ {
		if strings.HasPrefix(line, "CASBROKER_SEAL_KEYS_0_KEY=") {
			environ[i] = "CASBROKER_SEAL_KEYS_0_FILE=" + filepath.Join(t.TempDir(), "nowhere")
		}
	}
	for _, command := range [][]string{{"serve"}, {"migrate"}, {"seal", "rotate"}, {"seal", "verify"}, {"config", "check"}} {
		if code, _, errs := broker(t, environ, command...); code != cli.ExitUsage || !strings.Contains(errs, "seal.keys[0].file: ") {
			t.Errorf("%v: got %d %s", command, code, errs)
		}
	}
}

func TestReplacedFirstKeyStopsEveryCommand(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "demo")
	url, stop := demo(t, folder)
	save(t, url)
	stop()
	environ := rotating(t, folder)
	for i, line := range environ {
		if line == "CASBROKER_SEAL_KEYS_0_ID=next" {
			environ[i] = "CASBROKER_SEAL_KEYS_0_ID=demo"
		}
		if line == "CASBROKER_SEAL_KEYS_1_ID=demo" {
			environ[i] = "CASBROKER_SEAL_KEYS_1_ID=other"
		}
	}
	for _, command := range [][]string{{"serve", "--address", "127.0.0.1:0"}, {"seal", "rotate"}, {"seal", "verify"}} {
		code, _, errs := broker(t, environ, command...)
		if code != cli.ExitFailed || !strings.Contains(errs, `broker: seal.keys[0]: key "demo" differs from the key`) || strings.Contains(errs, nextKey) {
			t.Errorf("%v: got %d %s", command, code, errs)
		}
	}
}
