package config_test

import (
	"testing"
	"time"

	"casbroker/internal/config"
)

func TestSettingsInWordsSayWhatIsInForce(t *testing.T) {
	t.Parallel()
	c, err := config.Load(config.Default(), "", []string{
		"CASBROKER_UPSTREAM_API_KEY=sk_1", "CASBROKER_UPSTREAM_KEYS_0_NAME=main", "CASBROKER_RETENTION_GRANTS=36h", "CASBROKER_TOKEN_POOL=0",
		"CASBROKER_GATEWAY_MAX_UPLOADS=0", "CASBROKER_PORTFOLIO_MAX_BODY=3MiB", "CASBROKER_PORTFOLIO_MAX_PER_USER=1500",
	})
	if err != nil {
		t.Fatal(err)
	}
	c.Upstream.Timeout, c.Token.MinRemaining = 1500*time.Millisecond, 0
	got := map[string]config.Entry{}
	for _, e := range c.List() {
		got[e.Key] = e
		if e.Words == "" {
			t.Errorf("%s has no words", e.Key)
		}
	}
	environ := []string{"CASBROKER_UPSTREAM_API_KEY_FILE=key", "CASBROKER_UPSTREAM_KEYS_0_NAME=main", "CASBROKER_TOKEN_POOL=0"}
	for key, want := range map[string]struct{ words, source string }{
		"upstream.api_key":       {"set, not shown", config.FromEnvironment},
		"upstream.keys[0].name":  {"main", config.FromEnvironment},
		"upstream.timeout":       {"1 second 500 milliseconds", config.FromFile},
		"retention.grants":       {"1 day 12 hours", config.FromFile},
		"retention.audit":        {"kept until deleted", config.FromDefault},
		"token.pool":             {"off", config.FromEnvironment},
		"gateway.max_uploads":    {"no limit", config.FromFile},
		"portfolio.max_body":     {"3 MiB", config.FromFile},
		"portfolio.max_per_user": {"1,500", config.FromFile},
		"ratelimit.sign_in.all":  {"no limit", config.FromDefault},
		"ratelimit.token.user":   {"30 per minute", config.FromDefault},
		"store.migrate_at_start": {"on", config.FromDefault},
		"web.stand_in":           {"off", config.FromDefault},
		"audit.anchor.file":      {"not set", config.FromDefault},
		"seal.keys":              {"not set", config.FromDefault},
	} {
		e := got[key]
		if source := e.Source(environ, true); e.Words != want.words || source != want.source {
			t.Errorf("%s: got %q from %s, want %q from %s", key, e.Words, source, want.words, want.source)
		}
	}
	if e := got["retention.grants"]; e.Source(nil, false) != config.FromProgram {
		t.Errorf("got %q without a file", e.Source(nil, false))
	}
}
