package cli_test

import (
	"slices"
	"strings"
	"testing"

	"casbroker/internal/cli"
)

const (
	costs = `{"from":"2026-11-01T00:00:00Z","to":"2026-12-01T00:00:00Z","total":{"calls":3,"failures":1,"credits":"2.5"},"open":{"calls":0,"credits":"0"},` +
		`"days":[{"day":"2026-11-29","feature":"smart_parser","calls":3,"failures":1,"credits":"2.5"}],` +
		`"features":[{"name":"smart_parser","calls":3,"failures":1,"credits":"2.5"}],"apps":[{"name":"app","calls":3,"failures":1,"credits":"2.5"}],` +
		`"keys":[{"name":"default","calls":3,"failures":1,"credits":"2.5"}],"users":[{"name":"app:42","calls":3,"failures":1,"credits":"2.5"}]}`
	budgets = `{"budgets":[{"name":"user-day","scope":"user","app":"app","period":"day","credits":"5","soft":false,"most":"4.5","holders":12,"exhausted":1,` +
		`"renews_at":"2026-11-30T00:00:00Z"}],"raises":[]}`
	comparison = `{"day":"2026-11-28T00:00:00Z","at":"2026-11-29T00:30:00Z","features":[` +
		`{"feature":"","calls":3,"unsure_calls":1,"credits":"2","unsure_credits":"1","vendor_calls":9,"vendor_credits":"4","differs":true},` +
		`{"feature":"smart_parser","calls":3,"unsure_calls":1,"credits":"2","unsure_credits":"1","vendor_calls":9,"vendor_credits":"4","differs":true}]}`
	raised = `{"id":"br_1","budget":"user-day","subject":"app:42","credits":"5","until":"2036-04-01T10:00:00Z","at":"2026-11-29T10:00:00Z","actor":"admin/asha"}`
)

func TestUsageAndBudgetsArePrintedAsTables(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ args, request, answer, want string }{
		{"usage", "GET /admin/v1/usage?limit=10", costs, "FEATURE CALLS FAILURES CREDITS / smart_parser 3 1 2.5"},
		{"usage --by day", "GET /admin/v1/usage?limit=10", costs, "DAY FEATURE CALLS FAILURES CREDITS / 2026-11-29 smart_parser 3 1 2.5"},
		{"usage --by user --users 5", "GET /admin/v1/usage?limit=5", costs, "USER CALLS FAILURES CREDITS / app:42 3 1 2.5"},
		{"usage show --by key --since 2026-11-01T00:00:00Z", "GET /admin/v1/usage?from=2026-11-01T00%3A00%3A00Z&limit=10", costs, "KEY CALLS FAILURES CREDITS / default 3 1 2.5"},
		{"usage --by app", "GET /admin/v1/usage?limit=10", costs, "APP CALLS FAILURES CREDITS / app 3 1 2.5"},
		{
			"usage compare --day 2026-11-28", `POST /admin/v1/usage/compare {"day":"2026-11-28"}`, comparison,
			"FEATURE DIFFERS CALLS UNSURE VENDOR-CALLS CREDITS UNSURE VENDOR-CREDITS / all yes 3 1 9 2 1 4 / smart_parser yes 3 1 9 2 1 4",
		},
		{"budgets", "GET /admin/v1/budgets", budgets, "BUDGET SCOPE PERIOD KIND CREDITS MOST EXHAUSTED RENEWS / user-day user app day hard 5 4.5 1 of 12 2026-11-30T00:00:00Z"},
		{
			"budgets raise user-day --credits 5 --until 2036-04-01T10:00:00Z --user app:42",
			`POST /admin/v1/budgets/user-day/raise {"credits":"5","until":"2036-04-01T10:00:00Z","subject":"app:42"}`, raised,
			"user-day is larger by 5 credits until 2036-04-01T10:00:00Z.",
		},
	} {
		d := newFakeBroker(t, answerJSON(tt.answer))
		args := strings.Fields(tt.args)
		code, out, errs := d.run(t, args...)
		lines := strings.Split(strings.TrimSpace(out), "\n")
		for i, line := range lines {
			lines[i] = strings.Join(strings.Fields(line), " ")
		}
		if got := strings.Join(lines, " / "); code != cli.ExitOK || got != tt.want {
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

func TestInvalidUsageCommandsAskNoBroker(t *testing.T) {
	t.Parallel()
	for _, args := range []string{
		"usage --by price", "usage extra", "budgets raise", "budgets raise user-day --credits 5", "budgets raise user-day --until 2h",
		"budgets raise user-day --credits 5 --until yesterday", "budgets extra", "usage compare extra",
	} {
		d := newFakeBroker(t, succeed)
		if code, _, errs := d.run(t, strings.Fields(args)...); code != cli.ExitUsage {
			t.Errorf("%s: got %d %s, want %d", args, code, errs, cli.ExitUsage)
		}
	}
}

func TestUsageCommandsWorkWithARunningBroker(t *testing.T) {
	t.Parallel()
	r := startRunning(t)
	if out, _ := r.must(t, cli.ExitOK, "usage"); !strings.HasPrefix(out, "FEATURE") {
		t.Errorf("got %q", out)
	}
	if out, _ := r.must(t, cli.ExitOK, "budgets"); !strings.HasPrefix(out, "BUDGET") {
		t.Errorf("got %q", out)
	}
	if out, _ := r.must(t, cli.ExitOK, "usage", "compare"); !strings.Contains(out, "all") {
		t.Errorf("got %q", out)
	}
	r.must(t, cli.ExitUsage, "usage", "--users", "0")
	r.must(t, cli.ExitUsage, "usage", "compare", "--day", "tomorrow")
	if _, errs := r.must(t, cli.ExitFailed, "budgets", "raise", "none", "--credits", "5", "--until", "2h"); !strings.Contains(errs, "no_such_budget") {
		t.Errorf("got %q", errs)
	}
}
