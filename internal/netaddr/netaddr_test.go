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

func TestPublicHostsAreRecognizedInEachForm(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]bool{
		"files.example": true, "a.b-c.example.": true, "FILES.example": true, "8.8.8.8": true, "2606:4700::1111": true, "xn--bcher-kva.example": true,
		"": false, ".": false, "a": false, "localhost": false, "a.localhost": false, "a.internal": false, "a.LOCAL": false, "a..b": false, "-a.example": false,
		"127.0.0.1": false, "10.0.0.1": false, "172.31.0.1": false, "192.168.0.1": false, "169.254.169.254": false, "100.64.0.1": false, "0.0.0.0": false,
		"224.0.0.1": false, "255.255.255.255": false, "198.18.0.1": false, "192.0.2.1": false, "127.1": false, "2130706433": false, "0x7f.1": false,
		"0x7f000001": false, "1.2.3.4.": false, "a.1": false, "::": false, "::1": false, "fe80::1": false, "fe80::1%eth0": false, "fd00::1": false,
		"::ffff:10.0.0.1": false, "::ffff:8.8.8.8": true, "64:ff9b::a00:1": false, "2002:a00:1::": false, "ff02::1": false, "2001:db8::1": false,
		"a b.example": false, "a%2f.example": false, "ä.example": false, "a.example:443": false,
	} {
		if got := netaddr.IsPublic(host); got != want {
			t.Errorf("IsPublic(%q) = %v, want %v", host, got, want)
		}
	}
}
