// Package services starts the real services for tests: Redis, PostgreSQL, nginx, Caddy and
// Chromium, and runs Node.js and Python. Services are processes on free ports, with
// temporary folders, that end with the test binary, even if that is killed. What does not change between
// runs (a new PostgreSQL cluster, npm packages) is kept in casbroker-tests in the user's
// cache folder, which may be deleted. TEST_REDIS_URL and TEST_POSTGRES_URL name services
// to use instead. If a program is missing, the test is skipped with a line
// that names it; with CI=true it fails.
package services

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// supervise runs a command until standard input is closed, which happens when the test
// binary ends, even by SIGKILL. "$0" is the signal that ends the command, also a frozen one, "$1" a
// folder that is removed afterwards. It prints the command's process id.
const supervise = `folder=$1; shift; "$@" >/dev/null & echo $!; exec >/dev/null; cat; kill -s "$0" $!; kill -s CONT $! $(cat /proc/$!/task/*/children); wait $!; rm -rf "$folder"`

// Program is a program that some tests need.
type Program struct {
	Name string // the name of its Debian package
	Path string // "" if it is not installed
}

// programs are what some tests need, and where each is found.
var programs = []struct {
	name string
	find func() string
}{
	{"git", func() string { return find("git") }},
	{"redis-server", func() string { return find("redis-server") }},
	{"postgresql", func() string { return find("postgres", "/usr/lib/postgresql/*/bin") }},
	{"pgbouncer", func() string { return find("pgbouncer", "/usr/sbin") }},
	{"nginx-light", func() string { return find("nginx", "/usr/sbin") }},
	{"haproxy", func() string { return find("haproxy", "/usr/sbin") }},
	{"caddy", func() string { return find("caddy") }},
	{"systemd", func() string { return find("systemd-analyze") }},
	{"curl", func() string { return find("curl") }},
	{"openssl", func() string { return find("openssl") }},
	{"nodejs", func() string { return find("node") }},
	{"npm", func() string { return find("npm") }},
	{"python3-requests", findPython},
	{"prometheus", func() string { return find("promtool") }},
	{"chromium-headless-shell", func() string {
		return cmp.Or(find("chromium-headless-shell"), find("chromium"), find("chromium-browser"), find("google-chrome"))
	}},
}

// Programs returns every program that some tests need, installed or not.
func Programs() []Program {
	all := make([]Program, len(programs))
	for i, p := range programs {
		all[i] = Program{p.name, p.find()}
	}
	return all
}

// findPython returns the path of a Python that has the package requests, or "".
func findPython() string {
	path := find("python3")
	if path == "" || exec.CommandContext(context.Background(), path, "-c", "import requests").Run() != nil { //nolint:gosec // on the PATH
		return ""
	}
	return path
}

// find returns the path of a program on the PATH or in a folder that matches a pattern, or
// "".
func find(name string, patterns ...string) string {
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	for _, pattern := range patterns {
		matches, _ := filepath.Glob(filepath.Join(pattern, name))
		if len(matches) > 0 {
			return matches[len(matches)-1] // the newest version
		}
	}
	return ""
}

// Curl returns the path of curl, which runs the commands of the documents.
func Curl(t testing.TB) string {
	t.Helper()
	return need(t, "curl")
}

// OpenSSL returns the path of openssl, with which operators make keys.
func OpenSSL(t testing.TB) string {
	t.Helper()
	return need(t, "openssl")
}

// Python returns the path of a Python that has the package requests.
func Python(t testing.TB) string {
	t.Helper()
	return need(t, "python3-requests")
}

// Chromium returns the path of the browser: the headless shell if it is installed, which takes a
// fifth less processor time than the whole browser, or else that.
func Chromium(t testing.TB) string {
	t.Helper()
	return need(t, "chromium-headless-shell")
}

// need returns the path of a program. If it is missing, it skips the test, or with CI=true
// fails it.
func need(t testing.TB, name string) string {
	t.Helper()
	for _, p := range programs {
		if p.name != name {
			continue
		}
		if path := p.find(); path != "" {
			return path
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is not installed, and with CI=true nothing is skipped", name)
	}
	t.Skipf("SKIPPED: %s is not installed", name)
	return ""
}

// service is a process that all tests of a test binary share.
type service struct {
	once sync.Once
	url  string
	err  error
}

func (s *service) get(t testing.TB, start func() (string, error)) string {
	t.Helper()
	s.once.Do(func() { s.url, s.err = start() })
	if s.err != nil {
		t.Fatal(s.err)
	}
	return s.url
}

// spawn starts a command that gets signal when the test binary ends; then folder is
// removed.
func spawn(prepare func(*exec.Cmd), signal, folder string, command ...string) error {
	_, err := start(prepare, signal, folder, command...)
	return err
}

// start is spawn, and returns a function that ends the command before.
func start(prepare func(*exec.Cmd), signal, folder string, command ...string) (stop func(), err error) {
	p, err := startProcess(prepare, signal, folder, command...)
	if err != nil {
		return nil, err
	}
	return p.stop, nil
}

// process is a running command.
type process struct {
	id   int
	stop func() // ends it with its signal, and returns once it has ended
}

// startProcess is spawn, and returns the process.
func startProcess(prepare func(*exec.Cmd), signal, folder string, command ...string) (*process, error) {
	args := append([]string{"-c", supervise, signal, folder}, command...)
	cmd := exec.CommandContext(context.Background(), "sh", args...) //nolint:gosec // a fixed script
	if prepare != nil {
		prepare(cmd)
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", strings.Join(command, " "), err)
	}
	stdins.Store(stdin, true)
	p := &process{stop: func() {
		stdins.Delete(stdin)
		_ = stdin.Close()
		_ = cmd.Wait()
	}}
	if _, err := fmt.Fscan(stdout, &p.id); err != nil {
		p.stop()
		return nil, fmt.Errorf("start %s: %w", strings.Join(command, " "), err)
	}
	return p, nil
}

// stdins keeps the pipes from being garbage collected, which would close them.
var stdins sync.Map

// freePort returns a TCP port of the loopback address that is not in use.
func freePort() (string, error) {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer func() { _ = l.Close() }()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}
