package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"casbroker/internal/app"
	"casbroker/internal/cli"
	"casbroker/internal/testkit/apitest"
)

// good returns an environment with valid settings.
func good(t *testing.T) []string {
	t.Helper()
	return []string{
		"CASBROKER_STORE_URL=sqlite:" + filepath.Join(t.TempDir(), "broker.db"),
		"CASBROKER_UPSTREAM_API_KEY=hush-api-key",
		"CASBROKER_SEAL_HASH_KEY=MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
		"CASBROKER_SEAL_KEYS_0_ID=k1",
		"CASBROKER_SEAL_KEYS_0_KEY=YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODk=",
		"CASBROKER_AUTH_VERIFIERS_0_NAME=app",
		"CASBROKER_AUTH_VERIFIERS_0_ISSUER=https://app.example",
		"CASBROKER_AUTH_VERIFIERS_0_AUDIENCE=casbroker",
		"CASBROKER_AUTH_VERIFIERS_0_ALGORITHMS=HS256",
		"CASBROKER_AUTH_VERIFIERS_0_SECRET=Kq3vTz8mWx5rLb9nHc2yPd7sGj4fUe6aRwQh",
	}
}

// broker runs a command and returns its exit code, output and errors.
func broker(t *testing.T, environ []string, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	code = cli.Run(t.Context(), args, cli.Terminal{Out: &o, Err: &e, Environ: environ})
	return code, o.String(), e.String()
}

func TestHelpListsTheCommands(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"--help"}, {}} {
		code, out, _ := broker(t, nil, args...)
		for _, command := range []string{"serve", "demo", "migrate", "config check", "config print", "seal rotate", "seal verify", "backup", "restore", "doctor", "audit verify", "audit list", "audit export", "admin-key", "grants", "revoke", "block", "unblock", "usage show", "usage compare", "budgets list", "budgets raise", "health", "version", "\n    4  no such grant"} {
			if code != cli.ExitOK || !strings.Contains(out, command) {
				t.Errorf("%v: %d, no %q in\n%s", args, code, command, out)
			}
		}
	}
}

func TestConfigCheckSaysWhatDirectTokensExpose(t *testing.T) {
	t.Parallel()
	for mode, want := range map[string]bool{"direct": true, "both": true, "gateway": false} {
		code, _, errs := broker(t, append(good(t), "CASBROKER_TOKEN_MODE="+mode), "config", "check")
		if code != cli.ExitOK || strings.Contains(errs, "whole vendor account") != want {
			t.Errorf("%s: got %d %s", mode, code, errs)
		}
	}
}

func TestInvalidCommandLineIsAUsageError(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"dance"}, {"serve", "--port", "1"}, {"serve", "--config", "/nowhere.yaml"}} {
		if code, _, errs := broker(t, good(t), args...); code != cli.ExitUsage || !strings.HasPrefix(errs, "broker: ") {
			t.Errorf("%v: got %d %s", args, code, errs)
		}
	}
}

func TestConfigCheckListsEveryError(t *testing.T) {
	t.Parallel()
	if code, out, errs := broker(t, good(t), "config", "check"); code != cli.ExitOK {
		t.Errorf("good settings: %d %s %s", code, out, errs)
	}
	bad := append(good(t), "CASBROKER_AUTH_VERIFIERS_0_SECRET=short", "CASBROKER_RATELIMIT_TOKEN_USER=often", "CASBROKER_UPSTREAM_URL=ftp://x")
	code, _, errs := broker(t, bad, "config", "check")
	for _, key := range []string{"auth.verifiers[0].secret", "ratelimit.token.user", "upstream.url"} {
		if code != cli.ExitUsage || !strings.Contains(errs, key) {
			t.Errorf("%d, no %s in\n%s", code, key, errs)
		}
	}
}

