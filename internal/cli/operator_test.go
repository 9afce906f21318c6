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

// operating are command lines that ask a running broker.
var operating = [][]string{
	{"grants"},
	{"revoke", "--grant", "gr_1"},
	{"revoke", "--user", "app:42"},
	{"revoke", "--all", "--confirm", "revoke everything"},
	{"block", "app:42"},
	{"unblock", "app:42"},
	{"audit", "list"},
	{"audit", "export"},
}

func TestEveryCommandSignsInAndOutAgain(t *testing.T) {
	t.Parallel()
	for _, args := range operating {
		d := newDesk(t, agree)
		if code, _, errs := d.run(t, args...); code != cli.ExitOK || errs != "" {
			t.Errorf("%q: %d %s", args, code, errs)
		}
		if asked := d.between(t); len(asked) != 1 {
			t.Errorf("%q: %q", args, asked)
		}
	}
}

func TestEveryCommandSignsOutWhenItFails(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]http.HandlerFunc{
		"refused":       func(w http.ResponseWriter, _ *http.Request) { problem(w, 500, "internal", "") },
		"not JSON":      says("<!doctype html>"),
		"not an object": says("[]"),
		"broken off":    func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		for _, args := range operating {
			d := newDesk(t, answer)
			if code, _, errs := d.run(t, args...); code != cli.ExitFailed {
				t.Errorf("%s: %q: %d %s", name, args, code, errs)
			}
			d.between(t)
		}
	}
}

func TestWhoPressesCtrlCIsSignedOut(t *testing.T) {
	t.Parallel()
	for _, args := range operating {
		ctx, interrupt := context.WithCancel(t.Context())
		d := newDesk(t, func(_ http.ResponseWriter, r *http.Request) {
			interrupt()
			<-r.Context().Done()
		})
		if code, _, errs := d.runUntil(ctx, t, args...); code != cli.ExitFailed || !strings.Contains(errs, "may be done, or not") {
			t.Errorf("%q: %d %s", args, code, errs)
		}
		d.between(t)
	}
}

// gone is the output once its reader has gone away.
type gone struct{}

// Write fails as a pipe without a reader does.
func (gone) Write([]byte) (int, error) { return 0, syscall.EPIPE }

func TestWhoseReaderGoesAwayIsSignedOut(t *testing.T) {
	t.Parallel()
	for _, args := range operating {
		d := newDesk(t, agree)
		var errs bytes.Buffer
		code := cli.Run(t.Context(), args, cli.Terminal{Out: gone{}, Err: &errs, Environ: []string{"BROKER_URL=" + d.URL, "BROKER_KEY=" + adminKey}})
		if code != cli.ExitFailed || !strings.Contains(errs.String(), "broken pipe") {
			t.Errorf("%q: %d %s", args, code, errs.String())
		}
		d.between(t)
	}
}

func TestASessionThatCannotBeEndedIsSaid(t *testing.T) {
	t.Parallel()
	for status, said := range map[int]bool{503: true, 401: false} {
		at := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch r.Method {
			case http.MethodPost:
				w.Header().Set("Set-Cookie", "casbroker_session=s1")
			case http.MethodDelete:
				problem(w, status, "some_code", "Some words.")
			default:
				agree(w, r)
			}
		}))
		defer at.Close()
		code, _, errs := broker(t, []string{"BROKER_URL=" + at.URL, "BROKER_KEY=" + adminKey}, "grants")
		if code != cli.ExitOK || strings.Contains(errs, "could not be ended") != said {
			t.Errorf("%d: %d %q", status, code, errs)
		}
	}
}

func TestARedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	stranger := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("%s %s reached a stranger", r.Method, r.URL)
	}))
	defer stranger.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		away := func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, stranger.URL, status) }
		before := httptest.NewServer(http.HandlerFunc(away))
		defer before.Close()
		code, _, errs := broker(t, []string{"BROKER_URL=" + before.URL, "BROKER_KEY=" + adminKey}, "grants")
		if code != cli.ExitFailed || !strings.Contains(errs, "not followed") {
			t.Errorf("%d before the sign-in: %d %s", status, code, errs)
		}
		after := newDesk(t, away)
		for _, args := range operating {
			if code, _, errs := after.run(t, args...); code != cli.ExitFailed || !strings.Contains(errs, "not followed") {
				t.Errorf("%d after it: %q: %d %s", status, args, code, errs)
			}
		}
	}
}

