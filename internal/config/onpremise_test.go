package config_test

import (
	"strings"
	"testing"

	"casbroker/internal/config"
)

func TestSettingsThatAParserOnPremisesDoesNotHaveAreRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		key    string
		change func(*config.Config)
		valid  bool
	}{
		{"upstream.kind", func(c *config.Config) { c.Upstream.Kind = "cloudy" }, false},
		{"upstream.url", func(c *config.Config) { c.Upstream.URL = config.Default().Upstream.URL }, false},
		{"upstream.url", func(*config.Config) {}, true},
		{"upstream.url", func(c *config.Config) { c.Upstream.URL = "http://10.1.2.3:8000" }, true},
		{"upstream.url", func(c *config.Config) { c.Upstream.URL = "http://parser.cas.svc.cluster.local" }, true},
		{"upstream.url", func(c *config.Config) { c.Upstream.URL = "http://parser.cas.svc" }, true},
		{"upstream.url", func(c *config.Config) { c.Upstream.URL = "https://parser.example" }, true},
		{"upstream.url", func(c *config.Config) { c.Upstream.URL = "http://parser.example" }, false},
		{"upstream.url", func(c *config.Config) { c.Upstream.URL = "http://me:secret@parser" }, false},
		{"upstream.url", func(c *config.Config) { c.Upstream.URL = "http://" }, false},
		{"upstream.url", func(c *config.Config) { c.Upstream.URL = "parser:8000" }, false},
		{"upstream.url", func(c *config.Config) { c.Upstream.Kind = config.KindCloud }, false},
		{"upstream.api_key", func(*config.Config) {}, true},
		{"upstream.api_key", func(c *config.Config) { c.Upstream.APIKey = "sk_1" }, false},
		{"upstream.api_key_file", func(c *config.Config) { c.Upstream.APIKeyFile = "key" }, false},
		{"upstream.keys", func(c *config.Config) { c.Upstream.Keys = []config.UpstreamKey{{Name: "a", APIKey: "sk_1"}} }, false},
		{"upstream.switch_at", func(c *config.Config) { c.Upstream.SwitchAt = "90%" }, false},
		{"token.mode", func(c *config.Config) { c.Token.Mode = config.ModeGateway }, false},
		{"token.pool", func(c *config.Config) { c.Token.Pool = 1 }, false},
		{"token.pool", func(*config.Config) {}, true},
		{"budgets", func(c *config.Config) { c.Budgets = []config.Budget{{Name: "a"}} }, false},
		{"gateway.features", func(c *config.Config) { c.Gateway.Features = append(c.Gateway.Features, config.FeatureFetch) }, false},
		{"gateway.features", func(*config.Config) {}, true},
	} {
		s := config.Default()
		s.Upstream.Kind, s.Upstream.URL = config.KindOnPremise, "http://parser:8000"
		c.change(&s)
		err := s.Validate() // other settings are missing
		if err == nil {
			t.Fatal("got no error")
		}
		if named := strings.Contains(err.Error(), c.key+": "); named == c.valid {
			t.Errorf("%s of %+v: got %v, want it named: %v", c.key, s.Upstream, err, !c.valid)
		}
		if strings.Contains(err.Error(), "sk_1") || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: got %v, want no secret in it", c.key, err)
		}
	}
}

func TestNotesSayWhatIsNotOfferedOnPremises(t *testing.T) {
	t.Parallel()
	c := config.Default()
	if got := strings.Join(c.Notes(), "\n"); !strings.Contains(got, "token.mode direct hands out the vendor's own tokens") {
		t.Errorf("got %q, want what direct tokens expose", got)
	}
	c.Upstream.Kind = config.KindOnPremise
	c.Compat.Routes = []config.CompatRoute{{Path: "/api/parse", Is: config.CompatParse}, {Path: "/api/token", Is: config.CompatToken}}
	got := strings.Join(c.Notes(), "\n")
	for _, want := range []string{"tokens_unavailable", "POST /v1/statements", "compat.routes[1]: /api/token"} {
		if !strings.Contains(got, want) || strings.Contains(got, "hands out") {
			t.Errorf("got %q, want %q in it and nothing of the vendor's tokens", got, want)
		}
	}
}
