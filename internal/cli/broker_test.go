package cli_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"casbroker/internal/cli"
)

// remote are commands that send requests to a running broker.
var remote = [][]string{
	{"grants"},
	{"revoke", "--grant", "gr_1"},
	{"revoke", "--user", "app:42"},
	{"revoke", "--all", "--confirm", "revoke everything"},
	{"block", "app:42"},
	{"unblock", "app:42"},
	{"audit", "list"},
	{"audit", "export"},
	{"usage"},
	{"usage", "compare"},
	{"budgets"},
	{"log-level", "debug", "--until", "30m"},
	{"budgets", "raise", "user-day", "--credits", "5", "--until", "2h", "--user", "app:42"},
}

func TestEveryCommandSignsInAndOut(t *testing.T) {
	t.Parallel()
	for _, args := range remote {
		d := newFakeBroker(t, succeed)
		if code, _, errs := d.run(t, args...); code != cli.ExitOK || errs != "" {
			t.Errorf("%q: got exit code %d, %s", args, code, errs)
		}
		if requests := d.inSession(t); len(requests) != 1 {
			t.Errorf("%q: got %q", args, requests)
		}
	}
}

func TestEveryCommandSignsOutAfterAFailure(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]http.HandlerFunc{
		"refused":       func(w http.ResponseWriter, _ *http.Request) { problem(w, 500, "internal", "") },
		"not JSON":      answerJSON("<!doctype html>"),
		"not an object": answerJSON("[]"),
		"interrupted":   func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		for _, args := range remote {
			d := newFakeBroker(t, answer)
			if code, _, errs := d.run(t, args...); code != cli.ExitFailed {
				t.Errorf("%s: %q: got %d %s", name, args, code, errs)
			}
			d.inSession(t)
		}
	}
}

func TestCtrlCSignsOut(t *testing.T) {
	t.Parallel()
	for _, args := range remote {
		ctx, interrupt := context.WithCancel(t.Context())
		d := newFakeBroker(t, func(_ http.ResponseWriter, r *http.Request) {
			interrupt()
			<-r.Context().Done()
		})
		if code, _, errs := d.runUntil(ctx, t, args...); code != cli.ExitFailed || !strings.Contains(errs, "may or may not have been carried out") {
			t.Errorf("%q: got exit code %d, %s", args, code, errs)
		}
		d.inSession(t)
	}
}

// closedPipe is an output without a reader.
type closedPipe struct{}

// Write fails as a pipe without a reader does.
func (closedPipe) Write([]byte) (int, error) { return 0, syscall.EPIPE }

func TestClosedPipeSignsOut(t *testing.T) {
	t.Parallel()
	for _, args := range remote {
		d := newFakeBroker(t, succeed)
		var errs bytes.Buffer
		code := cli.Run(t.Context(), args, cli.Terminal{Out: closedPipe{}, Err: &errs, Environ: []string{"BROKER_URL=" + d.URL, "BROKER_KEY=" + adminKey}})
		if code != cli.ExitFailed || !strings.Contains(errs.String(), "broken pipe") {
			t.Errorf("%q: got exit code %d, %s", args, code, errs.String())
		}
		d.inSession(t)
	}
}

func TestFailedSignOutIsReported(t *testing.T) {
	t.Parallel()
	for status, reported := range map[int]bool{503: true, 401: false} {
		at := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch r.Method {
			case http.MethodPost:
				w.Header().Set("Set-Cookie", "casbroker_session=s1")
			case http.MethodDelete:
				problem(w, status, "some_code", "Some words.")
			default:
				succeed(w, r)
			}
		}))
		defer at.Close()
		code, _, errs := broker(t, []string{"BROKER_URL=" + at.URL, "BROKER_KEY=" + adminKey}, "grants")
		if code != cli.ExitOK || strings.Contains(errs, "could not be ended") != reported {
			t.Errorf("%d: got %d %q", status, code, errs)
		}
	}
}

func TestRedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("got %s %s at another server, want no request", r.Method, r.URL)
	}))
	defer other.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		away := func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL, status) }
		before := httptest.NewServer(http.HandlerFunc(away))
		defer before.Close()
		code, _, errs := broker(t, []string{"BROKER_URL=" + before.URL, "BROKER_KEY=" + adminKey}, "grants")
		if code != cli.ExitFailed || !strings.Contains(errs, "not followed") {
			t.Errorf("%d before the sign-in: %d %s", status, code, errs)
		}
		after := newFakeBroker(t, away)
		for i, args := range remote { // all commands share the code that refuses a redirect
			if i > 0 && status != http.StatusFound {
				break
			}
			if code, _, errs := after.run(t, args...); code != cli.ExitFailed || !strings.Contains(errs, "not followed") {
				t.Errorf("%d after it: %q: %d %s", status, args, code, errs)
			}
		}
	}
}

