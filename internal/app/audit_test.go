package app_test

import (
	"database/sql"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"casbroker/internal/app"
	"casbroker/internal/audit"
	"casbroker/internal/config"
	"casbroker/internal/sandbox"
	"casbroker/internal/secret"
	"casbroker/internal/testkit/storetest"
)

// trailOf verifies and returns the audit trail of a stopped broker, oldest first.
func trailOf(t *testing.T, c config.Config) []audit.Entry {
	t.Helper()
	trail, err := app.OpenTrail(t.Context(), c, app.Options{LogTo: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = trail.Close() }()
	storetest.SealUnchained(t, c.Store.URL.Reveal(), trail.Box)
	page, err := trail.Find(t.Context(), audit.Filter{}, "", audit.MaxLimit)
	if err != nil {
		t.Fatal(err)
	}
	report, err := trail.Verify(t.Context(), func(b audit.Break) { t.Error(b) })
	if err != nil || int(report.Records) != len(page.Entries) {
		t.Errorf("got %d records, verified as %+v, %v, want all verified", len(page.Entries), report, err)
	}
	slices.Reverse(page.Entries)
	return page.Entries
}

// linesOf returns the records of action, a line each.
func linesOf(entries []audit.Entry, action audit.Action) (lines []string) {
	for _, e := range entries {
		if e.Action == action {
			lines = append(lines, strings.TrimSpace(fmt.Sprint(e.Actor, " as ", e.Role, ": ", e.Object, " ", e.Outcome, " ", e.Detail)))
		}
	}
	return lines
}

func TestAuditTrailHasStartsReusesAndRefusals(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, _ *sandbox.Sandbox) {
		b := start(t, settings)
		first := b.token(t, "asha")
		b.token(t, "asha")
		b.token(t, "asha")
		b.call(t, "", http.MethodPost, "/v1/token", "").must(t, 401)
		b.call(t, "", http.MethodGet, "/v1/portfolios", "", "Authorization", "Bearer x.y.z", "User-Agent", "app at_abcdefghijklmnopqrstuvwx").must(t, 401)
		if err := b.stop(); err != nil {
			t.Fatal(err)
		}
		entries := trailOf(t, settings)
		for action, want := range map[audit.Action][]string{
			audit.TokenMint: {"app:asha as user: " + first.GrantID + " ok"},
			audit.AccessRefuse: {
				"as : GET /v1/portfolios refused invalid_token:malformed", "as : POST /v1/token refused unauthenticated",
			},
		} {
			got := linesOf(entries, action)
			slices.Sort(got) // records of the same time have no order
			if !slices.Equal(got, want) {
				t.Errorf("%s: got %q", action, got)
			}
		}
		for _, e := range entries {
			if e.Detail == "invalid_token:malformed" && e.UserAgent != "app [access token]" {
				t.Errorf("got the user agent %q, want the token in it hidden", e.UserAgent)
			}
		}
		if reuses := linesOf(entries, audit.TokenReuse); len(reuses) != 1 || !strings.HasPrefix(reuses[0], "broker as broker:  ok count=2 since=") {
			t.Errorf("got %q", reuses)
		}
		starts := linesOf(entries, audit.BrokerStart)
		if len(starts) != 1 || !strings.HasPrefix(starts[0], "broker as broker: settings:") || !strings.Contains(starts[0], "version=") {
			t.Errorf("got %q", starts)
		}
	})
}

func TestStartRecordShowsWhetherSettingsChanged(t *testing.T) {
	t.Parallel()
	settings, _ := settingsFor(t, secret.URL(storetest.SQLite(t)), "memory")
	other := settings
	other.Audit.Reuse = config.ReuseEach
	for _, c := range []config.Config{settings, settings, other} {
		b := start(t, c)
		b.token(t, "asha")
		b.token(t, "asha")
		if err := b.stop(); err != nil {
			t.Fatal(err)
		}
	}
	entries := trailOf(t, settings)
	starts := linesOf(entries, audit.BrokerStart)
	if len(starts) != 3 || starts[0] != starts[1] || starts[1] == starts[2] {
		t.Errorf("got %q", starts)
	}
	reuses := linesOf(entries, audit.TokenReuse)
	if len(reuses) != 3 || !strings.Contains(reuses[1], "count=1") || !strings.HasPrefix(reuses[2], "app:asha as user: gr_") {
		t.Errorf("got %q", reuses)
	}
}

func TestBrokerContinuesWithoutAuditTrailOnlyIfSet(t *testing.T) {
	t.Parallel()
	for choice, status := range map[string]int{config.UnwritableRefuse: 503, config.UnwritableContinue: 200} {
		t.Run(choice, func(t *testing.T) {
			t.Parallel()
			file := tempFile(t)
			settings, _ := settingsFor(t, "sqlite:"+file, "memory")
			settings.Audit.WhenUnwritable = choice
			b := start(t, settings)
			db, err := sql.Open("sqlite", string(file)+"?_pragma=busy_timeout(5000)")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = db.Close() }()
			if _, err := db.ExecContext(t.Context(), "ALTER TABLE audit RENAME TO audit_away"); err != nil {
				t.Fatal(err)
			}
			b.call(t, "asha", http.MethodPost, "/v1/token", "").must(t, status)
			if logged := strings.Contains(b.log.String(), "the audit trail cannot be written"); logged != (status == 200) {
				t.Errorf("the log: %s", b.log)
			}
		})
	}
}
