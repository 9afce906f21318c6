package cli_test

import (
	"slices"
	"strings"
	"testing"

	"casbroker/internal/cli"
)

func TestArgumentThatIsNotUTF8IsRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args     []string
		position string
	}{
		{[]string{"block", "app:andr\xe9"}, "argument 2 "},
		{[]string{"block", "app:42", "--reason", "vol\xe9"}, "argument 4 "},
		{[]string{"revoke", "--user=app:andr\xc3"}, "argument 2 "},
		{[]string{"grants", "--user", "app:\xed\xa0\x80"}, "argument 3 "},
		{[]string{"\xff"}, "argument 1 "},
	} {
		d := newFakeBroker(t, succeed)
		code, out, errs := d.run(t, tt.args...)
		if code != cli.ExitUsage || out != "" || !strings.HasPrefix(errs, "broker: "+tt.position+"is not valid UTF-8") ||
			strings.Contains(errs, "andr") || strings.Contains(errs, "vol") {
			t.Errorf("%q: got exit code %d, %s%q", tt.args, code, out, errs)
		}
		if len(d.requests) > 0 {
			t.Errorf("%q: sent %q, want nothing", tt.args, d.requests)
		}
	}
	d := newFakeBroker(t, succeed)
	if code, out, errs := d.run(t, "block", "app:andré"); code != cli.ExitOK || !strings.HasPrefix(out, "app:andré is blocked") {
		t.Errorf("got exit code %d, %s%s", code, out, errs)
	}
}

func TestCredentialsInArgumentsAndSettingsAreNotRepeated(t *testing.T) {
	t.Parallel()
	credentials := map[string]string{
		adminKey: "[admin key]",
		"at_hush-hush-hush-hush-hush-hush-hush-hush":                   "[access token]",
		"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJodXNoIn0.hush-hush-hush-hush": "[jwt]",
	}
	for credential, placeholder := range credentials {
		for _, args := range [][]string{
			{"grants", credential}, {credential}, {"grants", "--" + credential}, {"grants", "--limit", credential}, {"grants", "--since=" + credential},
			{"grants", "--state", credential}, {"block", "app:42", "--until", credential}, {"audit", "export", "--format", credential},
			{"serve", "--config", credential}, {"grants", "--key-file", credential},
			{"grants", "--url", "http://127.0.0.1:1/" + credential},
		} {
			code, out, errs := broker(t, []string{"BROKER_URL=http://127.0.0.1:1", "BROKER_KEY=" + adminKey}, args...)
			if code == cli.ExitOK || !strings.Contains(errs, placeholder) || strings.Contains(out+errs, credential) || strings.Contains(out+errs, "hush-hush") {
				t.Errorf("%q: got exit code %d, %s%s", args, code, out, errs)
			}
		}
		code, out, errs := broker(t, append(good(t), "CASBROKER_ADMIN_KEYS_0_NAME="+credential), "config", "check")
		if code != cli.ExitUsage || !strings.Contains(errs, "admin.keys[0].name") || !strings.Contains(errs, placeholder) || strings.Contains(out+errs, credential) {
			t.Errorf("got exit code %d, %s%s", code, out, errs)
		}
	}
}

func TestArgumentsCannotControlTheTerminal(t *testing.T) {
	t.Parallel()
	code, _, errs := broker(t, nil, "grants", "a\x1b[2Jb")
	if code != cli.ExitUsage || !strings.Contains(errs, "a?[2Jb") || strings.Contains(errs, "\x1b") {
		t.Errorf("got exit code %d, %q", code, errs)
	}
}

func TestEmptyFilterIsRefused(t *testing.T) {
	t.Parallel()
	d := newFakeBroker(t, succeed)
	for _, command := range []string{
		"grants --user", "grants --state", "grants --url", "grants --key-file", "grants --since", "revoke --user", "revoke --grant",
		"audit list --subject", "audit list --actor", "audit list --action", "audit list --outcome", "audit list --until",
		"audit export --subject", "audit export --actor", "audit export --action", "audit export --outcome", "audit export --format",
	} {
		args := strings.Fields(command)
		for _, args := range [][]string{append(slices.Clone(args), ""), append(slices.Clone(args[:len(args)-1]), args[len(args)-1]+"=")} {
			if code, out, errs := d.run(t, args...); code != cli.ExitUsage || out != "" || !strings.Contains(errs, args[len(strings.Fields(command))-1][:5]) {
				t.Errorf("%q: got exit code %d, %s%s", args, code, out, errs)
			}
		}
	}
	if len(d.requests) > 0 {
		t.Errorf("sent %q, want nothing", d.requests)
	}
}

func TestFiltersAreSentUnchanged(t *testing.T) {
	t.Parallel()
	d := newFakeBroker(t, succeed)
	for _, args := range [][]string{
		{"grants", "--user", "app: a&b", "--state", "revoked", "--limit", "5"},
		{"audit", "list", "--subject", "app:42", "--actor", "admin/asha", "--action", "token.mint", "--outcome", "ok", "--request", "req_7f3Kq9", "--limit", "5"},
	} {
		if code, _, errs := d.run(t, args...); code != cli.ExitOK {
			t.Errorf("%q: got exit code %d, %s", args, code, errs)
		}
	}
	for _, want := range []string{
		"GET /admin/v1/grants?limit=5&state=revoked&subject=app%3A+a%26b",
		"GET /admin/v1/audit?action=token.mint&actor=admin%2Fasha&limit=5&outcome=ok&request_id=req_7f3Kq9&subject=app%3A42",
	} {
		if !slices.Contains(d.requests, want) {
			t.Errorf("no %q in %q", want, d.requests)
		}
	}
}

func TestTimesOutOfRangeAreUsageErrors(t *testing.T) {
	t.Parallel()
	d := newFakeBroker(t, succeed)
	for _, at := range []string{
		"9999-12-31T23:59:59-01:00", "0001-01-01T00:00:00Z", "1969-12-31T23:59:59.999Z", "1970-01-01T00:00:00+00:01", "0000-01-01T00:00:00Z",
	} {
		for _, args := range [][]string{
			{"block", "app:42", "--until", at}, {"grants", "--since", at}, {"grants", "--until", at}, {"audit", "list", "--since", at}, {"audit", "export", "--until", at},
		} {
			if code, _, errs := d.run(t, args...); code != cli.ExitUsage || !strings.Contains(errs, "a time from 1970 to 9999, in UTC") {
				t.Errorf("%q: got exit code %d, %s", args, code, errs)
			}
		}
	}
	if code, _, errs := d.run(t, "grants", "--since", "2000000h"); code != cli.ExitUsage || !strings.Contains(errs, "1970") {
		t.Errorf("long ago: %d %s", code, errs)
	}
	if len(d.requests) > 0 {
		t.Errorf("sent %q, want nothing", d.requests)
	}
	for _, at := range []string{"1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59+05:30"} {
		if code, _, errs := d.run(t, "grants", "--since", at); code != cli.ExitOK {
			t.Errorf("%s: got %d %s", at, code, errs)
		}
	}
}
