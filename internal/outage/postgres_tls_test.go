//go:build unix

package outage

import (
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"casbroker/internal/testkit/services"
	"casbroker/internal/testkit/storetest"
)

// TestSSLModeIsThatOfTheURL connects to a server that takes only TLS, with a certificate for localhost.
func TestSSLModeIsThatOfTheURL(t *testing.T) {
	t.Parallel()
	server := services.OwnPostgres(t)
	if _, err := storetest.SQL(t, server.URL).ExecContext(t.Context(), `CREATE DATABASE broker`); err != nil {
		t.Fatal(err)
	}
	authority := onlyTLS(t, server)
	other := filepath.Join(t.TempDir(), "other.crt")
	makeCertificate(t, filepath.Dir(other), "other", "another.example")
	at := func(host, options string) string {
		u, err := url.Parse(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		u.Host, u.Path, u.RawQuery = host+":"+u.Port(), "/broker", options
		return u.String()
	}
	withoutTLS, _, _ := strings.Cut(services.Postgres(t), "?")
	vendor := startVendor(t)
	p := onDatabase(t, at("localhost", "sslmode=verify-full&sslrootcert="+authority), vendor)
	p.Start()
	p.Must("", http.MethodGet, "/readyz", nil, http.StatusOK, nil)
	for name, c := range map[string]struct{ host, options, want string }{
		"require":                           {"127.0.0.1", "sslmode=require", ""},
		"no sslmode":                        {"127.0.0.1", "", ""},
		"verify-ca, another name":           {"127.0.0.1", "sslmode=verify-ca&sslrootcert=" + authority, ""},
		"verify-ca, another authority":      {"localhost", "sslmode=verify-ca&sslrootcert=" + other, "certificate signed by unknown authority"},
		"verify-full, another name":         {"127.0.0.1", "sslmode=verify-full&sslrootcert=" + authority, "cannot validate certificate for 127.0.0.1"},
		"verify-full, the system's":         {"localhost", "sslmode=verify-full", "certificate signed by unknown authority"},
		"disable":                           {"127.0.0.1", "sslmode=disable", "no encryption"},
		"verify-full, without a file there": {"localhost", "sslmode=verify-full&sslrootcert=/no/such/file", "/no/such/file"},
		"require, of a server without TLS":  {"", "sslmode=require", "server refused TLS connection"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			database := at(c.host, c.options)
			if c.host == "" {
				database = withoutTLS + "?" + c.options
			}
			p := onDatabase(t, database, vendor)
			p.Prepare()
			out, code := runCommand(t, p, "doctor")
			switch {
			case c.want == "" && (code != 0 || !strings.Contains(out, "ok      database: ")):
				t.Errorf("got exit code %d and %s, want no fault", code, out)
			case c.want != "" && (code == 0 || !strings.Contains(out, c.want) || !strings.Contains(out, "ssl") && !strings.Contains(out, "a file that the URL names")):
				t.Errorf("got exit code %d and %s, want %q, and an option or file named", code, out, c.want)
			}
		})
	}
	p = onDatabase(t, at("127.0.0.1", "sslmode=disable"), vendor)
	p.Prepare()
	if out, code := runCommand(t, p, "serve"); code != 1 || !strings.Contains(out, "no encryption") {
		t.Errorf("without TLS: got exit code %d and %s, want that the start ends with the reason", code, out)
	}
}

// onlyTLS has the server take connections to the database broker by TLS only, and returns the path
// of the certificate to trust, which is for localhost.
func onlyTLS(t *testing.T, p *services.PostgresProcess) (authority string) {
	t.Helper()
	data := filepath.Join(p.Folder, "data")
	makeCertificate(t, p.Folder, "server", "localhost")
	for _, file := range []string{"server.crt", "server.key"} {
		if out, err := exec.CommandContext(t.Context(), "chown", "--reference="+data, filepath.Join(p.Folder, file)).CombinedOutput(); err != nil { //nolint:gosec // of the test
			t.Fatalf("%v: %s", err, out)
		}
	}
	const rules = "host postgres all 127.0.0.1/32 trust\nhostssl broker all 127.0.0.1/32 trust\n"
	if err := os.WriteFile(filepath.Join(data, "pg_hba.conf"), []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	p.Restart(t, "ssl=on", "ssl_cert_file="+filepath.Join(p.Folder, "server.crt"), "ssl_key_file="+filepath.Join(p.Folder, "server.key"))
	trusted := filepath.Join(t.TempDir(), "authority.crt")
	content, err := os.ReadFile(filepath.Join(p.Folder, "server.crt"))
	if err == nil {
		err = os.WriteFile(trusted, content, 0o600) //nolint:gosec // of the test
	}
	if err != nil {
		t.Fatal(err)
	}
	return trusted
}

// makeCertificate writes name.crt and name.key for host, signed by itself, into folder.
func makeCertificate(t *testing.T, folder, name, host string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), services.OpenSSL(t), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", //nolint:gosec // of the test
		"-keyout", filepath.Join(folder, name+".key"), "-out", filepath.Join(folder, name+".crt"),
		"-subj", "/CN="+host, "-addext", "subjectAltName=DNS:"+host)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}
