package config_test

import (
	"strings"
	"testing"

	"casbroker/internal/config"
)

func TestSettingsOfRedisAreCheckedByName(t *testing.T) {
	t.Parallel()
	prefix := func(text string) func(*config.Cache) { return func(c *config.Cache) { c.KeyPrefix = text } }
	for name, wrong := range map[string][]func(*config.Cache){
		"": {
			func(*config.Cache) {}, prefix("cb-staging:"), prefix("a.b:C_9:"), prefix(strings.Repeat("x", 31) + ":"),
			func(c *config.Cache) { c.URL = "unix://u:p%2F@/run/redis.sock?db=1" },
			func(c *config.Cache) {
				c.URL, c.TLSCAFile, c.TLSCertFile, c.TLSKeyFile = "rediss+cluster://a", "ca.pem", "cert.pem", "key.pem"
			},
		},
		"cache.key_prefix": {
			prefix(""), prefix(":"), prefix("cb"), prefix("{cb}:"), prefix("cb{1}:"), prefix("*:"), prefix("c?:"), prefix("c[b]:"),
			prefix("c b:"), prefix("cb\n:"), prefix("cb:\n"), prefix("é:"), prefix(strings.Repeat("x", 32) + ":"),
		},
		"cache.tls_ca_file":   {func(c *config.Cache) { c.TLSCAFile = "ca.pem" }, func(c *config.Cache) { c.URL, c.TLSCAFile = "memory", "ca.pem" }},
		"cache.tls_cert_file": {func(c *config.Cache) { c.URL, c.TLSCertFile = "rediss://a", "cert.pem" }, func(c *config.Cache) { c.URL, c.TLSKeyFile = "rediss://a", "key.pem" }},
		"cache.url": {
			func(c *config.Cache) { c.URL = "unix:/run/redis.sock" },
			func(c *config.Cache) { c.URL = "unix+cluster:///run/redis.sock" },
		},
	} {
		for i, change := range wrong {
			s := valid()
			s.Cache.URL = "redis://127.0.0.1"
			change(&s.Cache)
			err := s.Validate()
			if (err == nil) != (name == "") || err != nil && !strings.Contains(err.Error(), name+": ") {
				t.Errorf("%s, %d (%+v): got %v", name, i, s.Cache, err)
			}
		}
	}
}
