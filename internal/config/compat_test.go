package config_test

import (
	"regexp"
	"strings"
	"testing"

	"casbroker/internal/config"
	"casbroker/web"
)

func TestDropInPathsAreChecked(t *testing.T) {
	t.Parallel()
	for path, valid := range map[string]bool{
		"/api/casparser/token": true, "/api/v2.1/Save_all~x": true, "/t": true,
		"": false, "/": false, "api/token": false, "/api/token/": false, "/api//token": false, "/api/:id": false, "/api/*": false,
		"/api/../v1/token": false, "/.well-known/x": false, "/api/./x": false, "/api/%2e": false, "/api/token?x=1": false, "/api/a b": false,
		"https://app.example/api": false, "/" + strings.Repeat("a", 128): false,
		"/v1": false, "/v1/token": false, "/admin/x": false, "/oauth/token": false, "/console": false, "/healthz": false, "/demo/x": false, "/connect/x": false, "/docs/x": false, "/llms.txt": false,
		"/openapi.yaml": false, "/gateway": false, "/gateway/v4/smart/parse": false, "/inbound/x": false, "/gateways": true, "/v10/x": true,
	} {
		c := config.Default()
		c.Compat.Routes = []config.CompatRoute{{Path: "/api/portfolio", Is: "save"}, {Path: path, Is: "token"}}
		if got := reports(c.Validate(), "compat.routes[1].path"); got == valid {
			t.Errorf("%q: got an error about it: %v, want %v", path, got, !valid)
		}
	}
}

// reports reports whether err has one about key.
func reports(err error, key string) bool {
	return err != nil && strings.Contains(err.Error(), key+":")
}

func TestDropInPathsAreUniqueAndOfAKnownKind(t *testing.T) {
	t.Parallel()
	c := config.Default()
	c.Compat.Routes = []config.CompatRoute{{Path: "/a", Is: "token"}, {Path: "/a", Is: "save"}, {Path: "/b", Is: "upload"}, {Path: "/c"}}
	err := c.Validate()
	for key, want := range map[string]bool{
		"compat.routes[0].path": false, "compat.routes[1].path": true, "compat.routes[1].is": false,
		"compat.routes[2].is": true, "compat.routes[3].is": true,
	} {
		if got := reports(err, key); got != want {
			t.Errorf("%s: reported %v, want %v: %v", key, got, want, err)
		}
	}
}

func TestListOfDropInPathsCanBeUsed(t *testing.T) {
	t.Parallel()
	c, err := config.Load(config.Default(), "../../config/compat.yaml", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Validate(); len(c.Compat.Routes) != 12 || reports(err, "compat") || strings.Contains(err.Error(), "compat.") {
		t.Errorf("got %d routes and %v, want 12 valid ones", len(c.Compat.Routes), err)
	}
}

func TestDescribedPathsOfTheBrokerAreReserved(t *testing.T) {
	t.Parallel()
	paths := regexp.MustCompile(`(?m)^  (/[^\s:]*):$`).FindAllSubmatch(web.OpenAPI, -1)
	if len(paths) < 30 {
		t.Fatalf("got %d paths in the OpenAPI file, want all", len(paths))
	}
	for _, match := range paths {
		path := string(match[1])
		if strings.HasPrefix(path, "/api/") { // the examples of such paths
			continue
		}
		c := config.Default()
		c.Compat.Routes = []config.CompatRoute{{Path: strings.NewReplacer("{", "", "}", "").Replace(path), Is: "save"}}
		if !reports(c.Validate(), "compat.routes[0].path") {
			t.Errorf("%s is a path of the broker, but may be one of compat.routes", path)
		}
	}
}
