package config_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"casbroker/internal/config"
)

func TestLeewayIsThirtySecondsUnlessAnotherIsSaid(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"": 30 * time.Second, "leeway: null": 30 * time.Second, "leeway:": 30 * time.Second, "leeway: 0s": 0, "leeway: 5s": 5 * time.Second,
	} {
		c := load(t, "auth:\n  verifiers:\n    - name: app\n      "+text+"\n")
		if got := c.Auth.Verifiers[0].Leeway; got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
		var out strings.Builder
		if err := c.Print(&out); err != nil || !strings.Contains(out.String(), "leeway: "+want.String()+"\n") {
			t.Errorf("%q: got %v, %s, want the leeway in force", text, err, out.String())
		}
	}
	for variable, want := range map[string]time.Duration{"NAME=app": 30 * time.Second, "LEEWAY=0s": 0} {
		c, err := config.Load(config.Default(), "", []string{"CASBROKER_AUTH_VERIFIERS_0_" + variable})
		if err != nil || c.Auth.Verifiers[0].Leeway != want {
			t.Errorf("%s: got %v, %s, want %s", variable, err, c.Auth.Verifiers[0].Leeway, want)
		}
	}
}

// composeEnvironment returns the variables of the broker in docker-compose.yml that are neither
// files nor taken from the environment.
func composeEnvironment(t *testing.T) (environ []string) {
	t.Helper()
	text, err := os.ReadFile("../../docker-compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	var compose struct {
		Services map[string]struct {
			Environment any `yaml:"environment"`
		} `yaml:"services"`
	}
	if err := yaml.Unmarshal(text, &compose); err != nil {
		t.Fatal(err)
	}
	variables, _ := compose.Services["broker-1"].Environment.(map[string]any)
	for name, value := range variables {
		if text, ok := value.(string); ok && !strings.HasSuffix(name, "_FILE") && !strings.Contains(text, "${") {
			environ = append(environ, name+"="+text)
		}
	}
	return environ
}

func TestComposeFileHasTheUsualLeeway(t *testing.T) {
	t.Parallel()
	c, err := config.Load(config.Default(), "", composeEnvironment(t))
	if err != nil {
		t.Fatal(err)
	}
	if v := c.Auth.Verifiers; len(v) != 1 || v[0].Name != "app" || v[0].Leeway != 30*time.Second {
		t.Errorf("got %+v, want one verifier with a leeway of 30s", v)
	}
}

func TestEmptyAudienceClaimIsAud(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"": "aud", `audience_claim: ""`: "aud", "audience_claim: azp": "azp"} {
		c := load(t, "auth:\n  verifiers:\n    - name: app\n      "+text+"\n")
		if got := c.Auth.Verifiers[0].AudienceClaim; got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
}

func TestAddressWithAnAtSignInItsPathIsPrinted(t *testing.T) {
	t.Parallel()
	const google = "https://www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com"
	for address, want := range map[string]bool{
		google: true, "https://asha:s3cret@id.example/keys": false, "https://asha:s3/cret@id.example/keys": false, "https://asha:5/s3cret@id.example": false,
		"https://s3cret@id.example": false, "https://id.example/keys?token=s3cret": false, "https://id.example/a@b?token=s3cret": false, "asha:s3cret@id.example": false,
	} {
		c := config.Default()
		c.Auth.Verifiers = []config.Verifier{{Name: "app", JWKSURL: address}}
		var out strings.Builder
		if err := c.Print(&out); err != nil || strings.Contains(out.String(), "jwks_url: "+address+"\n") != want || strings.Contains(out.String(), "s3cret") {
			t.Errorf("%s: got %v, %s", address, err, out.String())
		}
	}
}
