package services

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
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
	folder, url := proxy{
		program: "nginx-light", file: "nginx.conf",
		settings: func(folder, address string) string { return fmt.Sprintf(nginxFile, folder, blocks(address)) },
		args: func(folder, file string) []string {
			return []string{"-p", folder, "-e", filepath.Join(folder, "error.log"), "-c", file}
		},
	}.start(t)
	t.Cleanup(func() {
		if !t.Failed() {
			return
		}
		text, _ := os.ReadFile(filepath.Join(folder, "error.log")) //nolint:gosec // a folder of ours
		lines := strings.Split(string(text), "\n")
		t.Log("nginx logged:\n" + strings.Join(lines[max(len(lines)-20, 0):], "\n"))
	})
	return url
}

// NginxRecipe returns the configuration in file, which is config/nginx.conf, without TLS, for the
// brokers at these addresses.
func NginxRecipe(t testing.TB, file, address string, brokers ...string) string {
	t.Helper()
	text, err := os.ReadFile(file) //nolint:gosec // a file of ours
	if err != nil {
		t.Fatal(err)
	}
	conf := string(text)
	for from, to := range map[string]string{
		"listen 443 ssl;":          "listen " + address + ";",
		"    ssl_certificate ":     "    # ",
		"    ssl_certificate_key ": "    # ",
	} {
		if strings.Count(conf, from) != 1 {
			t.Fatalf("%s must have %q once", file, from)
		}
		conf = strings.Replace(conf, from, to, 1)
	}
	const replica = "127.0.0.1:8080"
	line := regexp.MustCompile("(?m)^ *server " + replica + ".*\n").FindString(conf)
	if line == "" {
		t.Fatalf("%s must have a line for %s", file, replica)
	}
	lines := ""
	for _, broker := range brokers {
		lines += strings.Replace(line, replica, broker, 1)
	}
	return strings.Replace(conf, line, lines, 1)
}
