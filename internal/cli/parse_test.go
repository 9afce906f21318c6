package cli_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"

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
			!strings.HasPrefix(r.Header.Get("Idempotency-Key"), "parse-") || !strings.HasPrefix(r.URL.Path, "/v1/users/app:4") {
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
		!strings.Contains(errs, "[####################] 3 of 3: c.pdf") || !strings.Contains(errs, "1 of 3") || strings.Contains(out+errs, "ABCDE1234F") {
		t.Errorf("got %d, %d requests: %s%s", code, sent.Load(), out, errs)
	}
	mended.Store(true)
	if code, out, errs = broker(t, environ, "parse", folder, "--user", "app:42"); code != cli.ExitOK || sent.Load() != 4 || out != "bad.PDF  pf_4\n" ||
		!strings.Contains(errs, "1 of 3: a.pdf (saved before)\n") {
		t.Errorf("got %d, %d requests: %s%s", code, sent.Load(), out, errs)
	}
	// The report is about one user: the same files are sent for another one.
	if code, _, errs = broker(t, environ, "parse", folder, "--user", "app:42"); code != cli.ExitOK || sent.Load() != 4 {
		t.Errorf("got %d, %d requests: %s", code, sent.Load(), errs)
	}
	code, _, errs = broker(t, environ, "parse", folder, "--user", "app:43")
	if code != cli.ExitOK || sent.Load() != 7 {
		t.Errorf("got %d, %d requests: %s, want the files sent for another user", code, sent.Load(), errs)
	}
}

func TestStatementOnStandardInputIsParsed(t *testing.T) {
	t.Parallel()
	const pdf = "%PDF-1.4\n% cdsl\n%%EOF\n"
	var got []string
	d := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		file, _, err := r.FormFile("pdf_file")
		if err != nil {
			t.Error(err)
			return
		}
		content, err := io.ReadAll(file)
		if err != nil {
			t.Error(err)
		}
		got = append(got, string(content))
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"id":"pf_1","created":false}`)
	}))
	t.Cleanup(d.Close)
	environ := []string{"BROKER_URL=" + d.URL, "BROKER_SERVICE_KEY=a-service-key", "BROKER_PDF_PASSWORD=ABCDE1234F"}
	report := filepath.Join(t.TempDir(), "report.jsonl")
	parse := func(in io.Reader, args ...string) (code int, out, errs string) {
		var o, e bytes.Buffer
		code = cli.Run(t.Context(), append([]string{"parse", "-", "--user", "app:42"}, args...), cli.Terminal{In: in, Out: &o, Err: &e, Environ: environ})
		return code, o.String(), e.String()
	}
	if code, out, errs := parse(strings.NewReader(pdf), "--report", report); code != cli.ExitOK || out != "-  pf_1 (known)\n" || errs != "" {
		t.Errorf("got %d %q %q", code, out, errs)
	}
	if len(got) != 1 || got[0] != pdf {
		t.Errorf("the broker got %q, want the PDF as it was given", got)
	}
	line, err := os.ReadFile(report) //nolint:gosec // of the test
	if err != nil || !strings.Contains(string(line), `"user":"app:42"`) || !strings.Contains(string(line), `"portfolio_id":"pf_1"`) {
		t.Errorf("got the report %s, %v", line, err)
	}
	for name, c := range map[string]struct {
		in   io.Reader
		want string
	}{
		"too long":   {io.LimitReader(zeros{}, 12<<20), "longer than 10 MB"},
		"unreadable": {iotest.ErrReader(errors.New("the disk is gone")), "the disk is gone"},
	} {
		if code, _, errs := parse(c.in); code == cli.ExitOK || !strings.Contains(errs, c.want) || len(got) != 1 {
			t.Errorf("%s: got %d %s and %d requests", name, code, errs, len(got))
		}
	}
}

// zeros is an endless file.
type zeros struct{}

// Read fills p with zeros.
func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
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