func TestKeyIsNotSentUnencrypted(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"http://broker.example", "http://10.0.0.1:8080", "http://[2001:db8::1]:8080", "http://localhost.example",
		"http://127.0.0.1.example", "http://0.0.0.0:8080", "http://[::ffff:192.0.2.1]", "HTTP://192.0.2.1",
	} {
		code, _, errs := broker(t, []string{"BROKER_KEY=" + adminKey}, "grants", "--url", url)
		if code != cli.ExitUsage || !strings.Contains(errs, "https") {
			t.Errorf("%s: got %d %s", url, code, errs)
		}
	}
	at := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("got a key at a server without a valid certificate")
	}))
	at.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // handshake errors are expected
	at.StartTLS()
	defer at.Close()
	if code, _, errs := broker(t, []string{"BROKER_KEY=" + adminKey}, "grants", "--url", at.URL); code != cli.ExitFailed || !strings.Contains(errs, "certificate") {
		t.Errorf("got exit code %d, %s", code, errs)
	}
}

func TestInvalidURLIsAUsageError(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"broker.example", "ftp://broker.example", "https://", "https://asha:hush@broker.example", "http://asha:hush@127.0.0.1",
		"https://broker.example?key=hush", "https://broker.example#hush", "https://hush:hush:hush", "127.0.0.1:8080",
	} {
		code, _, errs := broker(t, []string{"BROKER_URL=" + url, "BROKER_KEY=" + adminKey}, "grants")
		if code != cli.ExitUsage || !strings.Contains(errs, "BROKER_URL: want") || strings.Contains(errs, "hush") {
			t.Errorf("%s: got %d %s", url, code, errs)
		}
	}
	if code, _, errs := broker(t, nil, "grants"); code != cli.ExitUsage || !strings.Contains(errs, "--url") || !strings.Contains(errs, "BROKER_URL") {
		t.Errorf("none: %d %s", code, errs)
	}
}

func TestKeyComesFromAFileOrTheEnvironment(t *testing.T) {
	t.Parallel()
	d := newFakeBroker(t, succeed)
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte(adminKey+"\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(t.TempDir(), "other")
	if err := os.WriteFile(other, []byte("hush-a-password"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		environ []string
		flags   []string
		in      string
		code    int
		says    string
	}{
		"a file":                     {flags: []string{"--key-file", file}},
		"standard input":             {flags: []string{"--key-file", "-"}, in: adminKey + "\n"},
		"a file named by a variable": {environ: []string{"BROKER_KEY_FILE=" + file}},
		"a variable":                 {environ: []string{"BROKER_KEY=" + adminKey}},
		"a flag overrides variables": {environ: []string{"BROKER_KEY=cbk_x_y", "BROKER_KEY_FILE=" + other}, flags: []string{"--key-file", file}},
		"none":                       {code: cli.ExitUsage, says: "--key-file"},
		"two":                        {environ: []string{"BROKER_KEY=" + adminKey, "BROKER_KEY_FILE=" + file}, code: cli.ExitUsage, says: "not both"},
		"a missing file":             {flags: []string{"--key-file", file + "x"}, code: cli.ExitUsage, says: "no such file"},
		"a malformed key":            {flags: []string{"--key-file", other}, code: cli.ExitUsage, says: "cbk_"},
		"two lines":                  {flags: []string{"--key-file", "-"}, in: adminKey + "\n" + adminKey, code: cli.ExitUsage, says: "one line"},
		"nothing on standard input":  {flags: []string{"--key-file", "-"}, code: cli.ExitUsage, says: "cbk_"},
		"an unknown key":             {environ: []string{"BROKER_KEY=cbk_asha_hush"}, code: cli.ExitDenied, says: "no such admin key"},
	} {
		var out, errs bytes.Buffer
		code := cli.Run(t.Context(), append([]string{"grants", "--url", d.URL}, tt.flags...),
			cli.Terminal{In: strings.NewReader(tt.in), Out: &out, Err: &errs, Environ: tt.environ})
		if code != tt.code || !strings.Contains(errs.String(), tt.says) || strings.Contains(out.String()+errs.String(), "hush") {
			t.Errorf("%s: got %d %s", name, code, errs.String())
		}
	}
	if code, _, _ := broker(t, []string{"BROKER_URL=" + d.URL}, "grants", "--key", adminKey); code != cli.ExitUsage {
		t.Errorf("a key in the arguments: %d", code)
	}
}

func TestExitCodesOfRefusals(t *testing.T) {
	t.Parallel()
	for i, tt := range []struct {
		status int
		code   string
		exit   int
	}{
		{400, "invalid_query", cli.ExitUsage},
		{401, "unauthenticated", cli.ExitDenied},
		{403, "forbidden", cli.ExitDenied},
		{404, "grant_not_found", cli.ExitNoGrant},
		{404, "no_such_path", cli.ExitFailed},
		{422, "invalid_until", cli.ExitUsage},
		{429, "rate_limited", cli.ExitFailed},
		{500, "internal", cli.ExitFailed},
		{503, "store_unavailable", cli.ExitFailed},
	} {
		d := newFakeBroker(t, func(w http.ResponseWriter, _ *http.Request) {
			if tt.status == 429 {
				w.Header().Set("Retry-After", "100")
			}
			problem(w, tt.status, tt.code, "What \x1b[2Jto do.")
		})
		want := "broker: What ?[2Jto do. (" + tt.code + ", req_7)\n"
		if tt.status == 429 {
			want = strings.TrimSuffix(want, "\n") + "; try again in 1m40s\n"
		}
		for j, args := range remote { // each status with some commands, and each command with three, which share the mapping
			if (i+j)%3 != 0 {
				continue
			}
			if code, out, errs := d.run(t, args...); code != tt.exit || errs != want || out != "" {
				t.Errorf("%d %s: %q: %d, %q and %q", tt.status, tt.code, args, code, errs, out)
			}
		}
	}
}

func TestServerThatIsNotABrokerIsReported(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]http.HandlerFunc{
		"a page":            answerJSON("<html>"),
		"a page of errors":  func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "hush", http.StatusBadGateway) },
		"other problem":     func(w http.ResponseWriter, _ *http.Request) { problem(w, 401, "", "") },
		"nothing listens":   nil,
		"closed connection": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		at := httptest.NewServer(answer)
		if answer == nil {
			at.Close()
		}
		defer at.Close()
		code, _, errs := broker(t, []string{"BROKER_URL=" + at.URL, "BROKER_KEY=" + adminKey}, "grants")
		if code != cli.ExitFailed || !strings.HasPrefix(errs, "broker: ") || strings.Contains(errs, "hush") {
			t.Errorf("%s: got %d %s", name, code, errs)
		}
	}
}

