package main

import (
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"casbroker/internal/testkit/brokertest"
	"casbroker/internal/testkit/services"
)

// languages are those of the quickstart: how its block of commands begins, and the user of
// its example.
var languages = map[string]struct {
	block, user string
}{
	"Node.js": {"(cd web/clients/typescript && npm install", "demo:node"},
	"Python":  {"python3 web/clients/python/example.py", "demo:python"},
	"Go":      {"go run ./web/clients/go/example", "demo:go"},
}

// copyClients copies the clients to folder/web/clients, without what npm installs, and has
// their examples receive webhooks on another port.
func copyClients(t *testing.T, folder, port string) {
	t.Helper()
	source := os.DirFS("../..")
	for _, root := range []string{"go.mod", "go.sum", "web/clients"} {
		err := fs.WalkDir(source, root, func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.Name() == "node_modules" || d.Name() == "out":
				return fs.SkipDir
			case d.IsDir():
				return os.MkdirAll(filepath.Join(folder, path), 0o700)
			}
			text, err := fs.ReadFile(source, path)
			if err != nil {
				return err
			}
			if strings.HasPrefix(d.Name(), "example.") || d.Name() == "main.go" {
				text = []byte(replace(t, string(text), "9000", port))
			}
			return os.WriteFile(filepath.Join(folder, path), text, 0o600)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestQuickstartForBackEndsWorks(t *testing.T) {
	t.Parallel()
	services.Curl(t)
	script := readCommands(t, "../../web/docs/guides/back-end.md")
	installed := t.TempDir() // npm packages, which take less time to install again
	used := map[string]bool{}
	for name, language := range languages {
		t.Run(name, func(t *testing.T) {
			line := regexp.MustCompile("(?m)^" + regexp.QuoteMeta(language.block) + ".*\n")
			if !line.MatchString(script) {
				t.Fatalf("the document does not have %q any more", language.block)
			}
			defer func() {
				if !used[name] {
					script = line.ReplaceAllString(script, "")
				}
			}()
			switch name { // a test is skipped without its language
			case "Node.js":
				services.NodePackage(t, installed, "../../web/clients/typescript")
			case "Python":
				services.Python(t)
			}
			used[name] = true
		})
	}
	p := build(t)
	folder, address := t.TempDir(), brokertest.Free(t)
	_, port, err := net.SplitHostPort(brokertest.Free(t))
	if err != nil {
		t.Fatal(err)
	}
	copyClients(t, folder, port)
	if used["Node.js"] {
		if err := os.Rename(filepath.Join(installed, "node_modules"), filepath.Join(folder, "web/clients/typescript/node_modules")); err != nil {
			t.Fatal(err)
		}
	}
	script = replace(t, script, "make build\n", "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n")
	script = replace(t, script, "127.0.0.1:9000", "127.0.0.1:"+port)
	script = replace(t, script, "127.0.0.1:8080", address)
	out := runScript(t, folder, script, "CASBROKER_SERVER_ADDRESS="+address, "PATH="+filepath.Dir(p.Path)+":"+os.Getenv("PATH"))

	want := []string{`"provenance":"verified"`, `"type":"portfolio.saved"`}
	for name := range used {
		want = append(want, "event portfolio.saved "+languages[name].user, "webhook portfolio.saved "+languages[name].user)
	}
	if got := strings.Count(out, "\nverified equity "); got < 8*len(used) {
		t.Errorf("got %d holdings, want at least 8 in each language", got)
	}
	for _, text := range want {
		if !strings.Contains(out, text) {
			t.Errorf("the output does not have %s", text)
		}
	}
	if t.Failed() {
		t.Log(out)
	}
}

// TestCodeOfTheQuickstartIsThatOfTheExamples holds the code of the document to what runs.
func TestCodeOfTheQuickstartIsThatOfTheExamples(t *testing.T) {
	text, err := os.ReadFile("../../web/docs/guides/back-end.md")
	if err != nil {
		t.Fatal(err)
	}
	for language, path := range map[string]string{"ts": "typescript/example.ts", "go": "go/example/main.go", "python": "python/example.py"} {
		example, err := os.ReadFile("../../web/clients/" + path) //nolint:gosec // files of ours
		if err != nil {
			t.Fatal(err)
		}
		blocks := regexp.MustCompile("(?ms)^  ```"+language+"\n(.*?)^  ```$").FindAllStringSubmatch(string(text), -1)
		if len(blocks) == 0 {
			t.Errorf("the document has no code in %s", language)
		}
		for _, block := range blocks {
			if !strings.Contains(trimLines(string(example)), trimLines(block[1])) {
				t.Errorf("%s does not have the document's\n%s", path, block[1])
			}
		}
	}
}

// trimLines removes the indentation of each line.
func trimLines(text string) string {
	return regexp.MustCompile(`(?m)^[ \t]+`).ReplaceAllString(text, "")
}
