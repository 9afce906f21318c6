package cli_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"casbroker/internal/cli"
)

// writePDFs writes files that begin as PDFs do, and returns their folder.
func writePDFs(t *testing.T, names ...string) string {
	t.Helper()
	folder := t.TempDir()
	for _, n := range names {
		if err := os.WriteFile(filepath.Join(folder, n), []byte("%PDF-1.4\n% "+n+"\n%%EOF\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

func TestFolderIsParsedAndResumed(t *testing.T) {
	t.Parallel()
	var sent atomic.Int64
	var mended atomic.Bool
	d := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := sent.Add(1)
		file, _, err := r.FormFile("pdf_file")
		if err != nil || r.FormValue("password") != "ABCDE1234F" || r.Header.Get("Authorization") != "Bearer a-service-key" ||
			!strings.HasPrefix(r.Header.Get("Idempotency-Key"), "parse-") || r.URL.Path != "/v1/users/app:42/statements" {
			t.Errorf("got %v, %s %v", err, r.URL.Path, r.Header)
			return
		}
		text := make([]byte, 40)
		k, _ := file.Read(text)
		if strings.Contains(string(text[:k]), "bad") && !mended.Load() {
			problem(w, http.StatusUnprocessableEntity, "invalid_pdf", "The file is not a statement.")
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		_, _ = fmt.Fprintf(w, `{"id":"pf_%d","created":true}`, n)
	}))
	t.Cleanup(d.Close)
	folder := writePDFs(t, "a.pdf", "bad.PDF", "c.pdf", "notes.txt")
	environ := []string{"BROKER_URL=" + d.URL, "BROKER_SERVICE_KEY=a-service-key", "BROKER_PDF_PASSWORD=ABCDE1234F"}
	code, out, errs := broker(t, environ, "parse", folder, "--user", "app:42")
	if code != cli.ExitFailed || sent.Load() != 3 || !strings.Contains(out, "bad.PDF  not saved: The file is not a statement. (invalid_pdf)") ||
		!strings.Contains(errs, "3 of 3: c.pdf") || !strings.Contains(errs, "1 of 3") || strings.Contains(out+errs, "ABCDE1234F") {
		t.Errorf("got %d, %d requests: %s%s", code, sent.Load(), out, errs)
	}
	mended.Store(true)
	if code, out, errs = broker(t, environ, "parse", folder, "--user", "app:42"); code != cli.ExitOK || sent.Load() != 4 || out != "bad.PDF  pf_4\n" {
		t.Errorf("got %d, %d requests: %s%s", code, sent.Load(), out, errs)
	}
}

func TestParseSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	folder := writePDFs(t)
	key := []string{"BROKER_URL=http://127.0.0.1:1", "BROKER_SERVICE_KEY=a-service-key"}
	for want, run := range map[string]struct{ environ, args []string }{
		"no service key": {key[:1], []string{"parse", folder, "--user", "app:42"}},
		"no PDF files":   {key, []string{"parse", folder, "--user", "app:42"}},
		"--user":         {key, []string{"parse", folder}},
		"no such file":   {key, []string{"parse", filepath.Join(folder, "x.pdf"), "--user", "app:42"}},
	} {
		if code, _, errs := broker(t, run.environ, run.args...); code != cli.ExitUsage || !strings.Contains(errs, want) {
			t.Errorf("%s: got %d %s", want, code, errs)
		}
	}
}

func TestStatementIsParsedAtARunningBroker(t *testing.T) {
	t.Parallel()
	_, out, errs := broker(t, nil, "service-key", "parser", "--scope", "statements:write", "--for", "app", "--json")
	var made struct{ Name, Key, Hash string }
	if err := json.Unmarshal([]byte(out), &made); err != nil {
		t.Fatalf("got %v: %s %s", err, out, errs)
	}
	r := startRunning(t, "CASBROKER_AUTH_SERVICE_KEYS_0_NAME="+made.Name, "CASBROKER_AUTH_SERVICE_KEYS_0_HASH="+made.Hash,
		"CASBROKER_AUTH_SERVICE_KEYS_0_SCOPES=statements:write", "CASBROKER_AUTH_SERVICE_KEYS_0_ACTS_FOR=app")
	r.environ = append(r.environ, "BROKER_SERVICE_KEY="+made.Key, "BROKER_PDF_PASSWORD=ABCDE1234F")
	file := filepath.Join(writePDFs(t, "cdsl.pdf"), "cdsl.pdf")
	first, _ := r.must(t, cli.ExitOK, "parse", file, "--user", "app:asha")
	var latest struct{ ID, Provenance string }
	if status := ask(t, http.MethodGet, r.url+"/v1/portfolios/latest", ashaJWT(t), "", &latest); status != 200 || latest.Provenance != "verified" ||
		first != "cdsl.pdf  "+latest.ID+"\n" {
		t.Errorf("got %q, and %d %+v", first, status, latest)
	}
	r.must(t, cli.ExitFailed, "parse", file, "--user", "other:asha")
	r.environ = append(r.environ, "BROKER_PDF_PASSWORD=wrong")
	if _, errs := r.must(t, cli.ExitUsage, "parse", file, "--user", "app:rohan"); !strings.Contains(errs, "invalid_password") {
		t.Errorf("got %s", errs)
	}
}
