package services

import "testing"

// HAProxy starts an HAProxy for this test only and returns its URL (http://127.0.0.1:port).
// settings returns its file, with a frontend that is bound to address.
func HAProxy(t testing.TB, settings func(address string) string) string {
	t.Helper()
	_, url := proxy{
		program: "haproxy", file: "haproxy.cfg",
		settings: func(_, address string) string { return settings(address) },
		args:     func(_, file string) []string { return []string{"-db", "-f", file} },
	}.start(t)
	return url
}
