package main

import (
	"bytes"
	"encoding/base64"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"

	"casbroker/internal/sandbox"
	"casbroker/internal/testkit/brokertest"
	"casbroker/internal/testkit/logtest"
	"casbroker/internal/testkit/services"
	"casbroker/internal/testkit/storetest"
)

// secretsFolder is where containers have their secrets.
const secretsFolder = "/run/secrets/"

// dotEnv writes a complete .env to folder, and returns its path.
func dotEnv(t *testing.T, folder string) string {
	t.Helper()
	key := func(last string) string {
		return base64.StdEncoding.EncodeToString([]byte("a-key-for-tests-0123456789-abcd" + last))
	}
	path := filepath.Join(folder, ".env")
	lines := []string{
		"CASPARSER_API_KEY=a-key-that-is-never-used", "JWT_ISSUER=https://other.example", "JWT_SECRET=" + brokertest.Secret, "SEAL_HASH_KEY=" + key("e"),
		"SEAL_KEY=" + key("f"), "POSTGRES_PASSWORD=postgres-pass", "REDIS_PASSWORD=redis-pass", "GRAFANA_PASSWORD=grafana-pass",
	}
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// compose loads docker-compose.yml with .env and further files of variables, as
// docker compose --env-file does: with its schema, interpolation, merges and profiles.
func compose(t *testing.T, files ...string) *types.Project {
	t.Helper()
	o, err := cli.NewProjectOptions([]string{"../../docker-compose.yml"},
		cli.WithEnvFiles(append([]string{dotEnv(t, t.TempDir())}, files...)...), cli.WithDotEnv, cli.WithDefaultProfiles())
	if err != nil {
		t.Fatal(err)
	}
	project, err := o.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return project
}

// inSandbox is docker-compose.yml without the vendor.
func inSandbox(t *testing.T) *types.Project {
	t.Helper()
	return compose(t, "../../config/sandbox.env")
}

// brokers returns the services that are brokers, by name.
func brokers(p *types.Project) []types.ServiceConfig {
	var all []types.ServiceConfig
	for _, name := range slices.Sorted(maps.Keys(p.Services)) {
		if p.Services[name].Image == "casbroker" {
			all = append(all, p.Services[name])
		}
	}
	return all
}

// environment returns the variables of a service, with the files of its secrets in folder.
func environment(t *testing.T, p *types.Project, s types.ServiceConfig, folder string) []string {
	t.Helper()
	for _, mounted := range s.Secrets {
		value := p.Environment[p.Secrets[mounted.Source].Environment]
		if value == "" {
			t.Errorf("%s: the secret %s is empty", s.Name, mounted.Source)
		}
		if err := os.WriteFile(filepath.Join(folder, mounted.Source), []byte(value), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var environ []string
	for name, value := range s.Environment {
		environ = append(environ, name+"="+strings.ReplaceAll(*value, secretsFolder, folder+"/"))
	}
	return environ
}

func TestBrokersOfTheComposeFileHaveValidSettings(t *testing.T) {
	t.Parallel()
	p := build(t)
	for name, project := range map[string]*types.Project{"production": compose(t), "sandbox": inSandbox(t)} {
		all := brokers(project)
		if len(all) != 2 || !maps.EqualFunc(all[0].Environment, all[1].Environment, func(a, b *string) bool { return *a == *b }) {
			t.Fatalf("%s: got %d brokers, want two with the same environment", name, len(all))
		}
		cmd := exec.CommandContext(t.Context(), p.Path, "config", "check") //nolint:gosec // our own program
		cmd.Env = environment(t, project, all[0], t.TempDir())
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: got %v: %s", name, err, out)
		}
		if _, emulated := project.Services["sandbox"]; emulated != (name == "sandbox") {
			t.Errorf("%s: got %v for the emulated vendor", name, emulated)
		}
	}
	project := inSandbox(t)
	cmd := exec.CommandContext(t.Context(), p.Path, "config", "check") //nolint:gosec // our own program
	cmd.Env = append(environment(t, project, brokers(project)[0], t.TempDir()), "CASBROKER_UPSTREAM_ALLOW_HTTP=")
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "upstream.url: want https") {
		t.Errorf("without CASPARSER_ALLOW_HTTP: got %v: %s", err, out)
	}
}

// pinned is an image with a version of at least two numbers.
var pinned = regexp.MustCompile(`^[\w./-]+:v?\d+\.\d+(\.\d+)?(-alpine)?$`)

// imagePrograms are the programs of images that health checks use.
var imagePrograms = map[string][]string{
	"nginx": {"wget"}, "redis": {"redis-cli", "grep"}, "postgres": {"pg_isready"}, "prom/prometheus": {"wget"}, "grafana/grafana": {"wget"},
}

func TestComposeFileNamesWhatThereIs(t *testing.T) {
	t.Parallel()
	project := inSandbox(t)
	scraped, err := os.ReadFile("../../config/monitoring/prometheus.yml")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range brokers(project) {
		if target := s.Name + *s.Environment["CASBROKER_SERVER_METRICS_ADDRESS"]; !strings.Contains(string(scraped), target) {
			t.Errorf("Prometheus does not scrape %s", target)
		}
	}
	for name, s := range project.Services {
		image, _, _ := strings.Cut(s.Image, ":")
		switch {
		case s.Build != nil:
			if text, err := os.ReadFile(filepath.Join(s.Build.Context, s.Build.Dockerfile)); err != nil || s.Build.Target != "" && !strings.Contains(string(text), " AS "+s.Build.Target+"\n") {
				t.Errorf("%s: got %v, want a Dockerfile with the stage %q", name, err, s.Build.Target)
			}
			if !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) {
				t.Errorf("%s: want a read-only container without capabilities", name)
			}
		case !pinned.MatchString(s.Image):
			t.Errorf("%s: the image %s has no version", name, s.Image)
		case s.HealthCheck == nil || len(s.HealthCheck.Test) < 2:
			t.Errorf("%s: want a health check", name)
		default:
			for _, step := range strings.Split(strings.Join(s.HealthCheck.Test[1:], " "), "|") {
				if program := strings.Fields(step)[0]; !slices.Contains(imagePrograms[image], program) {
					t.Errorf("%s: the health check needs %s, which %s may not have", name, program, image)
				}
			}
		}
		for _, port := range s.Ports {
			if port.HostIP != "127.0.0.1" {
				t.Errorf("%s: port %s is published on %q, want this machine only", name, port.Published, port.HostIP)
			}
		}
		for _, v := range s.Volumes {
			if info, err := os.Stat(v.Source); v.Type == types.VolumeTypeBind && (err != nil || !info.Mode().IsRegular() || !v.ReadOnly) {
				t.Errorf("%s: got %v for %s, want a file that is mounted read-only", name, err, v.Source)
			}
		}
		for variable, value := range s.Environment {
			file, ok := strings.CutPrefix(*value, secretsFolder)
			if ok && !slices.ContainsFunc(s.Secrets, func(c types.ServiceSecretConfig) bool { return c.Source == file }) {
				t.Errorf("%s: %s names a secret that it does not have", name, variable)
			}
		}
	}
}

