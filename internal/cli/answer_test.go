package cli_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"casbroker/internal/cli"
)

// uncertain is the message if the result of an action is unknown.
const uncertain = "broker: the request may or may not have been carried out: the broker's answer is not in the form "

func TestActionIsConfirmedOnlyByAMatchingAnswer(t *testing.T) {
	t.Parallel()
	actions := map[string][]string{
		"grant": {"revoke", "--grant", "gr_1"}, "user": {"revoke", "--user", "app:42"}, "all": {"revoke", "--all", "--confirm", "revoke everything"},
		"block": {"block", "app:42"}, "unblock": {"unblock", "app:42"},
	}
	for _, tt := range []struct{ actions, name, answer string }{
		{"grant user all block unblock", "an empty answer", ``},
		{"grant user all block unblock", "null", `null`},
		{"grant user all block unblock", "a text", `"done"`},
		{"grant user all block unblock", "a list", `[{"already":false,"subject":"app:42","grant_id":"gr_1"}]`},
		{"grant user all block unblock", "another object", `{"status":"ok"}`},
		{"grant user all block unblock", "half an object", `{"already":false,"subject":"app:42","grant_id":"gr_1"`},
		{"grant user all block unblock", "two objects", `{"already":false,"subject":"app:42"}{"already":false,"subject":"app:42"}`},
		{"grant user all block unblock", "a duplicate member", `{"already":false,"subject":"app:1","subject":"app:42","grant_id":"gr_1"}`},
		{"grant user all block unblock", "no already", `{"subject":"app:42","grant_id":"gr_1","block":{"subject":"app:42"}}`},
		{"grant user all block unblock", "already is null", `{"already":null,"subject":"app:42","grant_id":"gr_1","block":{"subject":"app:42"}}`},
		{"grant user all block unblock", "another user's", `{"already":false,"subject":"app:43","grant_id":"gr_2","block":{"subject":"app:43"}}`},
		{"grant user block unblock", "no user's", `{"already":false,"block":{"subject":""}}`},
		{"grant", "a user's", `{"already":false,"subject":"app:42"}`},
		{"all", "a user's", `{"already":false,"subject":"app:42"}`},
		{"block", "no block", `{"already":false,"subject":"app:42"}`},
		{"block", "block is null", `{"already":false,"subject":"app:42","block":null}`},
		{"block", "another's block", `{"already":false,"subject":"app:42","block":{"subject":"app:43"}}`},
		{"block", "a block with an invalid end", `{"already":false,"subject":"app:42","block":{"subject":"app:42","until":"soon"}}`},
	} {
		d := newFakeBroker(t, answerJSON(tt.answer))
		for _, action := range strings.Fields(tt.actions) {
			for _, args := range [][]string{actions[action], append(actions[action][:len(actions[action]):len(actions[action])], "--json")} {
				code, out, errs := d.run(t, args...)
				if code != cli.ExitFailed || out != "" || !strings.HasPrefix(errs, uncertain) || !strings.Contains(errs, "broker audit list") || strings.Count(errs, "\n") != 1 {
					t.Errorf("%s: %q: got %d %q %q", tt.name, args, code, out, errs)
				}
			}
		}
	}
}

func TestAnswerOfAnotherMediaTypeIsRefused(t *testing.T) {
	t.Parallel()
	for _, media := range []string{"text/html; charset=utf-8", "text/plain", "", "application/json-seq", "application/problem+json"} {
		d := newFakeBroker(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", media)
			_, _ = fmt.Fprint(w, `{"already":false,"subject":"app:42","grant_id":"gr_1","block":{"subject":"app:42"},"grants":[],"records":[],"next_cursor":null}`)
		})
		for _, args := range remote {
			code, out, errs := d.run(t, args...)
			isAction := slices.Contains([]string{"revoke", "block", "unblock", "log-level"}, args[0]) || slices.Contains(args, "raise")
			if code != cli.ExitFailed || strings.HasPrefix(out, "{") || !strings.Contains(errs, "media type") || strings.HasPrefix(errs, uncertain) != isAction {
				t.Errorf("%q: %q: got %d %q %q", media, args, code, out, errs)
			}
		}
	}
}

func TestExportOfAnotherFormatIsRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		format, media string
		code          int
	}{
		{"ndjson", "application/x-ndjson", cli.ExitOK},
		{"csv", "text/csv; charset=utf-8; header=present", cli.ExitOK},
		{"csv", "text/csv", cli.ExitOK},
		{"csv", "application/x-ndjson", cli.ExitFailed},
		{"ndjson", "text/csv", cli.ExitFailed},
		{"ndjson", "application/json", cli.ExitFailed},
		{"ndjson", "text/html", cli.ExitFailed},
		{"csv", "text/html", cli.ExitFailed},
	} {
		d := newFakeBroker(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", tt.media)
			_, _ = fmt.Fprint(w, "content\n")
		})
		code, out, errs := d.run(t, "audit", "export", "--format", tt.format)
		if code != tt.code || (out == "content\n") != (code == cli.ExitOK) || (errs == "") != (code == cli.ExitOK) {
			t.Errorf("%s as %s: %d %q %q", tt.format, tt.media, code, out, errs)
		}
	}
}

func TestMissingListIsNotAnEmptyList(t *testing.T) {
	t.Parallel()
	for member, args := range map[string][]string{"grants": {"grants"}, "records": {"audit", "list"}} {
		for _, answer := range []string{
			`null`, `[]`, `{}`, `{"other":[],"next_cursor":null}`, `{"MEMBER":null,"next_cursor":null}`, `{"MEMBER":{},"next_cursor":null}`,
			`{"MEMBER":[]}`, `{"MEMBER":[],"next_cursor":7}`, `{"MEMBER":[null],"next_cursor":null}`, `{"MEMBER":["x"],"next_cursor":null}`,
		} {
			answer = strings.ReplaceAll(answer, "MEMBER", member)
			d := newFakeBroker(t, answerJSON(answer))
			for _, args := range [][]string{args, append(args[:len(args):len(args)], "--json")} {
				code, out, errs := d.run(t, args...)
				if code != cli.ExitFailed || strings.Contains(out, "null") || !strings.Contains(errs, "not in the form") || strings.Count(errs, "\n") != 1 {
					t.Errorf("%q: %s: got %d %q %q", args, answer, code, out, errs)
				}
			}
		}
	}
}

func TestNullProblemIsReportedOnce(t *testing.T) {
	t.Parallel()
	d := newFakeBroker(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = fmt.Fprint(w, "null")
	})
	for _, args := range remote {
		if code, _, errs := d.run(t, args...); code != cli.ExitFailed || strings.Count(errs, "\n") != 1 || !strings.Contains(errs, "503 Service Unavailable, which is not an answer of a broker") {
			t.Errorf("%q: got exit code %d, %q", args, code, errs)
		}
	}
}

func TestRetryAfterIsPrintedOnce(t *testing.T) {
	t.Parallel()
	for detail, want := range map[string]string{
		"Too many. Try again in 60 s.": "broker: Too many. Try again in 60 s. (rate_limited, req_7)\n",
		"Nothing was done. Try again.": "broker: Nothing was done. (rate_limited, req_7); try again in 1m0s\n",
		"Too many.":                    "broker: Too many. (rate_limited, req_7); try again in 1m0s\n",
		"":                             "broker: Too Many Requests (rate_limited, req_7); try again in 1m0s\n",
	} {
		d := newFakeBroker(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "60")
			problem(w, http.StatusTooManyRequests, "rate_limited", detail)
		})
		if code, _, errs := d.run(t, "grants"); code != cli.ExitFailed || errs != want {
			t.Errorf("%q: got exit code %d, %q", detail, code, errs)
		}
	}
}