func TestUnreadableFileIsTheOnlyError(t *testing.T) {
	t.Parallel()
	broken := filepath.Join(t.TempDir(), "broker.yaml")
	if err := os.WriteFile(broken, []byte("log:\n  level: info\n level: debug\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{broken, "/nowhere/broker.yaml"} {
		for _, command := range []string{"serve", "config check", "config print"} {
			code, out, errs := broker(t, nil, append(strings.Fields(command), "--config", file)...)
			if code != cli.ExitUsage || out != "" || !strings.Contains(errs, file) || strings.Count(errs, "\n") != 1 {
				t.Errorf("%s: got %d, %q and %q, want only that %s cannot be read", command, code, out, errs, file)
			}
		}
	}
}

func TestBrokenFileShowsItsOneErrorOnly(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"log: loud\n":                              "line 1: log: want keys under this one",
		"autth:\n  verifiers: []\n":                "line 1: autth: there is no such setting",
		"upstream:\n  seal:\n    hash_key: x\n":    "line 2: upstream.seal: there is no such setting",
		"auth:\n  verifiers:\n    name: app\n":     "line 3: auth.verifiers: want a list",
		"upstream: {api_key: k, attempts: many}\n": "line 1: upstream.attempts: want a whole number",
		"seal: [\n":         "line 1: ",
		"M%ALY 1\x7f2\n---": "settings",
		"\xff\xfe":          "line 1: not a text in UTF-8",
	} {
		file := filepath.Join(t.TempDir(), "settings.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		environ := good(t)
		if strings.HasPrefix(text, "autth") || strings.HasPrefix(text, "upstream:\n") {
			environ = nil
		}
		code, _, errs := broker(t, environ, "config", "check", "--config", file)
		if code != cli.ExitUsage || strings.Count(errs, "\n") != 1 || !strings.Contains(errs, want) {
			t.Errorf("%q: got %d and\n%s, want only %q", text, code, errs, want)
		}
	}
}

func TestNothingStartsWithMissingSettings(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"serve", "migrate", "seal rotate", "seal verify"} {
		code, _, errs := broker(t, nil, strings.Fields(command)...)
		for _, key := range []string{"upstream.api_key", "auth.verifiers", "seal.hash_key", "seal.keys"} {
			if code != cli.ExitUsage || !strings.Contains(errs, key) {
				t.Errorf("%s: %d, no %s in\n%s", command, code, key, errs)
			}
		}
	}
}

func TestConfigCheckWarnsOfFilesThatOthersCanRead(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "broker.yaml")
	if err := os.WriteFile(file, []byte("upstream: {api_key: a-key-in-the-file}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for mode, want := range map[os.FileMode]string{
		0o600: "",
		0o640: "broker: warning: " + file + " (settings with secrets: upstream.api_key) is open to its group (mode 0640); run: chmod 600 " + file + "\n",
		0o604: "broker: warning: " + file + " (settings with secrets: upstream.api_key) is open to every user of this machine (mode 0604); run: chmod 600 " + file + "\n",
	} {
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
		code, out, errs := broker(t, append(good(t), "CASBROKER_TOKEN_MODE=gateway"), "config", "check", "--config", file)
		if code != cli.ExitOK || errs != want || !strings.Contains(out, "valid") {
			t.Errorf("%04o: got %d %s %q, want %q", mode, code, out, errs, want)
		}
	}
}

func TestConfigPrintHidesSecrets(t *testing.T) {
	t.Parallel()
	code, out, _ := broker(t, good(t), "config", "print")
	if code != cli.ExitOK || strings.Contains(out, "hush") || !strings.Contains(out, "issuer: https://app.example") {
		t.Errorf("got %d\n%s", code, out)
	}
}

func TestMigrateCanBeRepeated(t *testing.T) {
	t.Parallel()
	environ := good(t)
	if code, out, errs := broker(t, environ, "migrate"); code != cli.ExitOK || strings.Contains(out, " 0 steps") {
		t.Errorf("got exit code %d, %s %s", code, out, errs)
	}
	if code, out, _ := broker(t, environ, "migrate"); code != cli.ExitOK || !strings.Contains(out, " 0 steps") {
		t.Errorf("again: %d %s", code, out)
	}
}

func TestHealthFailsWithoutABroker(t *testing.T) {
	t.Parallel()
	if code, _, errs := broker(t, nil, "health", "--address", "127.0.0.1:1"); code != cli.ExitFailed || !strings.Contains(errs, "no broker answers at http://127.0.0.1:1: ") {
		t.Errorf("got exit code %d, %s", code, errs)
	}
}

