package config_test

import (
	"strings"
	"testing"
	"time"

	"casbroker/internal/config"
)

func TestTheListOfSettingsTellsWhatDiffersAndHidesSecrets(t *testing.T) {
	t.Parallel()
	c := config.Default()
	c.Token.Lifetime = 10 * time.Minute
	c.Upstream.APIKey = "live-key-7f3a91c2d4e5"
	c.Store.URL = "postgres://broker:hunter2@db/broker"
	c.Auth.Verifiers = []config.Verifier{{Name: "app", Audience: []string{"casbroker", "other"}, Secret: "hunter2"}}
	found := map[string]config.Entry{}
	for _, e := range c.List() {
		if strings.Contains(e.Value, "hunter2") || strings.Contains(e.Value, "live-key") {
			t.Errorf("%s shows a secret", e.Key)
		}
		found[e.Key] = e
	}
	for _, want := range []config.Entry{
		{Key: "server.address", Value: "127.0.0.1:8080", Default: true},
		{Key: "token.lifetime", Value: "10m0s"},
		{Key: "upstream.api_key", Value: "[secret]"},
		{Key: "store.url", Value: "postgres://hidden@db/broker"},
		{Key: "portfolio.max_body", Value: "10MiB", Default: true},
		{Key: "auth.verifiers[0].name", Value: "app"},
		{Key: "auth.verifiers[0].audience", Value: "casbroker, other"},
		{Key: "auth.verifiers[0].oidc", Value: "false", Default: true},
		{Key: "seal.keys", Default: true},
		{Key: "seal.hash_key", Default: true},
	} {
		if got := found[want.Key]; got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}
