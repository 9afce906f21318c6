package services

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// proxy is a reverse proxy that a test starts.
type proxy struct {
	program string // its Debian package
	file    string // name of its settings in its folder
	// settings returns the file for a folder and an address (127.0.0.1:port).
	settings func(folder, address string) string
	// args returns the arguments of the program.
	args    func(folder, file string) []string
	prepare func(folder string, cmd *exec.Cmd) // may be nil
}

// start starts p for this test only, in a new folder, and returns that and its URL once it listens.
func (p proxy) start(t testing.TB) (folder, address string) {
	t.Helper()
	path := need(t, p.program)
	folder, err := os.MkdirTemp(memoryRoot(), "casbroker-"+p.program+"-")
	if err != nil {
		t.Fatal(err)
	}
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	address = "127.0.0.1:" + port
	file := filepath.Join(folder, p.file)
	if err := os.WriteFile(file, []byte(p.settings(folder, address)), 0o600); err != nil {
		t.Fatal(err)
	}
	stop, err := start(func(cmd *exec.Cmd) {
		if p.prepare != nil {
			p.prepare(folder, cmd)
		}
	}, "TERM", folder, append([]string{path}, p.args(folder, file)...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	err = waitFor(p.program+" on port "+port, func(ctx context.Context) error {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err != nil {
			return err
		}
		return conn.Close()
	})
	if err != nil {
		t.Fatal(err)
	}
	return folder, "http://" + address
}