func TestMalformedAddressIsRefused(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"serve", "demo", "health"} {
		for _, address := range []string{"nope", "127.0.0.1:99999"} {
			code, _, errs := broker(t, nil, command, "--address", address)
			if code != cli.ExitUsage || !strings.Contains(errs, "--address: want host:port, such as") {
				t.Errorf("%s %s: got exit code %d, %s", command, address, code, errs)
			}
		}
	}
}

// demo runs broker demo on any port until stop is called, which returns the exit code.
func demo(t *testing.T, folder string, environ ...string) (url string, stop func() int) {
	t.Helper()
	return demoAt(t, "127.0.0.1:0", folder, environ...)
}

// demoAt is demo on this address.
func demoAt(t *testing.T, address, folder string, environ ...string) (url string, stop func() int) {
	t.Helper()
	out, printed := io.Pipe()
	ctx, cancel := context.WithCancel(context.Background())
	code := make(chan int, 1)
	go func() {
		code <- cli.Run(ctx, []string{"demo", "--address", address, "--data", folder},
			cli.Terminal{Out: printed, Err: printed, Environ: environ})
		_ = printed.Close()
	}()
	var banner strings.Builder
	page := regexp.MustCompile(`http://[0-9.:]+/`)
	for buffer := make([]byte, 4096); !page.MatchString(banner.String()); {
		n, err := out.Read(buffer)
		if err != nil {
			t.Fatalf("the demo printed %q and ended", banner.String())
		}
		banner.Write(buffer[:n])
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	for _, part := range []string{"not for production", "Asha Verma", "emulated vendor", "SQLite", "/console/", " cbk_admin_"} {
		if !strings.Contains(banner.String(), part) {
			t.Errorf("the banner lacks %q:\n%s", part, banner.String())
		}
	}
	stop = sync.OnceValue(func() int { cancel(); return <-code })
	t.Cleanup(func() { stop() })
	return strings.TrimSuffix(page.FindString(banner.String()), "/"), stop
}

func TestDemoKeepsItsDataAndKeysOverRestarts(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "demo")
	url, stop := demo(t, folder)
	id := save(t, url)
	if code := stop(); code != cli.ExitOK {
		t.Errorf("the demo ended with %d", code)
	}
	for _, name := range []string{"seal.key", "hash.key", "broker.db"} {
		info, err := os.Stat(filepath.Join(folder, name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: got %v %v", name, info, err)
		}
	}
	url, _ = demo(t, folder)
	var latest struct{ ID string }
	ask(t, http.MethodGet, url+"/v1/portfolios/latest", signIn(t, url), "", &latest)
	if latest.ID != id {
		t.Errorf("after the second start: %q, want %q", latest.ID, id)
	}
}

func TestDemoOffersTheGatewayFirst(t *testing.T) {
	t.Parallel()
	var page struct{ Modes, Features []string }
	url, _ := demo(t, t.TempDir())
	ask(t, http.MethodGet, url+"/demo/config", "", "", &page)
	if !slices.Equal(page.Modes, []string{"gateway", "direct"}) || len(page.Features) != 6 {
		t.Errorf("got the modes %q and features %q, want gateway, direct and all 6", page.Modes, page.Features)
	}
	for _, c := range []struct {
		environ []string
		want    string
	}{
		{[]string{"CASBROKER_TOKEN_MODE=gateway"}, "gateway"},
		{[]string{"CASBROKER_TOKEN_MODE=direct"}, "direct"},
		{[]string{"CASBROKER_SERVER_PUBLIC_URL=https://demo.example"}, "gateway direct"},
	} {
		url, _ := demo(t, t.TempDir(), c.environ...)
		ask(t, http.MethodGet, url+"/demo/config", "", "", &page)
		if got := strings.Join(page.Modes, " "); got != c.want {
			t.Errorf("%v: got the modes %q, want %q", c.environ, got, c.want)
		}
	}
}

func TestDemoForOtherMachinesHasNoGatewayWithoutAPublicURL(t *testing.T) {
	t.Parallel()
	var page struct{ Modes []string }
	url, _ := demoAt(t, "0.0.0.0:0", t.TempDir())
	ask(t, http.MethodGet, url+"/demo/config", "", "", &page)
	if !slices.Equal(page.Modes, []string{"direct"}) {
		t.Errorf("got the modes %q, want direct", page.Modes)
	}
	code, _, errs := broker(t, []string{"CASBROKER_TOKEN_MODE=both"}, "demo", "--address", "0.0.0.0:0", "--data", t.TempDir())
	if code != cli.ExitUsage || !strings.Contains(errs, "server.public_url") {
		t.Errorf("with token.mode both: got exit code %d, %s, want the missing setting", code, errs)
	}
}

func TestDemoReportsAUsedPort(t *testing.T) {
	t.Parallel()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	code, _, errs := broker(t, nil, "demo", "--address", l.Addr().String(), "--data", t.TempDir())
	if code != cli.ExitFailed || !strings.Contains(errs, l.Addr().String()+" is in use") || !strings.Contains(errs, "--address") {
		t.Errorf("got exit code %d, %s", code, errs)
	}
}

func TestDemoSignsInOnlyItsUsers(t *testing.T) {
	t.Parallel()
	url, _ := demo(t, t.TempDir())
	signIn(t, url)
	for body, want := range map[string]int{`{"user":"mallory"}`: 422, `{`: 400, ``: 400, `null`: 400, `"asha"`: 400, `{"user":"asha","user":"rohan"}`: 400, strings.Repeat(" ", 2000): 413} {
		if got := ask(t, http.MethodPost, url+"/demo/sign-in", "", body, nil); got != want {
			t.Errorf("%s: got %d, want %d", body, got, want)
		}
	}
}

// save saves a statement for a demo user and returns its id.
func save(t *testing.T, url string) string {
	t.Helper()
	const statement = `{"meta":{"cas_type":"CDSL"},"investor":{"name":"Asha Verma"},"demat_accounts":[
		{"bo_id":"1200000000000001","value":10,"holdings":{"equities":[{"isin":"INE000A01012","name":"Nowhere Ltd","units":1,"value":10}]}}]}`
	var saved struct{ ID string }
	if status := ask(t, http.MethodPost, url+"/v1/portfolios", signIn(t, url), statement, &saved); status != http.StatusCreated {
		t.Fatalf("save: %d", status)
	}
	return saved.ID
}

func signIn(t *testing.T, url string) string {
	t.Helper()
	var signed struct{ JWT string }
	if status := ask(t, http.MethodPost, url+"/demo/sign-in", "", `{"user":"asha"}`, &signed); status != http.StatusOK {
		t.Fatalf("sign in: %d", status)
	}
	return signed.JWT
}

// ask sends a request, decodes the answer into v unless v is nil, and returns its status.
func ask(t *testing.T, method, url, token, body string, v any) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := apitest.Client(t).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if v != nil {
		if err := json.NewDecoder(res.Body).Decode(v); err != nil {
			t.Fatal(err)
		}
	}
	return res.StatusCode
}

func TestVersionIsNeverDevel(t *testing.T) {
	t.Parallel()
	code, out, _ := broker(t, nil, "version")
	if code != cli.ExitOK || !regexp.MustCompile(`^broker \S+ \(commit \S+, go1\.\S+\)\n$`).MatchString(out) || strings.Contains(out, "devel") {
		t.Errorf("got exit code %d, %q, want version, commit and Go version", code, out)
	}
}

func TestVersionWithoutATagShowsTheCommitOnce(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]string{
		"1a2b3c4": "unknown", "1a2b3c4-dirty": "unknown", "v0.2.0-3-g1a2b3c4": "v0.2.0-3-g1a2b3c4", "1": "1",
	} {
		got := app.Build{Version: version, Commit: "1a2b3c4d5e6f7a8b", GoVersion: "go1.26"}.String()
		if got != want+" (commit 1a2b3c4d5e6f, go1.26)" {
			t.Errorf("%s: got %s", version, got)
		}
	}
}
