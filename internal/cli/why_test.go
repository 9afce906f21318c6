package cli_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"casbroker/internal/cli"
)

func TestRefusedRequestIsExplained(t *testing.T) {
	t.Parallel()
	r := startRunning(t)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.url+"/v1/token", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer not-a-jwt")
	req.Header.Set("X-Request-ID", "req_refused1")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusUnauthorized {
		t.Fatalf("got %d, want 401", res.StatusCode)
	}

	out, errs := r.must(t, cli.ExitNoGrant, "why", "req_unknown1")
	if !strings.Contains(out, "Nothing is recorded") || !strings.Contains(out, "kept forever") || !strings.Contains(errs, "nothing is recorded") {
		t.Errorf("got %s%s, want why nothing is known", out, errs)
	}
	environ := r.environ
	for end := time.Now().Add(20 * time.Second); ; <-time.After(50 * time.Millisecond) { // refusals are recorded some seconds later
		code := 0
		if code, out, errs = broker(t, environ, "why", "req_refused1"); code == cli.ExitOK {
			break
		}
		if code != cli.ExitNoGrant || time.Now().After(end) {
			t.Fatalf("got exit code %d: %s%s", code, out, errs)
		}
	}
	for _, want := range []string{"refused: POST /v1/token (invalid_token, malformed)", "is not a JWT", "To do: Compare the app's JWTs with auth.verifiers"} {
		if !strings.Contains(out, want) {
			t.Errorf("got %s, want %s", out, want)
		}
	}
	out, _ = r.must(t, cli.ExitOK, "why", "req_refused1", "--json")
	var e struct {
		Known    bool
		Findings []struct{ Result, Code string }
	}
	if err := json.Unmarshal([]byte(out), &e); err != nil || !e.Known || len(e.Findings) != 1 || e.Findings[0].Result != "refused" || e.Findings[0].Code != "invalid_token" {
		t.Errorf("got %s (%v)", out, err)
	}
}
