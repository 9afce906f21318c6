package config_test

import (
	"strings"
	"testing"
	"time"

	"casbroker/internal/config"
)

func TestSettingsOfCallbacksAndStatementsAreChecked(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		key    string
		change func(*config.Config)
		valid  bool
	}{
		{"inbound.path", func(c *config.Config) { c.Inbound.Path = "" }, true},
		{"inbound.path", func(c *config.Config) { c.Inbound.Path = "/api/mail-1" }, true},
		{"inbound.path", func(c *config.Config) { c.Inbound.Path = "/Inbound" }, false},
		{"inbound.path", func(c *config.Config) { c.Inbound.Path = "/:x" }, false},
		{"inbound.path", func(c *config.Config) { c.Inbound.Path = "/v1/inbound" }, false},
		{"inbound.path", func(c *config.Config) { c.Inbound.Path = "/gateway" }, false},
		{"inbound.path", func(c *config.Config) { c.Inbound.Path = "/gateway/inbound" }, false},
		{"inbound.path", func(c *config.Config) { c.Inbound.Path, c.Gateway.Path = "/cas", "/cas/gateway" }, false},
		{"inbound.path", func(c *config.Config) { c.Inbound.Path = "/gateway-inbound" }, true},
		{"inbound.url", func(c *config.Config) { c.Inbound.URL = "https://hooks.example/broker" }, true},
		{"inbound.url", func(c *config.Config) { c.Inbound.URL = "https://hooks.example/" }, false},
		{"inbound.url", func(c *config.Config) { c.Inbound.URL = "http://hooks.example" }, false},
		{"inbound.url", func(c *config.Config) { c.Inbound.URL = "http://127.0.0.1:8080" }, false},
		{"inbound.url", func(c *config.Config) {
			c.Inbound.URL, c.Upstream.URL = "http://127.0.0.1:8080", "http://localhost:8090"
		}, true},
		{"inbound.file_hosts[0]", func(c *config.Config) { c.Inbound.FileHosts = []string{"a.example", "*.b.example", "c.example:8443"} }, true},
		{"inbound.file_hosts[0]", func(c *config.Config) { c.Inbound.FileHosts = []string{"*.in"} }, false},
		{"inbound.file_hosts[0]", func(c *config.Config) { c.Inbound.FileHosts = []string{"a.*.example"} }, false},
		{"inbound.file_hosts[0]", func(c *config.Config) { c.Inbound.FileHosts = []string{"A.example"} }, false},
		{"inbound.parse", func(c *config.Config) {
			c.Inbound.Parse, c.Token.Mode, c.Gateway.Features = true, config.ModeBoth, []string{config.FeatureInboundEmail}
		}, true},
		{"inbound.parse", func(c *config.Config) { c.Inbound.Parse, c.Token.Mode = true, config.ModeBoth }, false},
		{"inbound.parse", func(c *config.Config) {
			c.Inbound.Parse, c.Gateway.Features = true, []string{config.FeatureInboundEmail}
		}, false},
		{"gateway.poll_every", func(c *config.Config) { c.Gateway.PollEvery = 3 * time.Second }, true},
		{"gateway.poll_every", func(c *config.Config) { c.Gateway.PollEvery = 2 * time.Second }, false},
		{"gateway.poll_every", func(c *config.Config) { c.Gateway.PollEvery = 6 * time.Minute }, false},
		{"statements.workers", func(c *config.Config) { c.Statements.Workers = 0 }, false},
		{"statements.workers", func(c *config.Config) { c.Statements.Workers = 65 }, false},
		{"statements.workers", func(c *config.Config) { c.Statements.Workers = 64 }, true},
		{"statements.max_jobs", func(c *config.Config) { c.Statements.MaxJobs = 0 }, false},
		{"statements.max_jobs_per_user", func(c *config.Config) { c.Statements.MaxJobs = 4 }, false},
		{"statements.max_jobs_per_user", func(c *config.Config) { c.Statements.MaxJobsPerUser = 1000 }, true},
		{"statements.max_stored", func(c *config.Config) { c.Statements.MaxStored = 1 << 20 }, false},
	} {
		s := config.Default()
		c.change(&s)
		err := s.Validate() // other settings are missing
		if err == nil {
			t.Fatal("got no error")
		}
		if named := strings.Contains(err.Error(), c.key+": "); named == c.valid {
			t.Errorf("%s of %+v: got %v", c.key, s.Inbound, err)
		}
	}
}
