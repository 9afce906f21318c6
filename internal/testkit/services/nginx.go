package services

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// nginxFile is the main configuration of nginx: a single process that keeps all its files in
// its folder (%[1]s) and has the blocks of a test (%[2]s).
const nginxFile = `daemon off;
master_process off;
pid %[1]s/pid;
error_log %[1]s/error.log info;
events { worker_connections 1024; }
http {
    access_log %[1]s/access.log;
    client_body_temp_path %[1]s/body;
    proxy_temp_path %[1]s/proxy;
    fastcgi_temp_path %[1]s/fastcgi;
    uwsgi_temp_path %[1]s/uwsgi;
    scgi_temp_path %[1]s/scgi;
%[2]s
}
`

// Nginx starts an nginx for this test only and returns its URL (http://127.0.0.1:port).
// blocks returns what its http block has, with a server that listens on address. What it
// logs is shown if the test fails.
func Nginx(t testing.TB, blocks func(address string) string) string {
	t.Helper()
	path := need(t, "nginx-light")
	folder, err := os.MkdirTemp(memoryRoot(), "casbroker-nginx-")
	if err != nil {
		t.Fatal(err)
	}
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	address := "127.0.0.1:" + port
	file := filepath.Join(folder, "nginx.conf")
	if err := os.WriteFile(file, fmt.Appendf(nil, nginxFile, folder, blocks(address)), 0o600); err != nil {
		t.Fatal(err)
	}
	stop, err := start(nil, "TERM", folder, path, "-p", folder, "-e", filepath.Join(folder, "error.log"), "-c", file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	t.Cleanup(func() {
		if !t.Failed() {
			return
		}
		text, _ := os.ReadFile(filepath.Join(folder, "error.log")) //nolint:gosec // a folder of ours
		lines := strings.Split(string(text), "\n")
		t.Log("nginx logged:\n" + strings.Join(lines[max(len(lines)-20, 0):], "\n"))
	})
	err = waitFor("nginx on port "+port, func(ctx context.Context) error {
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
