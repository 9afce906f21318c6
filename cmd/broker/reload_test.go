package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"casbroker/internal/testkit/logtest"
)

func TestHangupReloadsAndCutsNoRequest(t *testing.T) {
	t.Parallel()
	p := build(t)
	p.address, p.output = free(t), &logtest.Log{}
	settings, secret := filepath.Join(t.TempDir(), "broker.yaml"), filepath.Join(t.TempDir(), "jwt.secret")
	put := func(file, text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put(settings, "log: {level: info}\n")
	put(secret, jwtSecret)
	p.cmd = exec.CommandContext(t.Context(), p.path, "serve", "--config", settings) //nolint:gosec // our own program
	for _, s := range p.settings() {
		if !strings.HasPrefix(s, "CASBROKER_AUTH_VERIFIERS_0_SECRET=") {
			p.cmd.Env = append(p.cmd.Env, s)
		}
	}
	p.cmd.Env = append(append(os.Environ(), p.cmd.Env...), "CASBROKER_AUTH_VERIFIERS_0_SECRET_FILE="+secret)
	p.cmd.Stdout, p.cmd.Stderr = p.output, p.output
	p.run()
	hangUp := func() {
		t.Helper()
		if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}

	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", p.address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	_, _ = fmt.Fprint(conn, "POST /v1/token HTTP/1.1\r\nHost: broker\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{")

	put(settings, "log: {level: debug}\nserver: {idle_timeout: 77s}\n")
	put(secret, nextSecret)
	hangUp()
	p.printed(regexp.MustCompile(`changed settings need a restart.*server\.idle_timeout`))
	p.printed(regexp.MustCompile(`a secret was replaced`))
	p.printed(regexp.MustCompile(`"msg":"reloaded`))
	if r, err := p.call(t.Context(), "", http.MethodGet, "/healthz", nil); err != nil || r.status != 200 {
		t.Errorf("got %v, %v", r, err)
	}
	p.printed(regexp.MustCompile(`"level":"DEBUG".*/healthz`))

	put(settings, "log: {level: loud}\n")
	hangUp()
	p.printed(regexp.MustCompile(`the settings cannot be used.*log\.level`))
	p.printed(regexp.MustCompile(`"msg":"reloaded: the files with secrets"`))

	_, _ = io.WriteString(conn, "}")
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || res.StatusCode != 401 {
		t.Fatalf("the request in progress got %v, %v, want its answer", res, err)
	}
	_ = res.Body.Close()
	for _, hidden := range []string{jwtSecret, nextSecret} {
		if strings.Contains(p.output.String(), hidden) {
			t.Error("the log has a secret")
		}
	}
}

// nextSecret replaces jwtSecret.
const nextSecret = "Zr8wPq2vNx6tJm4hBc9yKd3sLg7fUe5aTwXk"
