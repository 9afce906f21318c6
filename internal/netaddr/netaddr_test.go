package netaddr_test

import (
	"testing"

	"casbroker/internal/netaddr"
)

func TestLoopbackIsRecognizedInEachForm(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]bool{
		"localhost": true, "LocalHost": true, "localhost:8080": true,
		"127.0.0.1": true, "127.8.9.10:80": true, "::1": true, "[::1]": true, "[::1]:80": true,
		"::ffff:127.0.0.1": true, "[::ffff:127.0.0.1]:80": true,
		"": false, ":80": false, "localhost.example": false, "app.localhost": false, "localhost@example": false,
		"127.0.0.1.example": false, "128.0.0.1": false, "0.0.0.0": false, "::": false, "2130706433": false,
		"192.0.2.1:80": false, "[2001:db8::1]:80": false, "::ffff:192.0.2.1": false,
	} {
		if got := netaddr.IsLoopback(host); got != want {
			t.Errorf("IsLoopback(%q) = %v, want %v", host, got, want)
		}
	}
}
