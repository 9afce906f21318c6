package main

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// modules returns the modules that the broker is built from, as "path version", with the
// hashes that go.sum has of them. It asks go list, not the built program.
func modules(t *testing.T) map[string]string {
	t.Helper()
	sums, err := os.ReadFile("../../go.sum")
	if err != nil {
		t.Fatal(err)
	}
	hashes := map[string]string{}
	for line := range strings.Lines(string(sums)) {
		if f := strings.Fields(line); len(f) == 3 {
			hash, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(f[2], "h1:"))
			if err != nil {
				t.Fatal(err)
			}
			hashes[f[0]+" "+f[1]] = hex.EncodeToString(hash)
		}
	}
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}{{end}}{{end}}", ".")
	list.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for line := range strings.Lines(string(out)) {
		if module := strings.TrimSpace(line); module != "" {
			found[module] = hashes[module]
		}
	}
	return found
}

func TestBillOfMaterialsHasEveryModule(t *testing.T) {
	t.Parallel()
	path := build(t).Path
	sbom := func() []byte {
		cmd := exec.CommandContext(t.Context(), "go", "run", "../sbom", "-version", "v1.2.3", path) //nolint:gosec // our own program
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	out := sbom()
	if again := sbom(); string(again) != string(out) {
		t.Errorf("got another document the second time: %s", again)
	}
	type component struct {
		Ref                 string `json:"bom-ref"`
		Name, Version, PURL string
		Hashes              []struct{ Alg, Content string }
	}
	var bom struct {
		BOMFormat, SpecVersion string
		Metadata               struct{ Component component }
		Components             []component
		Dependencies           []struct {
			Ref       string
			DependsOn []string
		}
	}
	if err := json.Unmarshal(out, &bom); err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(path) //nolint:gosec // our own program
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(program)
	if main := bom.Metadata.Component; bom.BOMFormat != "CycloneDX" || bom.SpecVersion != "1.6" || main.PURL != "pkg:golang/casbroker@v1.2.3" ||
		main.Hashes[0].Content != hex.EncodeToString(sum[:]) {
		t.Errorf("got %s %s of %+v", bom.BOMFormat, bom.SpecVersion, main)
	}
	want := modules(t)
	if len(want) < 30 || bom.Components[0].Name != "std" || len(bom.Components) != len(want)+1 || len(bom.Dependencies[0].DependsOn) != len(want)+1 {
		t.Errorf("got %d components, the first %s, and %d modules in all", len(bom.Components), bom.Components[0].Name, len(want))
	}
	for _, c := range bom.Components[1:] {
		hash, ok := want[c.Name+" "+c.Version]
		if !ok || len(c.Hashes) != 1 || c.Hashes[0].Alg != "SHA-256" || c.Hashes[0].Content != hash {
			t.Errorf("got %+v, want the hash %s", c, hash)
		}
		if c.PURL != "pkg:golang/"+c.Name+"@"+strings.ReplaceAll(c.Version, "+", "%2B") || c.Ref != c.PURL {
			t.Errorf("got the purl %s of %s", c.PURL, c.Name)
		}
		delete(want, c.Name+" "+c.Version)
	}
	for module := range want {
		t.Errorf("%s is missing", module)
	}
}
