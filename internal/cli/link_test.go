package cli_test

import (
	"encoding/json"
	"strings"
	"testing"

	"casbroker/internal/cli"
)

func TestLinkIsMadeByARunningBroker(t *testing.T) {
	t.Parallel()
	_, out, errs := broker(t, nil, "service-key", "backend", "--scope", "token:write", "--json")
	var made struct{ Key, Hash string }
	if err := json.Unmarshal([]byte(out), &made); err != nil {
		t.Fatalf("got %v: %s %s", err, out, errs)
	}
	r := startRunning(t, "CASBROKER_TOKEN_MODE=gateway", "CASBROKER_LINK_NAME=Example", "CASBROKER_LINK_RETURN_URLS=https://app.example/done",
		"CASBROKER_AUTH_SERVICE_KEYS_0_NAME=backend", "CASBROKER_AUTH_SERVICE_KEYS_0_HASH="+made.Hash,
		"CASBROKER_AUTH_SERVICE_KEYS_0_SCOPES=token:write", "CASBROKER_AUTH_SERVICE_KEYS_0_ACTS_FOR=app")
	environ := []string{"BROKER_URL=" + r.url, "BROKER_SERVICE_KEY=" + made.Key}
	code, out, errs := broker(t, environ, "link", "--user", "app:42", "--ttl", "2h", "--once", "--return-url", "https://app.example/done")
	lines := strings.Split(out, "\n")
	if code != cli.ExitOK || len(lines) != 3 || !strings.HasPrefix(lines[0], r.url+"/connect/cbl_") || !strings.Contains(lines[1], "for app:42 works until") ||
		!strings.Contains(lines[1], "in one browser") {
		t.Fatalf("got %d %q %s", code, out, errs)
	}
	code, out, errs = broker(t, environ, "link", "--user", "app:42", "--language", "hi", "--json")
	var link struct{ ID, URL, Language, State, Use string }
	if err := json.Unmarshal([]byte(out), &link); err != nil || code != cli.ExitOK || link.Language != "hi" || link.State != "new" || link.Use != "until_saved" {
		t.Errorf("got %d %v %s %s", code, err, out, errs)
	}
	for want, args := range map[string][]string{
		"return_url":              {"--user", "app:42", "--return-url", "https://evil.example"},
		"10 minutes to 7 days":    {"--user", "app:42", "--ttl", "5m"},
		"verifier":                {"--user", "other:42"},
		"--user":                  {},
		"--language must be one ": {"--user", "app:42", "--language", "fr"},
	} {
		if code, out, errs := broker(t, environ, append([]string{"link"}, args...)...); code == cli.ExitOK || !strings.Contains(errs, want) || out != "" {
			t.Errorf("%v: got %d %s %s, want %q", args, code, out, errs, want)
		}
	}
	if code, _, errs := broker(t, environ[:1], "link", "--user", "app:42"); code != cli.ExitUsage || !strings.Contains(errs, "scope token:write") {
		t.Errorf("got %d %s, want it to ask for a service key", code, errs)
	}
}