func TestAKeyDoesNotCrossTheNetworkUnencrypted(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"http://broker.example", "http://10.0.0.1:8080", "http://[2001:db8::1]:8080", "http://localhost.example",
		"http://127.0.0.1.example", "http://0.0.0.0:8080", "http://[::ffff:192.0.2.1]", "HTTP://192.0.2.1",
	} {
		code, _, errs := broker(t, []string{"BROKER_KEY=" + adminKey}, "grants", "--url", url)
		if code != cli.ExitUsage || !strings.Contains(errs, "https") {
			t.Errorf("%s: %d %s", url, code, errs)
		}
	}
	at := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("a key was sent to whoever cannot prove who they are")
	}))
	at.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // tells of the handshake
	at.StartTLS()
	defer at.Close()
	if code, _, errs := broker(t, []string{"BROKER_KEY=" + adminKey}, "grants", "--url", at.URL); code != cli.ExitFailed || !strings.Contains(errs, "certificate") {
		t.Errorf("%d %s", code, errs)
	}
}

func TestAnAddressThatIsNoneIsAUsageError(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"broker.example", "ftp://broker.example", "https://", "https://asha:hush@broker.example", "http://asha:hush@127.0.0.1",
		"https://broker.example?key=hush", "https://broker.example#hush", "https://hush:hush:hush", "127.0.0.1:8080",
	} {
		code, _, errs := broker(t, []string{"BROKER_URL=" + url, "BROKER_KEY=" + adminKey}, "grants")
		if code != cli.ExitUsage || !strings.Contains(errs, "--url") || strings.Contains(errs, "hush") {
			t.Errorf("%s: %d %s", url, code, errs)
		}
	}
	if code, _, errs := broker(t, nil, "grants"); code != cli.ExitUsage || !strings.Contains(errs, "--url") || !strings.Contains(errs, "BROKER_URL") {
		t.Errorf("none: %d %s", code, errs)
	}
}

func TestTheKeyComesFromAFileOrTheEnvironment(t *testing.T) {
	t.Parallel()
	d := newDesk(t, agree)
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
		"a file":                         {flags: []string{"--key-file", file}},
		"standard input":                 {flags: []string{"--key-file", "-"}, in: adminKey + "\n"},
		"a file that a variable names":   {environ: []string{"BROKER_KEY_FILE=" + file}},
		"a variable":                     {environ: []string{"BROKER_KEY=" + adminKey}},
		"a flag goes over variables":     {environ: []string{"BROKER_KEY=cbk_x_y", "BROKER_KEY_FILE=" + other}, flags: []string{"--key-file", file}},
		"none":                           {code: cli.ExitUsage, says: "--key-file"},
		"two":                            {environ: []string{"BROKER_KEY=" + adminKey, "BROKER_KEY_FILE=" + file}, code: cli.ExitUsage, says: "not both"},
		"a file that is not there":       {flags: []string{"--key-file", file + "x"}, code: cli.ExitUsage, says: "no such file"},
		"what is no key":                 {flags: []string{"--key-file", other}, code: cli.ExitUsage, says: "cbk_"},
		"two lines":                      {flags: []string{"--key-file", "-"}, in: adminKey + "\n" + adminKey, code: cli.ExitUsage, says: "one line"},
		"nothing on standard input":      {flags: []string{"--key-file", "-"}, code: cli.ExitUsage, says: "cbk_"},
		"a key that the broker does not": {environ: []string{"BROKER_KEY=cbk_asha_hush"}, code: cli.ExitDenied, says: "no such admin key"},
	} {
		var out, errs bytes.Buffer
		code := cli.Run(t.Context(), append([]string{"grants", "--url", d.URL}, tt.flags...),
			cli.Terminal{In: strings.NewReader(tt.in), Out: &out, Err: &errs, Environ: tt.environ})
		if code != tt.code || !strings.Contains(errs.String(), tt.says) || strings.Contains(out.String()+errs.String(), "hush") {
			t.Errorf("%s: %d %s", name, code, errs.String())
		}
	}
	if code, _, _ := broker(t, []string{"BROKER_URL=" + d.URL}, "grants", "--key", adminKey); code != cli.ExitUsage {
		t.Errorf("a key in the arguments: %d", code)
	}
}

func TestTheExitCodeTellsScriptsWhatTheBrokerSaid(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
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
		d := newDesk(t, func(w http.ResponseWriter, _ *http.Request) {
			if tt.status == 429 {
				w.Header().Set("Retry-After", "100")
			}
			problem(w, tt.status, tt.code, "What \x1b[2Jto do.")
		})
		want := "broker: What ?[2Jto do. (" + tt.code + ", req_7)\n"
		if tt.status == 429 {
			want = strings.TrimSuffix(want, "\n") + "; try again in 1m40s\n"
		}
		for _, args := range operating {
			if code, out, errs := d.run(t, args...); code != tt.exit || errs != want || out != "" {
				t.Errorf("%d %s: %q: %d, %q and %q", tt.status, tt.code, args, code, errs, out)
			}
		}
	}
}

