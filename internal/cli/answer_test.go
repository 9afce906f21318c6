package cli_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"casbroker/internal/cli"
)

// uncertain is what people are told when nobody knows what became of an act.
const uncertain = "broker: what was asked may be done, or not: the broker's answer is not in the form "

func TestAnActIsDoneOnceTheBrokerSaysThatOfTheSame(t *testing.T) {
	t.Parallel()
	acts := map[string][]string{
		"grant": {"revoke", "--grant", "gr_1"}, "user": {"revoke", "--user", "app:42"}, "all": {"revoke", "--all", "--confirm", "revoke everything"},
		"block": {"block", "app:42"}, "unblock": {"unblock", "app:42"},
	}
	for _, tt := range []struct{ acts, name, answer string }{
		{"grant user all block unblock", "nothing", ``},
		{"grant user all block unblock", "null", `null`},
		{"grant user all block unblock", "a text", `"done"`},
		{"grant user all block unblock", "a list", `[{"already":false,"subject":"app:42","grant_id":"gr_1"}]`},
		{"grant user all block unblock", "an object of something else", `{"status":"ok"}`},
		{"grant user all block unblock", "half an object", `{"already":false,"subject":"app:42","grant_id":"gr_1"`},
		{"grant user all block unblock", "two objects", `{"already":false,"subject":"app:42"}{"already":false,"subject":"app:42"}`},
		{"grant user all block unblock", "a name twice", `{"already":false,"subject":"app:1","subject":"app:42","grant_id":"gr_1"}`},
		{"grant user all block unblock", "no word of what was done", `{"subject":"app:42","grant_id":"gr_1","block":{"subject":"app:42"}}`},
		{"grant user all block unblock", "null for what was done", `{"already":null,"subject":"app:42","grant_id":"gr_1","block":{"subject":"app:42"}}`},
		{"grant user all block unblock", "another's", `{"already":false,"subject":"app:43","grant_id":"gr_2","block":{"subject":"app:43"}}`},
		{"grant user block unblock", "nobody's", `{"already":false,"block":{"subject":""}}`},
		{"grant", "a user's", `{"already":false,"subject":"app:42"}`},
		{"all", "a user's", `{"already":false,"subject":"app:42"}`},
		{"block", "no block", `{"already":false,"subject":"app:42"}`},
		{"block", "null for a block", `{"already":false,"subject":"app:42","block":null}`},
		{"block", "another's block", `{"already":false,"subject":"app:42","block":{"subject":"app:43"}}`},
		{"block", "a block without end of time", `{"already":false,"subject":"app:42","block":{"subject":"app:42","until":"soon"}}`},
	} {
		d := newDesk(t, says(tt.answer))
		for _, act := range strings.Fields(tt.acts) {
			for _, args := range [][]string{acts[act], append(acts[act][:len(acts[act]):len(acts[act])], "--json")} {
				code, out, errs := d.run(t, args...)
				if code != cli.ExitFailed || out != "" || !strings.HasPrefix(errs, uncertain) || !strings.Contains(errs, "broker audit list") || strings.Count(errs, "\n") != 1 {
					t.Errorf("%s: %q: %d %q %q", tt.name, args, code, out, errs)
				}
			}
		}
	}
}

func TestAnAnswerOfAnotherMediaTypeIsNotBelieved(t *testing.T) {
	t.Parallel()
	for _, media := range []string{"text/html; charset=utf-8", "text/plain", "", "application/json-seq", "application/problem+json"} {
		d := newDesk(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", media)
			_, _ = fmt.Fprint(w, `{"already":false,"subject":"app:42","grant_id":"gr_1","block":{"subject":"app:42"},"grants":[],"records":[],"next_cursor":null}`)
		})
		for _, args := range operating {
			code, out, errs := d.run(t, args...)
			isAct := args[0] != "grants" && args[0] != "audit"
			if code != cli.ExitFailed || strings.HasPrefix(out, "{") || !strings.Contains(errs, "media type") || strings.HasPrefix(errs, uncertain) != isAct {
				t.Errorf("%q: %q: %d %q %q", media, args, code, out, errs)
			}
		}
	}
}

func TestAnExportIsOfTheFormatThatWasAskedFor(t *testing.T) {
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
		d := newDesk(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", tt.media)
			_, _ = fmt.Fprint(w, "content\n")
		})
		code, out, errs := d.run(t, "audit", "export", "--format", tt.format)
		if code != tt.code || (out == "content\n") != (code == cli.ExitOK) || (errs == "") != (code == cli.ExitOK) {
			t.Errorf("%s as %s: %d %q %q", tt.format, tt.media, code, out, errs)
		}
	}
}

func TestAListThatIsNotThereIsNotAnEmptyOne(t *testing.T) {
	t.Parallel()
	for member, args := range map[string][]string{"grants": {"grants"}, "records": {"audit", "list"}} {
		for _, answer := range []string{
			`null`, `[]`, `{}`, `{"other":[],"next_cursor":null}`, `{"MEMBER":null,"next_cursor":null}`, `{"MEMBER":{},"next_cursor":null}`,
			`{"MEMBER":[]}`, `{"MEMBER":[],"next_cursor":7}`, `{"MEMBER":[null],"next_cursor":null}`, `{"MEMBER":["x"],"next_cursor":null}`,
		} {
			answer = strings.ReplaceAll(answer, "MEMBER", member)
			d := newDesk(t, says(answer))
			for _, args := range [][]string{args, append(args[:len(args):len(args)], "--json")} {
				code, out, errs := d.run(t, args...)
				if code != cli.ExitFailed || strings.Contains(out, "null") || !strings.Contains(errs, "not in the form") || strings.Count(errs, "\n") != 1 {
					t.Errorf("%q: %s: %d %q %q", args, answer, code, out, errs)
				}
			}
		}
	}
}

func TestAProblemThatIsNullIsSaidOnce(t *testing.T) {
	t.Parallel()
	d := newDesk(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = fmt.Fprint(w, "null")
	})
	for _, args := range operating {
		if code, _, errs := d.run(t, args...); code != cli.ExitFailed || strings.Count(errs, "\n") != 1 || !strings.Contains(errs, "503 Service Unavailable, and not as a broker does") {
			t.Errorf("%q: %d %q", args, code, errs)
		}
	}
}

func TestWhenToTryAgainIsSaidOnce(t *testing.T) {
	t.Parallel()
	for detail, said := range map[string]string{
		"Too many. Try again in 60 s.": "broker: Too many. Try again in 60 s. (rate_limited, req_7)\n",
		"Nothing was done. Try again.": "broker: Nothing was done. (rate_limited, req_7); try again in 1m0s\n",
		"Too many.":                    "broker: Too many. (rate_limited, req_7); try again in 1m0s\n",
		"":                             "broker: Too Many Requests (rate_limited, req_7); try again in 1m0s\n",
	} {
		d := newDesk(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "60")
			problem(w, http.StatusTooManyRequests, "rate_limited", detail)
		})
		if code, _, errs := d.run(t, "grants"); code != cli.ExitFailed || errs != said {
			t.Errorf("%q: %d %q", detail, code, errs)
		}
	}
}
