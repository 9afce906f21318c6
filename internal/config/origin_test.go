package config_test

import (
	"slices"
	"strings"
	"testing"

	"casbroker/internal/config"
)

func TestOriginsThatNoBrowserSendsAreRefusedWithTheOneItSends(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"https://app.example:443", "https://app.example/", "HTTPS://app.example", "https://APP.example:443/"} {
		c := config.Default()
		c.Server.AllowedOrigins = []string{"capacitor://localhost", text}
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "server.allowed_origins[1]: want https://app.example, ") || strings.Contains(err.Error(), "allowed_origins[0]") {
			t.Errorf("%s: got %v, want it to name https://app.example", text, err)
		}
	}
}

func TestEmptyListOfHeadersMeansThoseOfTracing(t *testing.T) {
	t.Parallel()
	c, err := config.Load(config.Default(), write(t, "server: {allowed_headers: []}"), nil)
	if err != nil || !slices.Contains(c.Server.AllowedHeaders, "traceparent") {
		t.Errorf("got %v, %v, want the default", c.Server.AllowedHeaders, err)
	}
}
