package services

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"testing"
)

// HAProxy starts an HAProxy for this test only and returns its URL (http://127.0.0.1:port).
// settings returns its file, with a frontend that is bound to address.
func HAProxy(t testing.TB, settings func(address string) string) string {
	t.Helper()
	path := need(t, "haproxy")
	folder, err := os.MkdirTemp(memoryRoot(), "casbroker-haproxy-")
	if err != nil {
		t.Fatal(err)
	}
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	address := "127.0.0.1:" + port
	file := filepath.Join(folder, "haproxy.cfg")
	if err := os.WriteFile(file, []byte(settings(address)), 0o600); err != nil {
		t.Fatal(err)
	}
	stop, err := start(nil, "TERM", folder, path, "-db", "-f", file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	err = waitFor("HAProxy on port "+port, func(ctx context.Context) error {
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
