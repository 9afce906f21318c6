package cli_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"casbroker/internal/cli"
)

// vendorNote is printed for tokens that stay valid at the vendor.
const vendorNote = "The vendor cannot revoke tokens: whoever has one can use it there until 2026-04-01T10:00:00Z.\n"

func TestRevokePrintsTheResult(t *testing.T) {
	t.Parallel()
	const alive = `,"upstream_valid_until":"2026-04-01T15:30:00+05:30","upstream_note":"…"`
	for _, tt := range []struct {
		args, request, answer, want string
	}{
		{
			"--grant gr_1", "POST /admin/v1/grants/gr_1/revoke", `{"already":false,"subject":"app:42","grant_id":"gr_1"` + alive + `}`,
			"The token of gr_1 is revoked.\n" + vendorNote,
		},
		{
			"--grant gr_1", "POST /admin/v1/grants/gr_1/revoke", `{"already":true,"subject":"app:42","grant_id":"gr_1"}`,
			"The token of gr_1 had already ended.\n",
		},
		{
			"--user app:42", "POST /admin/v1/users/app:42/revoke", `{"already":false,"subject":"app:42"` + alive + `}`,
			"All tokens of app:42 are revoked.\n" + vendorNote,
		},
		{
			"--user app:42", "POST /admin/v1/users/app:42/revoke", `{"already":true,"subject":"app:42"` + alive + `}`,
			"app:42 had no token left to revoke.\n" + vendorNote,
		},
		{
			"--all --confirm revoke+everything", `POST /admin/v1/revoke-all {"confirm":"revoke everything"}`, `{"already":false}`,
			"All tokens of all users are revoked.\n",
		},
		{
			"--all --confirm revoke+everything", `POST /admin/v1/revoke-all {"confirm":"revoke everything"}`, `{"already":true}`,
			"No user had a token left to revoke.\n",
		},
	} {
		args := []string{"revoke"}
		for _, arg := range strings.Fields(tt.args) {
			args = append(args, strings.ReplaceAll(arg, "+", " "))
		}
		d := newFakeBroker(t, answerJSON(tt.answer))
		if code, out, errs := d.run(t, args...); code != cli.ExitOK || out != tt.want {
			t.Errorf("%q: got exit code %d, %q %s", args, code, out, errs)
		}
		if requests := d.inSession(t); !slices.Equal(requests, []string{tt.request}) {
			t.Errorf("%q: got %q", args, requests)
		}
		if code, out, errs := d.run(t, append(args, "--json")...); code != cli.ExitOK || out != tt.answer+"\n" {
			t.Errorf("%q --json: %d %q %s", args, code, out, errs)
		}
	}
}

func TestRevokeNeedsExactlyOneSelection(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{}, {"--user", "app:42", "--grant", "gr_1"}, {"--all", "--user", "app:42", "--confirm", "revoke everything"}, {"--user", ""},
		{"--grant", ""}, {"--all"}, {"--all", "--confirm", "yes"}, {"--user", "app:42", "--confirm", "revoke everything"}, {"app:42"},
	} {
		d := newFakeBroker(t, succeed)
		if code, _, errs := d.run(t, append([]string{"revoke"}, args...)...); code != cli.ExitUsage || errs == "" {
			t.Errorf("%q: got exit code %d, %s", args, code, errs)
		}
		if len(d.requests) > 0 {
			t.Errorf("%q: sent %q, want nothing", args, d.requests)
		}
	}
}

func TestBlockSendsReasonAndEnd(t *testing.T) {
	t.Parallel()
	d := newFakeBroker(t, answerJSON(`{"already":false,"subject":"app:42","block":{"subject":"app:42","reason":"stolen","until":"2026-04-01T10:00:00Z","at":"2026-03-01T10:00:00Z","actor":"admin/asha"},"upstream_valid_until":"2026-04-01T10:00:00Z"}`))
	code, out, errs := d.run(t, "block", "app:42", "--reason", "stolen", "--until", "2026-04-01T10:00:00Z")
	if code != cli.ExitOK || out != "app:42 is blocked until 2026-04-01T10:00:00Z, and all its tokens are revoked.\n"+vendorNote {
		t.Errorf("got exit code %d, %q %s", code, out, errs)
	}
	if requests := d.inSession(t); !slices.Equal(requests, []string{`POST /admin/v1/users/app:42/block {"reason":"stolen","until":"2026-04-01T10:00:00Z"}`}) {
		t.Errorf("got %q", requests)
	}
	d = newFakeBroker(t, answerJSON(`{"already":true,"subject":"app:42","block":{"subject":"app:42","reason":""}}`))
	if code, out, errs := d.run(t, "block", "app:42"); code != cli.ExitOK || out != "app:42 was already blocked, until unblocked.\n" {
		t.Errorf("got exit code %d, %q %s", code, out, errs)
	}
	if requests := d.inSession(t); !slices.Equal(requests, []string{`POST /admin/v1/users/app:42/block {"reason":""}`}) {
		t.Errorf("got %q", requests)
	}
}

func TestBlockEndsAfterADuration(t *testing.T) {
	t.Parallel()
	d := newFakeBroker(t, succeed)
	before := time.Now()
	if code, _, errs := d.run(t, "block", "app:42", "--until", "2h"); code != cli.ExitOK {
		t.Errorf("got exit code %d, %s", code, errs)
	}
	var body struct{ Until time.Time }
	_, sent, _ := strings.Cut(d.inSession(t)[0], "block ")
	if err := json.Unmarshal([]byte(sent), &body); err != nil || body.Until.Before(before.Add(2*time.Hour)) || body.Until.After(time.Now().Add(2*time.Hour)) {
		t.Errorf("%s: got %v", sent, err)
	}
	for _, until := range []string{"-2h", "0s", "tomorrow", ""} {
		if code, _, errs := d.run(t, "block", "app:42", "--until="+until); code != cli.ExitUsage || !strings.Contains(errs, "2026-04-01T10:00:00Z") {
			t.Errorf("%q: got exit code %d, %s", until, code, errs)
		}
	}
}

