package services

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Caddy starts a Caddy for this test only and returns its URL (http://127.0.0.1:port). sites
// returns its sites, of which one is at address, which has the form http://host:port.
func Caddy(t testing.TB, sites func(address string) string) string {
	t.Helper()
	path := need(t, "caddy")
	folder, err := os.MkdirTemp(memoryRoot(), "casbroker-caddy-")
	if err != nil {
		t.Fatal(err)
	}
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	address := "127.0.0.1:" + port
	file := filepath.Join(folder, "Caddyfile")
	const global = "{\n\tadmin off\n\tauto_https off\n\tservers {\n\t\tprotocols h1 h2c\n\t}\n}\n"
	if err := os.WriteFile(file, []byte(global+sites("http://"+address)), 0o600); err != nil {
		t.Fatal(err)
	}
	inFolder := func(cmd *exec.Cmd) {
		cmd.Env = append(os.Environ(), "HOME="+folder, "XDG_DATA_HOME="+folder, "XDG_CONFIG_HOME="+folder)
	}
	stop, err := start(inFolder, "TERM", folder, path, "run", "--adapter", "caddyfile", "--config", file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	err = waitFor("Caddy on port "+port, func(ctx context.Context) error {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err != nil {
			return err
		}
		return conn.Close()
	})
	if err != nil {
		t.Fatal(err)
	}
	return "http://" + address
}

// Systemd returns the path of systemd-analyze, which checks the files of services.
func Systemd(t testing.TB) string {
	t.Helper()
	return need(t, "systemd")
}
