package cli_test

import (
	"strings"
	"testing"

	"casbroker/internal/cli"
)

func TestDoctorPrintsEachCheckAndItsExitCode(t *testing.T) {
	t.Parallel()
	environ := append(good(t), "CASBROKER_UPSTREAM_URL=http://127.0.0.1:1")
	if code, _, errs := broker(t, environ, "migrate"); code != cli.ExitOK {
		t.Fatal(errs)
	}
	code, out, errs := broker(t, environ, "doctor")
	for _, line := range []string{
		"ok      settings: The settings are valid.\n", "ok      database: It is migrated", "fault   vendor: http://127.0.0.1:1 cannot be reached",
		"\n        Remedy: check upstream.url",
	} {
		if code != cli.ExitFailed || !strings.Contains(out, line) {
			t.Errorf("got exit code %d, no %q in\n%s%s", code, line, out, errs)
		}
	}
	code, out, _ = broker(t, environ, "doctor", "--json", "--user-token", "no.jwt.x", "--origin", "https://app.example/")
	for _, part := range []string{`"findings": [`, `"check": "user_token"`, `"check": "cors"`, `"remedy": "add it to server.allowed_origins`} {
		if code != cli.ExitFailed || !strings.Contains(out, part) {
			t.Errorf("got exit code %d, no %q in\n%s", code, part, out)
		}
	}
	code, out, _ = broker(t, environ, "doctor", "--origin", "https://APP.example:443")
	if code != cli.ExitFailed || !strings.Contains(out, "exactly as browsers send it: https://app.example\n") {
		t.Errorf("got exit code %d, want the origin that the setting takes in\n%s", code, out)
	}
	if code, out, _ := broker(t, append(good(t), "CASBROKER_TOKEN_LIFETIME=never"), "doctor", "--json"); code != cli.ExitUsage ||
		!strings.Contains(out, `"check": "settings"`) || !strings.Contains(out, "TOKEN_LIFETIME") {
		t.Errorf("got exit code %d, %s, want 2 and the setting", code, out)
	}
	if code, _, errs := broker(t, environ, "doctor", "--origin", "app.example"); code != cli.ExitUsage || !strings.Contains(errs, "--origin") {
		t.Errorf("got exit code %d, %s", code, errs)
	}
	if code, out, errs := broker(t, environ, "doctor", "--user-token", "hush.hush.hush"); code != cli.ExitFailed || strings.Contains(out+errs, "hush") {
		t.Errorf("got exit code %d and the token or a key in %s%s", code, out, errs)
	}
}
