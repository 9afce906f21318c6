package cli_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"casbroker/internal/cli"
)

// brokenDatabaseURLs are addresses of databases with the password hush-hush-hush, which
// cannot be read, or of which none answers.
var brokenDatabaseURLs = []string{
	"host=127.0.0.1 port=1 user=bob password=hush-hush-hush dbname=x",
	"host=127.0.0.1 port=1 user=bob password='hush-hush-hush too' dbname=x",
	"postgres:host=127.0.0.1 port=1 user=bob password='hush-hush-hush too' dbname=x",
	"postgres://bob:hush-hush-hush@127.0.0.1:1/x?sslmode=disable",
	"postgres://bob:hush-hush-hush@127.0.0.1:none/x",
	"postgres://bob:12/hush-hush-hush@127.0.0.1:1/x",
	"postgres://bob:12?hush-hush-hush@127.0.0.1:1/x",
	"postgres://bob:12#hush-hush-hush@127.0.0.1:1/x",
	"postgres://bob:hush-hush-hush",
	"postgres://bob:%zzhush-hush-hush@127.0.0.1:1/x",
	"postgres://127.0.0.1:1/x?user=bob&password=hush-hush-hush&sslmode=disable",
	"postgres://127.0.0.1:1/x?user=bob&pass%77ord=hush-hush-hush&sslmode=wrong",
	"postgres://127.0.0.1:1/x?sslmode=disable&password=hush-hush-hush&connect_timeout=hush-hush-hush",
	"hush-hush-hush",
}

func TestNoCommandShowsThePasswordOfADatabase(t *testing.T) {
	t.Parallel()
	for i, url := range brokenDatabaseURLs {
		file := filepath.Join(t.TempDir(), "broker.yaml")
		if err := os.WriteFile(file, []byte("store:\n  url: \""+url+"\"\nlog:\n  level: debug\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		environ := good(t)[1:]
		for _, command := range []string{"config print", "config check", "migrate", "seal verify", "seal rotate", "audit verify", "serve --address 127.0.0.1:0"} {
			code, out, errs := brokerUntil(t, "it is migrated once it can be reached", environ, append(strings.Fields(command), "--config", file)...)
			if strings.Contains(out+errs, "hush-hush") {
				t.Errorf("%s, URL %d: got %d and\n%s%s", command, i, code, out, errs)
			}
			waits := strings.HasPrefix(command, "serve") && strings.Contains(out+errs, "it is migrated once it can be reached")
			if code == cli.ExitOK && !waits && !strings.HasPrefix(command, "config") {
				t.Errorf("%s, URL %d: got no error", command, i)
			}
		}
	}
}

// brokerUntil is like broker, for a command that may not end by itself: it is told to once it
// prints a text.
func brokerUntil(t *testing.T, text string, environ []string, args ...string) (code int, out, errs string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	o, e := &output{until: text, found: cancel}, &output{until: text, found: cancel}
	code = cli.Run(ctx, args, cli.Terminal{Out: o, Err: e, Environ: environ})
	return code, o.String(), e.String()
}

// output is what a command prints. It calls found once it contains until.
type output struct {
	until string
	found func()

	mu   sync.Mutex
	text strings.Builder
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n, err := o.text.Write(b)
	if strings.Contains(o.text.String(), o.until) {
		o.found()
	}
	return n, err
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func TestConfigPrintHidesCredentialsInEachURL(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "broker.yaml")
	if err := os.WriteFile(file, []byte(`
upstream: {url: "https://bob:hush-hush-hush@api.example"}
server: {public_url: "https://broker.example?password=hush-hush-hush"}
auth: {verifiers: [{issuer: "https://bob:hush-hush-hush@app.example", jwks_url: "https://bob:hush-hush-hush@app.example/keys"}]}
inbound: {url: "https://bob:hush-hush-hush@in.example"}
audit: {anchor: {url: "https://bob:hush-hush-hush@anchor.example"}}
web: {widget_url: "https://bob:hush-hush-hush@cdn.example/x.js"}
`), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, errs := broker(t, nil, "config", "print", "--config", file)
	if code != cli.ExitOK || strings.Contains(out+errs, "hush-hush") || !strings.Contains(out, "url: https://hidden@api.example\n") ||
		!strings.Contains(out, "jwks_url: https://hidden@app.example/keys\n") {
		t.Errorf("got %d %s %s", code, out, errs)
	}
	if code, _, errs := broker(t, nil, "config", "check", "--config", file); code != cli.ExitUsage || strings.Contains(errs, "hush-hush") {
		t.Errorf("got %d %s", code, errs)
	}
}
