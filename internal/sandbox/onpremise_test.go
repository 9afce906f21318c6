package sandbox_test

import (
	"net/http"
	"testing"

	"casbroker/internal/sandbox"
)

func TestParserOnPremisesOnlyParsesAndTakesNoKey(t *testing.T) {
	t.Parallel()
	c := start(t, sandbox.Options{OnPremise: true, RateLimit: 1})
	for range 3 {
		a := c.upload("/v4/smart/parse", "pdf_file", "cdsl.pdf", plain, "password", "x")
		if a.status != http.StatusOK || a.header.Get("X-Credits-Used") != "" {
			t.Errorf("got %d %v, want a statement without credits", a.status, a.header)
		}
	}
	for _, path := range []string{"/v1/token", "/v1/credits", "/v1/usage", "/v1/token/verify", "/v4/generate", "/v4/cdsl/fetch", "/v4/inbound-email"} {
		if a := c.call(http.MethodPost, path, "{}"); a.status != http.StatusNotFound {
			t.Errorf("%s: got %d, want 404", path, a.status)
		}
	}
}
