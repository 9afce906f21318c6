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

	"casbroker/internal/testkit/brokertest"
	"casbroker/internal/testkit/logtest"
)

func TestHangupReloadsAndCutsNoRequest(t *testing.T) {
	t.Parallel()
	p := build(t)
	p.Address, p.Output = brokertest.Free(t), &logtest.Log{}
	settings, secret := filepath.Join(t.TempDir(), "broker.yaml"), filepath.Join(t.TempDir(), "jwt.secret")
	put := func(file, text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put(settings, "log: {level: info}\n")
	put(secret, brokertest.Secret)
	p.Cmd = exec.CommandContext(t.Context(), p.Path, "serve", "--config", settings) //nolint:gosec // our own program
	for _, s := range p.Settings() {
		if !strings.HasPrefix(s, "CASBROKER_AUTH_VERIFIERS_0_SECRET=") {
			p.Cmd.Env = append(p.Cmd.Env, s)
		}
	}
	p.Cmd.Env = append(append(os.Environ(), p.Cmd.Env...), "CASBROKER_AUTH_VERIFIERS_0_SECRET_FILE="+secret)
	p.Cmd.Stdout, p.Cmd.Stderr = p.Output, p.Output
	p.Run()
	hangUp := func() {
		t.Helper()
		if err := p.Cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}

	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", p.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	_, _ = fmt.Fprint(conn, "POST /v1/token HTTP/1.1\r\nHost: broker\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{")

	put(settings, "log: {level: debug}\nserver: {idle_timeout: 77s}\n")
	put(secret, nextSecret)
	hangUp()
	p.Printed(regexp.MustCompile(`changed settings need a restart.*server\.idle_timeout`))
	p.Printed(regexp.MustCompile(`a secret was replaced`))
	p.Printed(regexp.MustCompile(`"msg":"reloaded`))
	if r, err := p.Call(t.Context(), "", http.MethodGet, "/healthz", nil); err != nil || r.Status != 200 {
		t.Errorf("got %v, %v", r, err)
	}
	p.Printed(regexp.MustCompile(`"level":"DEBUG".*/healthz`))

	put(settings, "log: {level: loud}\n")
	hangUp()
	p.Printed(regexp.MustCompile(`the settings cannot be used.*log\.level`))
	p.Printed(regexp.MustCompile(`"msg":"reloaded: the files with secrets"`))

	_, _ = io.WriteString(conn, "}")
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || res.StatusCode != 401 {
		t.Fatalf("the request in progress got %v, %v, want its answer", res, err)
	}
	_ = res.Body.Close()
	for _, hidden := range []string{brokertest.Secret, nextSecret} {
		if strings.Contains(p.Output.String(), hidden) {
			t.Error("the log has a secret")
		}
	}
}

// nextSecret replaces brokertest.Secret.
const nextSecret = "Zr8wPq2vNx6tJm4hBc9yKd3sLg7fUe5aTwXk"