func TestWhatIsNoBrokerIsTold(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]http.HandlerFunc{
		"a page":               says("<html>"),
		"a page of errors":     func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "hush", http.StatusBadGateway) },
		"another's problem":    func(w http.ResponseWriter, _ *http.Request) { problem(w, 401, "", "") },
		"nobody who listens":   nil,
		"who puts the line up": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		at := httptest.NewServer(answer)
		if answer == nil {
			at.Close()
		}
		defer at.Close()
		code, _, errs := broker(t, []string{"BROKER_URL=" + at.URL, "BROKER_KEY=" + adminKey}, "grants")
		if code != cli.ExitFailed || !strings.HasPrefix(errs, "broker: ") || strings.Contains(errs, "hush") {
			t.Errorf("%s: %d %s", name, code, errs)
		}
	}
}

func TestAnAnswerWithoutEndIsNotTaken(t *testing.T) {
	t.Parallel()
	d := newDesk(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for piece := bytes.Repeat([]byte(" "), 1<<20); ; {
			if _, err := w.Write(piece); err != nil {
				return
			}
		}
	})
	if code, _, errs := d.run(t, "grants"); code != cli.ExitFailed || !strings.Contains(errs, "longer than") {
		t.Errorf("%d %s", code, errs)
	}
	d.between(t)
}

func TestAnExportStreamsHoweverLongItIs(t *testing.T) {
	t.Parallel()
	const pieces, size = 40, 1 << 20
	d := newDesk(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/csv; charset=utf-8; header=present")
		for range pieces {
			_, _ = w.Write(bytes.Repeat([]byte("x"), size))
		}
	})
	code, out, errs := d.run(t, "audit", "export", "--format", "csv", "--subject", "app:42", "--outcome", "refused")
	if code != cli.ExitOK || len(out) != pieces*size {
		t.Errorf("%d %d %s", code, len(out), errs)
	}
	if asked := d.between(t); !slices.Equal(asked, []string{"GET /admin/v1/audit/export?format=csv&outcome=refused&subject=app%3A42"}) {
		t.Errorf("%q", asked)
	}
}

func TestAnExportThatBreaksOffIsSaidNotToBeWhole(t *testing.T) {
	t.Parallel()
	d := newDesk(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-ndjson")
		_, _ = io.WriteString(w, "{}\n")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	if code, out, errs := d.run(t, "audit", "export"); code != cli.ExitFailed || out != "{}\n" || !strings.Contains(errs, "not whole") {
		t.Errorf("%d %q %s", code, out, errs)
	}
	d.between(t)
}

func TestListsGoThroughPages(t *testing.T) {
	t.Parallel()
	for member, args := range map[string][]string{"grants": {"grants"}, "records": {"audit", "list"}} {
		page := 0
		d := newDesk(t, func(w http.ResponseWriter, r *http.Request) {
			page++
			rows := strings.Repeat(`{"id":"x"},`, 200)
			if r.FormValue("limit") == "50" {
				rows = strings.Repeat(`{"id":"x"},`, 50)
			}
			w.Header().Set("Content-Type", "application/json")
			_, _ = fmt.Fprintf(w, `{%q:[%s],"next_cursor":"c%d"}`, member, strings.TrimSuffix(rows, ","), page)
		})
		code, out, errs := d.run(t, append(args, "--limit", "1050", "--json", "--since", "2026-04-01T12:00:00.5+05:30", "--until", "2026-05-01T00:00:00Z")...)
		asked := d.between(t)
		if code != cli.ExitOK || strings.Count(out, "{\"id\":\"x\"}\n") != 1050 || len(asked) < 6 {
			t.Errorf("%q: %d, %d rows of %q %s", args, code, strings.Count(out, "\n"), asked, errs)
		}
		for i, request := range asked {
			for _, part := range []string{"from=2026-04-01T06%3A30%3A00.5Z", "to=2026-05-01T00%3A00%3A00Z", "limit="} {
				if !strings.Contains(request, part) || (i > 0) != strings.Contains(request, fmt.Sprint("cursor=c", i)) {
					t.Errorf("%d: %s", i, request)
				}
			}
		}
	}
}
