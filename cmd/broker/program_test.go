package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"casbroker/internal/testkit/logtest"
	"casbroker/internal/testkit/services"
)

const (
	issuer    = "https://app.example"
	audience  = "casbroker"
	jwtSecret = "Kq3vTz8mWx5rLb9nHc2yPd7sGj4fUe6aRwQh"
)

// program is a built broker that runs as its own process.
type program struct {
	t       *testing.T
	path    string
	folder  string // contains the database
	address string
	extra   []string // settings that replace those of settings
	client  *http.Client
	cmd     *exec.Cmd
	output  *logtest.Log
}

// programs contains the built broker, and is removed at the end of the tests.
var programs string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	var err error
	if programs, err = os.MkdirTemp("", "casbroker-program-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(programs) }()
	return m.Run()
}

// built builds the broker once, without the race detector, and returns its path.
var built = sync.OnceValues(func() (path string, err error) {
	path = filepath.Join(programs, "broker")
	cmd := exec.CommandContext(context.Background(), "go", "build", "-buildvcs=false", "-o", path, ".") //nolint:gosec // our own program
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, nil
})

// build returns a broker with a folder of its own, which all tests build together.
func build(t *testing.T) *program {
	t.Helper()
	path, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return &program{t: t, path: path, folder: services.TempDir(t), client: &http.Client{Timeout: time.Minute}}
}

// start starts the broker and waits until it is ready.
func (p *program) start() {
	p.t.Helper()
	p.prepare()
	p.run()
}

// prepare makes p.cmd.
func (p *program) prepare() {
	p.t.Helper()
	if p.address == "" {
		p.address = free(p.t)
	}
	p.output = &logtest.Log{}
	p.cmd = exec.CommandContext(p.t.Context(), p.path, "serve") //nolint:gosec // as above
	p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = append(append(os.Environ(), p.settings()...), p.extra...), p.output, p.output
}

// run runs p.cmd until the end of the test, and returns once the broker is ready.
func (p *program) run() {
	p.t.Helper()
	p.launch()
	p.wait("/readyz", http.StatusOK)
}

// launch runs p.cmd until the end of the test.
func (p *program) launch() {
	p.t.Helper()
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(p.kill)
}

// wait returns once a GET of path has this status.
func (p *program) wait(path string, status int) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 30*time.Second)
	defer cancel()
	retry := time.NewTicker(20 * time.Millisecond)
	defer retry.Stop()
	for {
		if r, err := p.call(ctx, "", http.MethodGet, path, nil); err == nil && r.status == status {
			return
		}
		select {
		case <-ctx.Done():
			p.t.Fatalf("no %d of %s: %s", status, path, p.output)
		case <-retry.C:
		}
	}
}

// printed waits for output that matches pattern, which may come after the broker is ready,
// and returns it.
func (p *program) printed(pattern *regexp.Regexp) string {
	p.t.Helper()
	deadline := time.After(10 * time.Second)
	retry := time.NewTicker(20 * time.Millisecond)
	defer retry.Stop()
	for {
		if found := pattern.FindString(p.output.String()); found != "" {
			return found
		}
		select {
		case <-deadline:
			p.t.Fatalf("no %s in the output: %s", pattern, p.output)
		case <-retry.C:
		}
	}
}

// kill ends the broker at once, without a shutdown.
func (p *program) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

func free(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// settings returns those of production, without limits on saving and reading.
func (p *program) settings() []string {
	key := func(last string) string {
		return base64.StdEncoding.EncodeToString([]byte("a-key-for-tests-0123456789-abcd" + last))
	}
	list := []string{
		"GOGC=100", // not that of the tests
		"CASBROKER_SERVER_ADDRESS=" + p.address,
		"CASBROKER_UPSTREAM_URL=http://127.0.0.1:9", "CASBROKER_UPSTREAM_API_KEY=a-key-that-is-never-used",
		"CASBROKER_STORE_URL=sqlite:" + filepath.Join(p.folder, "broker.db"),
		"CASBROKER_SEAL_HASH_KEY=" + key("e"), "CASBROKER_SEAL_KEYS_0_ID=k1", "CASBROKER_SEAL_KEYS_0_KEY=" + key("f"),
		"CASBROKER_AUTH_VERIFIERS_0_NAME=app", "CASBROKER_AUTH_VERIFIERS_0_ISSUER=" + issuer,
		"CASBROKER_AUTH_VERIFIERS_0_AUDIENCE=" + audience, "CASBROKER_AUTH_VERIFIERS_0_ALGORITHMS=HS256",
		"CASBROKER_AUTH_VERIFIERS_0_SECRET=" + jwtSecret,
	}
	for _, class := range []string{"SAVE", "READ"} {
		for _, whose := range []string{"USER", "ADDRESS", "ALL"} {
			list = append(list, fmt.Sprintf("CASBROKER_RATELIMIT_%s_%s=", class, whose))
		}
	}
	return list
}

// token returns a JWT of user.
func token(t *testing.T, user string) string {
	t.Helper()
	now := time.Now()
	text, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.RegisteredClaims{
		Issuer: issuer, Audience: jwt.ClaimStrings{audience}, Subject: user,
		IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(time.Hour)),
	}).SignedString([]byte(jwtSecret))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// reply is a complete answer.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// call sends one request, with jwt unless it is "".
func (p *program) call(ctx context.Context, jwt, method, path string, body []byte) (reply, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+p.address+path, bytes.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	if jwt != "" {
		req.Header.Set("Authorization", "Bearer "+jwt)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := p.client.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(res.Body)
	return reply{res.StatusCode, res.Header, answer}, err
}

// must is call that fails the test unless the status is as given. It decodes the body into v.
func (p *program) must(jwt, method, path string, body []byte, status int, v any) {
	p.t.Helper()
	r, err := p.call(p.t.Context(), jwt, method, path, body)
	if err != nil || r.status != status {
		p.t.Fatalf("%s %s: got %v, %d %s", method, path, err, r.status, r.body)
	}
	if v == nil {
		return
	}
	if err := json.Unmarshal(r.body, v); err != nil {
		p.t.Fatalf("%v in %s", err, r.body)
	}
}
