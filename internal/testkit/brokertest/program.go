// Package brokertest runs the built broker as its own process, which tests can start, kill,
// freeze and stop.
package brokertest

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
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"casbroker/internal/testkit/logtest"
	"casbroker/internal/testkit/services"
)

const (
	issuer   = "https://app.example"
	audience = "casbroker"

	// Secret is what JWTs of the app's users are signed with.
	Secret = "Kq3vTz8mWx5rLb9nHc2yPd7sGj4fUe6aRwQh" //nolint:gosec // of tests only
)

// Program is a built broker that runs as its own process until the test ends.
type Program struct {
	T       testing.TB
	Path    string   // of the program
	Folder  string   // contains the database, unless Extra names another
	Address string   // where it listens: host and port; set by Prepare if it is ""
	Extra   []string // settings that replace those of Settings
	Client  *http.Client
	Cmd     *exec.Cmd
	Output  *logtest.Log // of the last start
}

// built builds the broker once, without the race detector, and returns its path. Go keeps
// what it built, so that the next test binary copies it.
var built = sync.OnceValues(func() (string, error) {
	folder, err := services.ProgramDir()
	if err != nil {
		return "", err
	}
	path := filepath.Join(folder, "broker")
	cmd := exec.CommandContext(context.Background(), "go", "run", "-buildvcs=false", "-exec", "cp", "casbroker/cmd/broker", path) //nolint:gosec // our own program
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the broker: %w: %s", err, out)
	}
	return path, nil
})

// New returns a broker with a folder of its own, whose settings are those of production,
// without limits on saving and reading, but for further ones in the form NAME=value.
func New(t testing.TB, settings ...string) *Program {
	t.Helper()
	path, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return &Program{T: t, Path: path, Folder: services.TempDir(t), Extra: settings, Client: &http.Client{Timeout: time.Minute}}
}

// Start starts the broker and waits until it is ready.
func (p *Program) Start() {
	p.T.Helper()
	p.Prepare()
	p.Run()
}

// Prepare makes p.Cmd.
func (p *Program) Prepare() {
	p.T.Helper()
	if p.Address == "" {
		p.Address = Free(p.T)
	}
	p.Output = &logtest.Log{}
	p.Cmd = exec.CommandContext(p.T.Context(), p.Path, "serve") //nolint:gosec // as above
	endWithTest(p.Cmd)
	p.Cmd.Env, p.Cmd.Stdout, p.Cmd.Stderr = append(append(os.Environ(), p.Settings()...), p.Extra...), p.Output, p.Output
}

// Run runs p.Cmd until the end of the test, and returns once the broker is ready.
func (p *Program) Run() {
	p.T.Helper()
	p.Launch()
	p.Wait("/readyz", http.StatusOK)
}

// Launch runs p.Cmd until the end of the test.
func (p *Program) Launch() {
	p.T.Helper()
	if err := p.Cmd.Start(); err != nil {
		p.T.Fatal(err)
	}
	p.T.Cleanup(p.Kill)
}

// Wait returns once a GET of path has this status.
func (p *Program) Wait(path string, status int) {
	p.T.Helper()
	ctx, cancel := context.WithTimeout(p.T.Context(), 30*time.Second)
	defer cancel()
	retry := time.NewTicker(20 * time.Millisecond)
	defer retry.Stop()
	for {
		if r, err := p.Call(ctx, "", http.MethodGet, path, nil); err == nil && r.Status == status {
			return
		}
		select {
		case <-ctx.Done():
			p.T.Fatalf("no %d of %s: %s", status, path, p.Output)
		case <-retry.C:
		}
	}
}

// Printed waits for output that matches pattern, which may come after the broker is ready,
// and returns it.
func (p *Program) Printed(pattern *regexp.Regexp) string {
	p.T.Helper()
	deadline := time.After(10 * time.Second)
	retry := time.NewTicker(20 * time.Millisecond)
	defer retry.Stop()
	for {
		if found := pattern.FindString(p.Output.String()); found != "" {
			return found
		}
		select {
		case <-deadline:
			p.T.Fatalf("no %s in the output: %s", pattern, p.Output)
		case <-retry.C:
		}
	}
}

