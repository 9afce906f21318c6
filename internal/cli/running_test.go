package cli_test

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"casbroker/internal/app"
	"casbroker/internal/cli"
	"casbroker/internal/config"
	"casbroker/internal/sandbox"
	"casbroker/internal/testkit/storetest"
)

// running is a running broker with the admin key of asha.
type running struct {
	url     string
	environ []string // for commands that use it
}

// startRunning runs a broker with an admin key of broker admin-key, and with more settings.
func startRunning(t *testing.T, more ...string) running {
	t.Helper()
	_, out, errs := broker(t, nil, "admin-key", "asha", "--json")
	var made struct{ Name, Key, Hash string }
	if err := json.Unmarshal([]byte(out), &made); err != nil {
		t.Fatalf("got %v: %s %s", err, out, errs)
	}
	vendor := httptest.NewServer(sandbox.New(sandbox.Options{APIKey: "hush-api-key"}))
	t.Cleanup(vendor.Close)
	settings, err := config.Load(config.Default(), "", append(append(good(t), more...),
		"CASBROKER_STORE_URL="+storetest.SQLite(t), "CASBROKER_UPSTREAM_URL="+vendor.URL, "CASBROKER_SERVER_DRAIN_DELAY=0s",
		"CASBROKER_ADMIN_KEYS_0_NAME="+made.Name, "CASBROKER_ADMIN_KEYS_0_HASH="+made.Hash,
		"CASBROKER_RATELIMIT_SIGN_IN_ADDRESS=", "CASBROKER_RATELIMIT_ADMIN_USER=", "CASBROKER_RATELIMIT_ADMIN_ADDRESS="))
	if err != nil {
		t.Fatal(err)
	}
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a, err := app.New(t.Context(), settings, app.Options{LogTo: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx, l) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	url := "http://" + l.Addr().String()
	return running{url, []string{"BROKER_URL=" + url, "BROKER_KEY=" + made.Key}}
}

// ashaJWT returns a JWT of the user app:asha.
func ashaJWT(t *testing.T) string {
	t.Helper()
	text, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.RegisteredClaims{
		Issuer: "https://app.example", Audience: jwt.ClaimStrings{"casbroker"}, Subject: "asha",
		IssuedAt: jwt.NewNumericDate(time.Now()), ExpiresAt: jwt.NewNumericDate(time.Now().Add(time.Hour)),
	}).SignedString([]byte("Kq3vTz8mWx5rLb9nHc2yPd7sGj4fUe6aRwQh")) // that of good
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// must runs a command, fails the test unless it ends with code, and returns its output.
func (r running) must(t *testing.T, code int, args ...string) (out, errs string) {
	t.Helper()
	got, out, errs := broker(t, r.environ, args...)
	if got != code {
		t.Fatalf("%q: got %d, want %d: %s%s", args, got, code, out, errs)
	}
	return out, errs
}

// token requests an access token for asha.
func (r running) token(t *testing.T) (status int, grantID string) {
	t.Helper()
	var issued struct {
		GrantID string `json:"grant_id"`
	}
	status = ask(t, http.MethodPost, r.url+"/v1/token", ashaJWT(t), "", &issued)
	return status, issued.GrantID
}

// rows decodes the output of --json.
func rows(t *testing.T, out string) (list []map[string]any) {
	t.Helper()
	for line := range strings.Lines(out) {
		var row map[string]any
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		list = append(list, row)
	}
	return list
}

func TestGrantIsFoundAndRevokedAtARunningBroker(t *testing.T) {
	t.Parallel()
	r := startRunning(t)
	_, grantID := r.token(t)
	out, _ := r.must(t, cli.ExitOK, "grants", "--user", "app:asha", "--state", "active", "--since", "1h", "--json")
	if list := rows(t, out); len(list) != 1 || list[0]["id"] != grantID || list[0]["subject"] != "app:asha" || list[0]["mode"] != "direct" {
		t.Errorf("%v, want %s", list, grantID)
	}
	out, _ = r.must(t, cli.ExitOK, "revoke", "--grant", grantID)
	if !strings.HasPrefix(out, "The token of "+grantID+" is revoked.\nThe vendor cannot revoke tokens: ") {
		t.Errorf("got %s", out)
	}
	out, _ = r.must(t, cli.ExitOK, "revoke", "--grant", grantID)
	if !strings.HasPrefix(out, "The token of "+grantID+" had already ended.\n") {
		t.Errorf("again: %s", out)
	}
	out, _ = r.must(t, cli.ExitOK, "grants", "--user", "app:asha", "--state", "revoked")
	if lines := squeezed(out); len(lines) != 2 || !strings.HasPrefix(lines[1], grantID+" app:asha revoked direct 20") || len(strings.Fields(lines[1])) != 8 {
		t.Errorf("got %q", lines)
	}
	if _, next := r.token(t); next == grantID || next == "" {
		t.Errorf("%s was reused", grantID)
	}
	_, errs := r.must(t, cli.ExitNoGrant, "revoke", "--grant", "gr_00000000000000000000000000")
	if !strings.Contains(errs, "(grant_not_found, req_") {
		t.Errorf("got %s", errs)
	}
}

func TestUserIsBlockedAndUnblockedAtARunningBroker(t *testing.T) {
	t.Parallel()
	r := startRunning(t)
	r.token(t)
	if out, _ := r.must(t, cli.ExitOK, "block", "app:asha", "--reason", "stolen phone", "--until", "2h"); !strings.HasPrefix(out, "app:asha is blocked until 20") {
		t.Errorf("got %s", out)
	}
	if status, _ := r.token(t); status != http.StatusForbidden {
		t.Errorf("a blocked user got %d", status)
	}
	r.must(t, cli.ExitOK, "unblock", "app:asha")
	if out, _ := r.must(t, cli.ExitOK, "unblock", "app:asha"); out != "app:asha was not blocked.\n" {
		t.Errorf("again: %s", out)
	}
	if status, _ := r.token(t); status != http.StatusOK {
		t.Errorf("once it was lifted: %d", status)
	}
	if out, _ := r.must(t, cli.ExitOK, "revoke", "--user", "app:asha"); !strings.HasPrefix(out, "All tokens of app:asha are revoked.\n") {
		t.Errorf("got %s", out)
	}
	r.token(t)
	if out, _ := r.must(t, cli.ExitOK, "revoke", "--all", "--confirm", "revoke everything", "--json"); rows(t, out)[0]["already"] != false {
		t.Errorf("got %s", out)
	}
	_, errs := r.must(t, cli.ExitUsage, "block", "app:asha", "--until", "2020-01-01T00:00:00Z")
	if !strings.Contains(errs, "(invalid_until, req_") {
		t.Errorf("got %s", errs)
	}
}

func TestUnusualSubjectsWorkAtARunningBroker(t *testing.T) {
	t.Parallel()
	r := startRunning(t)
	subjects := []string{"app:a/b c", "app:100%25", "app:गीता 🙂", "app:../?#&;+", "app:..", "app:" + strings.Repeat("é", 126)}
	for _, subject := range subjects {
		for _, args := range [][]string{{"block", subject}, {"revoke", "--user", subject}, {"unblock", subject}} {
			out, _ := r.must(t, cli.ExitOK, append(args, "--json")...)
			if got := rows(t, out)[0]["subject"]; got != subject {
				t.Errorf("%q: got %q", args, got)
			}
		}
	}
	slices.Reverse(subjects)
	out, _ := r.must(t, cli.ExitOK, "audit", "list", "--action", "access.block", "--json")
	for i, row := range rows(t, out) {
		if row["subject"] != subjects[i] || row["actor"] != "admin/asha" || row["role"] != "admin" {
			t.Errorf("%v, want %s", row, subjects[i])
		}
	}
	out, _ = r.must(t, cli.ExitOK, "audit", "list", "--subject", subjects[0], "--action", "access.unblock", "--json")
	if list := rows(t, out); len(list) != 1 || list[0]["subject"] != subjects[0] {
		t.Errorf("got %v", list)
	}
}

func TestAuditTrailOfARunningBrokerIsReadAndExported(t *testing.T) {
	t.Parallel()
	r := startRunning(t)
	r.token(t)
	out, _ := r.must(t, cli.ExitOK, "audit", "list", "--subject", "app:asha", "--action", "token.mint", "--since", "1h")
	if lines := squeezed(out); len(lines) != 2 || !strings.HasPrefix(lines[0], "TIME ACTION ") || !strings.Contains(lines[1], " token.mint ok app:asha user app:asha gr_") {
		t.Errorf("got %q", lines)
	}
	out, _ = r.must(t, cli.ExitOK, "audit", "list", "--actor", "admin/asha", "--limit", "3", "--json")
	var actions []string
	for _, row := range rows(t, out) {
		actions = append(actions, row["action"].(string))
	}
	if got := strings.Join(actions, " "); got != "admin.sign_in admin.sign_out admin.read" {
		t.Errorf("got actions %s, want the earlier read recorded", got)
	}
	out, _ = r.must(t, cli.ExitOK, "audit", "export", "--format", "csv")
	table, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	if err != nil || len(table) < 8 || table[0][0] != "id" || table[1][4] != "audit.export" || table[1][2] != "admin/asha" {
		t.Errorf("got %v %q", err, table)
	}
	out, _ = r.must(t, cli.ExitOK, "audit", "export", "--action", "token.mint")
	if list := rows(t, out); len(list) != 1 || !strings.HasPrefix(out, `{"id":"au_`) {
		t.Errorf("got %s", out)
	}
	if out, _ := r.must(t, cli.ExitOK, "audit", "list", "--until", "2020-01-01T00:00:00Z", "--json"); out != "" {
		t.Errorf("got %s", out)
	}
}

func TestUnknownKeyIsRefusedByARunningBroker(t *testing.T) {
	t.Parallel()
	r := startRunning(t)
	_, other, _ := broker(t, nil, "admin-key", "asha", "--json")
	r.environ = []string{"BROKER_URL=" + r.url, "BROKER_KEY=" + rows(t, other)[0]["key"].(string)}
	for _, args := range remote {
		if _, errs := r.must(t, cli.ExitDenied, args...); !strings.HasPrefix(errs, "broker: ") {
			t.Errorf("%q: got %s", args, errs)
		}
	}
}
