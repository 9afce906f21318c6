// Package services gives tests the real services that the broker depends on:
// Redis, PostgreSQL and Chromium. It starts processes of its own on free ports
// with temporary folders, and ends them with the test binary, however that ends.
// TEST_REDIS_URL and TEST_POSTGRES_URL name services to use instead. Where a
// program is missing the test is skipped with a line that names it; with CI=true
// it fails.
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

// supervise runs a command until standard input ends, which it does when the test
// binary has gone, even by SIGKILL. "$0" is the signal that ends the command, "$1"
// a folder to remove then.
const supervise = `folder=$1; shift; "$@" & cat >/dev/null; kill -s "$0" $!; wait $!; rm -rf "$folder"`

// Program is something that has to be installed for some tests.
type Program struct {
	Name string // as its package is called
	Path string // "" when it is missing
}

// Programs returns every program that some test needs, found or not.
func Programs() []Program {
	return []Program{
		{"redis-server", find("redis-server")},
		{"postgresql", find("postgres", "/usr/lib/postgresql/*/bin")},
		{"curl", find("curl")},
		{"chromium", cmp.Or(find("chromium"), find("chromium-browser"), find("google-chrome"))},
	}
}

// find looks for name on the PATH, then in the folders that the patterns match.
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

// Chromium returns the path of the browser.
func Chromium(t testing.TB) string {
	t.Helper()
	return need(t, "chromium")
}

// need returns where the program is, or ends the test.
func need(t testing.TB, name string) string {
	t.Helper()
	for _, p := range Programs() {
		if p.Name == name && p.Path != "" {
			return p.Path
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is not installed, and with CI=true nothing is skipped", name)
	}
	t.Skipf("SKIPPED: %s is not installed", name)
	return ""
}

// service is one process shared by all tests of a test binary.
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

// spawn starts a supervised command that, when the test binary ends, is sent
// signal; then folder is removed.
func spawn(prepare func(*exec.Cmd), signal, folder string, command ...string) error {
	args := append([]string{"-c", supervise, signal, folder}, command...)
	cmd := exec.CommandContext(context.Background(), "sh", args...) //nolint:gosec // a fixed script
	if prepare != nil {
		prepare(cmd)
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", strings.Join(command, " "), err)
	}
	lifelines.Store(stdin, true)
	return nil
}

// lifelines keeps the pipes from being collected, and so closed, before the end.
var lifelines sync.Map

// freePort returns a TCP port of the loopback address that nobody listens on.
func freePort() (string, error) {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer func() { _ = l.Close() }()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}