// directives returns a configuration of nginx without comments, addresses and TLS.
func directives(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path) //nolint:gosec // a file of ours
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(line, "#")
		line = strings.TrimSpace(line)
		if line != "" && !regexp.MustCompile(`^(server |server_name|listen|ssl_)`).MatchString(line) || line == "server {" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

func TestNginxOfTheComposeFileIsThatOfTheRecipe(t *testing.T) {
	t.Parallel()
	if got, want := directives(t, "../../config/compose/nginx.conf"), directives(t, "../../config/nginx.conf"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// redisOf starts Redis with the users of the compose file, and returns its address.
func redisOf(t *testing.T, project *types.Project) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "users.acl")
	if err := os.WriteFile(file, []byte(project.Configs["redis_users"].Content), 0o600); err != nil {
		t.Fatal(err)
	}
	command := project.Services["redis"].Command
	i := slices.Index(command, "--aclfile")
	if i < 0 || i+1 >= len(command) || command[i+1] != project.Services["redis"].Configs[0].Target {
		t.Fatalf("got %q, want the file of the users", command)
	}
	return "127.0.0.1:" + services.OwnRedis(t, append(slices.Clone(command[1:i]), "--aclfile", file)...).Port
}

// nginxOf starts nginx with the configuration of the compose file for brokers at these
// addresses, by the ones that the file has.
func nginxOf(t *testing.T, addresses map[string]string) string {
	t.Helper()
	text, err := os.ReadFile("../../config/compose/nginx.conf")
	if err != nil {
		t.Fatal(err)
	}
	return services.Nginx(t, func(address string) string {
		conf := replace(t, string(text), "listen 8080;", "listen "+address+";")
		for from, to := range addresses {
			conf = replace(t, conf, "server "+from+":8080 ", "server "+to+" ")
		}
		return conf
	})
}