// Kill ends the broker at once, without a shutdown.
func (p *Program) Kill() {
	_ = p.Cmd.Process.Kill()
	_ = p.Cmd.Wait()
}

// Stop ends the broker as an operator does, and returns once it has ended. It fails the
// test if the broker ends with an error.
func (p *Program) Stop() {
	p.T.Helper()
	p.signal(syscall.SIGTERM)
	if err := p.Cmd.Wait(); err != nil {
		p.T.Errorf("the broker ended with %v: %s", err, p.Output)
	}
}

func (p *Program) signal(s os.Signal) {
	p.T.Helper()
	if err := p.Cmd.Process.Signal(s); err != nil {
		p.T.Fatal(err)
	}
}

// Free returns an address of this machine on which nothing listens.
func Free(t testing.TB) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// Settings returns those of production, without limits on saving and reading.
func (p *Program) Settings() []string {
	key := func(last string) string {
		return base64.StdEncoding.EncodeToString([]byte("a-key-for-tests-0123456789-abcd" + last))
	}
	list := []string{
		"GOGC=100", // not that of the tests
		"CASBROKER_SERVER_ADDRESS=" + p.Address,
		"CASBROKER_UPSTREAM_URL=http://127.0.0.1:9", "CASBROKER_UPSTREAM_API_KEY=a-key-that-is-never-used",
		"CASBROKER_STORE_URL=sqlite:" + filepath.Join(p.Folder, "broker.db"),
		"CASBROKER_SEAL_HASH_KEY=" + key("e"), "CASBROKER_SEAL_KEYS_0_ID=k1", "CASBROKER_SEAL_KEYS_0_KEY=" + key("f"),
		"CASBROKER_AUTH_VERIFIERS_0_NAME=app", "CASBROKER_AUTH_VERIFIERS_0_ISSUER=" + issuer,
		"CASBROKER_AUTH_VERIFIERS_0_AUDIENCE=" + audience, "CASBROKER_AUTH_VERIFIERS_0_ALGORITHMS=HS256",
		"CASBROKER_AUTH_VERIFIERS_0_SECRET=" + Secret,
	}
	for _, class := range []string{"SAVE", "READ"} {
		for _, whose := range []string{"USER", "ADDRESS", "ALL"} {
			list = append(list, fmt.Sprintf("CASBROKER_RATELIMIT_%s_%s=", class, whose))
		}
	}
	return list
}

// The values of the claim scope that give a caller a role.
const (
	Admin   = "casbroker:admin"
	Service = "casbroker:service"
)

// Token returns a JWT of user, with roles such as Admin.
func Token(t testing.TB, user string, roles ...string) string {
	t.Helper()
	return TokenAt(t, time.Now(), user, roles...)
}

// TokenAt is Token with the time at which the JWT is issued, an hour before its end.
func TokenAt(t testing.TB, now time.Time, user string, roles ...string) string {
	t.Helper()
	text, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"iss": issuer, "aud": audience, "sub": user, "scope": strings.Join(roles, " "),
		"iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	}).SignedString([]byte(Secret))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Reply is a complete answer.
type Reply struct {
	Status int
	Header http.Header
	Body   []byte
}

// Call sends one request, with jwt unless it is "". header has pairs of name and value.
func (p *Program) Call(ctx context.Context, jwt, method, path string, body []byte, header ...string) (Reply, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+p.Address+path, bytes.NewReader(body))
	if err != nil {
		return Reply{}, err
	}
	if jwt != "" {
		req.Header.Set("Authorization", "Bearer "+jwt)
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := p.Client.Do(req)
	if err != nil {
		return Reply{}, err
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(res.Body)
	return Reply{res.StatusCode, res.Header, answer}, err
}

// Must is call that fails the test unless the status is as given. It decodes the body into v.
func (p *Program) Must(jwt, method, path string, body []byte, status int, v any) {
	p.T.Helper()
	r, err := p.Call(p.T.Context(), jwt, method, path, body)
	if err != nil || r.Status != status {
		p.T.Fatalf("%s %s: got %v, %d %s", method, path, err, r.Status, r.Body)
	}
	if v == nil {
		return
	}
	if err := json.Unmarshal(r.Body, v); err != nil {
		p.T.Fatalf("%v in %s", err, r.Body)
	}
}