func TestEndlessAnswerIsRefused(t *testing.T) {
	t.Parallel()
	d := newFakeBroker(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for piece := bytes.Repeat([]byte(" "), 1<<20); ; {
			if _, err := w.Write(piece); err != nil {
				return
			}
		}
	})
	if code, _, errs := d.run(t, "grants"); code != cli.ExitFailed || !strings.Contains(errs, "longer than") {
		t.Errorf("got exit code %d, %s", code, errs)
	}
	d.inSession(t)
}

func TestLongExportIsStreamed(t *testing.T) {
	t.Parallel()
	const pieces, size = 40, 1 << 20
	d := newFakeBroker(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/csv; charset=utf-8; header=present")
		for range pieces {
			_, _ = w.Write(bytes.Repeat([]byte("x"), size))
		}
	})
	code, out, errs := d.run(t, "audit", "export", "--format", "csv", "--subject", "app:42", "--outcome", "refused")
	if code != cli.ExitOK || len(out) != pieces*size {
		t.Errorf("got %d %d %s", code, len(out), errs)
	}
	if requests := d.inSession(t); !slices.Equal(requests, []string{"GET /admin/v1/audit/export?format=csv&outcome=refused&subject=app%3A42"}) {
		t.Errorf("got %q", requests)
	}
}

func TestInterruptedExportIsReportedAsIncomplete(t *testing.T) {
	t.Parallel()
	d := newFakeBroker(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-ndjson")
		_, _ = io.WriteString(w, "{}\n")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	if code, out, errs := d.run(t, "audit", "export"); code != cli.ExitFailed || out != "{}\n" || !strings.Contains(errs, "incomplete") {
		t.Errorf("got exit code %d, %q %s", code, out, errs)
	}
	d.inSession(t)
}

func TestListsReadAllPages(t *testing.T) {
	t.Parallel()
	for member, args := range map[string][]string{"grants": {"grants"}, "records": {"audit", "list"}} {
		page := 0
		d := newFakeBroker(t, func(w http.ResponseWriter, r *http.Request) {
			page++
			rows := strings.Repeat(`{"id":"x"},`, 200)
			if r.FormValue("limit") == "50" {
				rows = strings.Repeat(`{"id":"x"},`, 50)
			}
			w.Header().Set("Content-Type", "application/json")
			_, _ = fmt.Fprintf(w, `{%q:[%s],"next_cursor":"c%d"}`, member, strings.TrimSuffix(rows, ","), page)
		})
		code, out, errs := d.run(t, append(args, "--limit", "1050", "--json", "--since", "2026-04-01T12:00:00.5+05:30", "--until", "2026-05-01T00:00:00Z")...)
		requests := d.inSession(t)
		if code != cli.ExitOK || strings.Count(out, "{\"id\":\"x\"}\n") != 1050 || len(requests) < 6 {
			t.Errorf("%q: %d, %d rows of %q %s", args, code, strings.Count(out, "\n"), requests, errs)
		}
		for i, request := range requests {
			for _, part := range []string{"from=2026-04-01T06%3A30%3A00.5Z", "to=2026-05-01T00%3A00%3A00Z", "limit="} {
				if !strings.Contains(request, part) || (i > 0) != strings.Contains(request, fmt.Sprint("cursor=c", i)) {
					t.Errorf("%d: got %s", i, request)
				}
			}
		}
	}
}
