package config_test

import (
	"slices"
	"testing"

	"casbroker/internal/config"
)

func TestChangedSettingsAreNamed(t *testing.T) {
	t.Parallel()
	before := config.Default()
	before.Auth.Verifiers = []config.Verifier{{Name: "app", Secret: "a"}}
	after := config.Default()
	after.Auth.Verifiers = []config.Verifier{{Name: "app", Secret: "b"}}
	after.Server.AllowedOrigins, after.Upstream.Keys = []string{"https://app.example"}, []config.UpstreamKey{}
	after.Admin.Keys = []config.AdminKey{{Name: "meera"}}
	want := []string{"server.allowed_origins", "auth.verifiers[0].secret", "admin.keys"}
	if got := before.Changes(after); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := before.Changes(before); got != nil {
		t.Errorf("got %q, want none", got)
	}
}
