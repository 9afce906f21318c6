package cli_test

import (
	"slices"
	"strings"
	"testing"

	"casbroker/internal/cli"
)

func TestLogLevelIsPrintedAndChanged(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ args, request, answer, want string }{
		{"log-level", "GET /admin/v1/log-level", `{"level":"info","setting":"info"}`, "info"},
		{
			"log-level debug --until 2036-04-01T10:00:00Z", `PUT /admin/v1/log-level {"level":"debug","until":"2036-04-01T10:00:00Z"}`,
			`{"level":"debug","setting":"info","until":"2036-04-01T10:00:00Z","replicas":"all"}`,
			"debug, until 2036-04-01T10:00:00Z, then info / It was sent to all replicas; one that has lost Redis at the moment, or starts later, does not know.",
		},
		{
			"log-level error", `PUT /admin/v1/log-level {"level":"error"}`, `{"level":"error","setting":"info","replicas":"this"}`,
			"error, until the broker restarts or gets SIGHUP, then info / Only the replica that answered knows: there is no Redis that reaches the others.",
		},
		{
			"log-level setting", `DELETE /admin/v1/log-level`, `{"level":"info","setting":"info","replicas":"all"}`,
			"info / It was sent to all replicas; one that has lost Redis at the moment, or starts later, does not know.",
		},
	} {
		d := newFakeBroker(t, answerJSON(tt.answer))
		args := strings.Fields(tt.args)
		code, out, errs := d.run(t, args...)
		if got := strings.ReplaceAll(strings.TrimSpace(out), "\n", " / "); code != cli.ExitOK || got != tt.want {
			t.Errorf("%s: got %d %q %s, want %q", tt.args, code, got, errs, tt.want)
		}
		if requests := d.inSession(t); !slices.Equal(requests, []string{tt.request}) {
			t.Errorf("%s: got the requests %q, want %q", tt.args, requests, tt.request)
		}
		if code, out, errs := d.run(t, append(args, "--json")...); code != cli.ExitOK || out != tt.answer+"\n" {
			t.Errorf("%s --json: got %d %q %s", tt.args, code, out, errs)
		}
	}
}

func TestInvalidLogLevelAsksNoBroker(t *testing.T) {
	t.Parallel()
	for _, args := range []string{"log-level loud", "log-level --until 2h", "log-level setting --until 2h", "log-level debug --until yesterday", "log-level debug info"} {
		d := newFakeBroker(t, succeed)
		if code, _, errs := d.run(t, strings.Fields(args)...); code != cli.ExitUsage {
			t.Errorf("%s: got %d %s, want %d", args, code, errs, cli.ExitUsage)
		}
	}
}

func TestAnswerWithoutALogLevelIsAnError(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{`{}`, `{"level":"debug","setting":"info"}`} {
		d := newFakeBroker(t, answerJSON(answer))
		if code, _, errs := d.run(t, "log-level", "debug"); code != cli.ExitFailed || !strings.Contains(errs, "may or may not have been carried out") {
			t.Errorf("%s: got %d %s", answer, code, errs)
		}
	}
}