// TestProcessesOfTheComposeFileWorkTogether starts the brokers with the environment that they
// have in the compose file, with nginx, Redis and PostgreSQL, and runs the commands of config/README.md.
func TestProcessesOfTheComposeFileWorkTogether(t *testing.T) {
	t.Parallel()
	services.Curl(t)
	services.OpenSSL(t)
	project := inSandbox(t)
	vendor := sandbox.New(sandbox.Options{APIKey: project.Environment["CASPARSER_API_KEY"], RateLimit: sandbox.Unlimited})
	emulated := httptest.NewServer(vendor)
	t.Cleanup(emulated.Close)
	redis, database := redisOf(t, project), storetest.Postgres(t)
	var running []*program
	addresses := map[string]string{}
	for _, s := range brokers(project) {
		p := build(t)
		p.Address = brokertest.Free(t)
		p.Output = &logtest.Log{}
		p.Cmd = exec.CommandContext(t.Context(), p.Path, "serve") //nolint:gosec // our own program
		p.Cmd.Stdout, p.Cmd.Stderr = p.Output, p.Output
		p.Cmd.Env = environment(t, project, s, p.Folder)
		p.Cmd.Env = append(p.Cmd.Env, "CASBROKER_SERVER_ADDRESS="+p.Address, "CASBROKER_SERVER_METRICS_ADDRESS="+brokertest.Free(t), "CASBROKER_STORE_URL="+database,
			"CASBROKER_SERVER_TRUSTED_PROXIES=127.0.0.0/8", // nginx
			"CASBROKER_UPSTREAM_URL="+emulated.URL, "CASBROKER_UPSTREAM_ALLOW_HTTP=",
			"CASBROKER_CACHE_URL="+strings.Replace(*s.Environment["CASBROKER_CACHE_URL"], "redis:6379", redis, 1))
		p.Run()
		running = append(running, p)
		addresses[s.Networks["default"].Ipv4Address] = p.Address
	}
	for _, p := range running {
		if r, err := p.Call(t.Context(), "", http.MethodGet, "/readyz", nil); err != nil || bytes.Contains(r.Body, []byte("degraded")) {
			t.Errorf("got %v, %s, want a broker that its Redis user serves", err, r.Body)
		}
		health := exec.CommandContext(t.Context(), p.Path, "health") //nolint:gosec // our own program
		health.Env = p.Cmd.Env
		if out, err := health.CombinedOutput(); err != nil {
			t.Errorf("broker health: got %v: %s", err, out)
		}
	}
	proxy := nginxOf(t, addresses)
	script := section(t, "../../config/README.md", "### Docker Compose", "bash")
	script = replace(t, script, "http://127.0.0.1:8080", proxy)
	script = replace(t, script, "http://127.0.0.1:8090", emulated.URL)
	try := func() {
		t.Helper()
		folder := t.TempDir()
		dotEnv(t, folder)
		out := runScript(t, folder, script)
		for _, text := range []string{`"provenance":"verified"`, `"total_value":`} {
			if !strings.Contains(out, text) {
				t.Errorf("got %s, want %s in it", out, text)
			}
		}
	}
	try()
	if err := running[0].Cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := running[0].Cmd.Wait(); err != nil {
		t.Errorf("got %v, want a clean end", err)
	}
	try()
}

// section returns the blocks of a language below a heading of a document, up to the next heading.
func section(t *testing.T, path, heading, language string) string {
	t.Helper()
	text, err := os.ReadFile(path) //nolint:gosec // a document of ours
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "\n"+heading+"\n")
	if !found {
		t.Fatalf("%s has no %q", path, heading)
	}
	if end := regexp.MustCompile(`(?m)^##+ `).FindStringIndex(rest); end != nil {
		rest = rest[:end[0]]
	}
	script := ""
	for _, block := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```$").FindAllStringSubmatch(rest, -1) {
		script += block[1]
	}
	if script == "" {
		t.Fatalf("no commands below %q", heading)
	}
	return script
}