func TestUnblockSaysWhetherThereWasABlock(t *testing.T) {
	t.Parallel()
	for already, want := range map[bool]string{
		false: "app:42 can get tokens again; earlier ones stay revoked.\n",
		true:  "app:42 was not blocked.\n",
	} {
		d := newFakeBroker(t, answerJSON(fmt.Sprintf(`{"already":%t,"subject":"app:42"}`, already)))
		if code, out, errs := d.run(t, "unblock", "app:42"); code != cli.ExitOK || out != want {
			t.Errorf("got exit code %d, %q %s", code, out, errs)
		}
	}
}

func TestNamesAreEscapedInPaths(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"app:a/b", "app:../../x", "app:100% sure?", "app:#1", "app:गीता 🙂", "..", ".", "app:" + strings.Repeat("é", 126), "app:a+b;c=d&e", `app:\"`,
	} {
		var path, raw string
		d := newFakeBroker(t, func(w http.ResponseWriter, r *http.Request) {
			path, raw = r.URL.Path, r.RequestURI
			succeed(w, r)
		})
		for verb, args := range map[string][]string{
			"users/%s/block": {"block", "--", name}, "users/%s/unblock": {"unblock", "--", name},
			"users/%s/revoke": {"revoke", "--user", name}, "grants/%s/revoke": {"revoke", "--grant", name},
		} {
			if code, _, errs := d.run(t, args...); code != cli.ExitOK {
				t.Errorf("%q: got exit code %d, %s", args, code, errs)
			}
			if want := "/admin/v1/" + fmt.Sprintf(verb, name); path != want || strings.Count(raw, "/") != 5 || strings.ContainsAny(raw, " ?#;") {
				t.Errorf("%q: %q is sent as %q", args, path, raw)
			}
		}
	}
	if code, _, errs := newFakeBroker(t, succeed).run(t, "block", ""); code != cli.ExitUsage {
		t.Errorf("empty name: %d %s", code, errs)
	}
}

func TestTablesCannotControlTheTerminal(t *testing.T) {
	t.Parallel()
	const grants = `{"grants":[{"id":"gr_1","subject":"app:\u001b[2Jx\ny","mode":"direct","state":"revoked","issued_at":"2026-04-01T14:30:00+05:30",
		"expires_at":"2026-04-01T10:00:00Z","revoked_at":"2026-04-01T09:30:00Z","upstream_valid_until":"2026-04-01T10:00:00Z"},
		{"id":"gr_2","subject":"app:42","mode":"direct","state":"active","issued_at":"2026-04-01T09:00:00Z","expires_at":"2026-04-01T10:00:00Z"}],"next_cursor":null}`
	code, out, errs := newFakeBroker(t, answerJSON(grants)).run(t, "grants", "--user", "app:42", "--state", "revoked")
	want := []string{
		"GRANT SUBJECT STATE MODE ISSUED EXPIRES REVOKED VALID-UPSTREAM-UNTIL",
		"gr_1 app:?[2Jx?y revoked direct 2026-04-01T09:00:00Z 2026-04-01T10:00:00Z 2026-04-01T09:30:00Z 2026-04-01T10:00:00Z",
		"gr_2 app:42 active direct 2026-04-01T09:00:00Z 2026-04-01T10:00:00Z",
	}
	if got := squeezed(out); code != cli.ExitOK || !slices.Equal(got, want) {
		t.Errorf("got exit code %d, %q %s", code, got, errs)
	}
	const records = `{"records":[{"id":"au_1","at":"2026-04-01T10:00:00.123Z","actor":"admin/asha","role":"admin","action":"access.block","subject":"app:\u009b2J",
		"object":"","outcome":"ok","detail":"","request_id":"req_1","address":"192.0.2.1","user_agent":"x","writer":"w","seq":1}],"next_cursor":null}`
	code, out, errs = newFakeBroker(t, answerJSON(records)).run(t, "audit", "list")
	if code != cli.ExitOK || !strings.HasPrefix(out, "TIME ") || !strings.Contains(out, "app:?2J") || !strings.Contains(out, "2026-04-01T10:00:00Z") {
		t.Errorf("got %d\n%s\n%s", code, out, errs)
	}
}

// squeezed returns the lines of a table, with one space between cells.
func squeezed(table string) (lines []string) {
	for line := range strings.Lines(table) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	return lines
}

func TestInvalidFilterIsAUsageError(t *testing.T) {
	t.Parallel()
	d := newFakeBroker(t, succeed)
	for _, wrong := range [][]string{
		{"grants", "--since", "yesterday"}, {"grants", "--until", "-1h"}, {"grants", "--limit", "0"}, {"grants", "--state", "dead"},
		{"audit", "list", "--since", "yesterday"}, {"audit", "list", "--limit", "-1"}, {"audit", "list", "--outcome", "good"},
		{"audit", "export", "--format", "pdf"}, {"audit", "export", "--since", "x"},
	} {
		if code, _, errs := d.run(t, wrong...); code != cli.ExitUsage || errs == "" {
			t.Errorf("%q: got exit code %d, %s", wrong, code, errs)
		}
	}
	if len(d.requests) > 0 {
		t.Errorf("sent %q, want nothing", d.requests)
	}
}
