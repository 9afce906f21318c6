package services

import (
	"os"
	"os/exec"
	"testing"
)

// Caddy starts a Caddy for this test only and returns its URL (http://127.0.0.1:port). sites
// returns its sites, of which one is at address, which has the form http://host:port.
func Caddy(t testing.TB, sites func(address string) string) string {
	t.Helper()
	const global = "{\n\tadmin off\n\tauto_https off\n\tservers {\n\t\tprotocols h1 h2c\n\t}\n}\n"
	_, url := proxy{
		program: "caddy", file: "Caddyfile",
		settings: func(_, address string) string { return global + sites("http://"+address) },
		args:     func(_, file string) []string { return []string{"run", "--adapter", "caddyfile", "--config", file} },
		prepare: func(folder string, cmd *exec.Cmd) {
			cmd.Env = append(os.Environ(), "HOME="+folder, "XDG_DATA_HOME="+folder, "XDG_CONFIG_HOME="+folder)
		},
	}.start(t)
	return url
}

// Systemd returns the path of systemd-analyze, which checks the files of services.
func Systemd(t testing.TB) string {
	t.Helper()
	return need(t, "systemd")
}
