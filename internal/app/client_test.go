package app_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"casbroker/internal/config"
	"casbroker/internal/sandbox"
	"casbroker/internal/testkit/services"
	casbroker "casbroker/web/clients/go"
)

// pdf is a document of source that the sandbox reads.
func pdf(source string) io.Reader {
	return strings.NewReader("%PDF-1.4\n% " + source + "\n%%EOF\n")
}

// client returns the Go client with a token. Its answers are held against openapi.yaml.
func (b *broker) client(token string) *casbroker.Client {
	c := casbroker.New(b.URL+"/", token)
	c.HTTP = b.http
	return c
}

func TestGoClientMakesTheCallsOfABackEnd(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, _ *sandbox.Sandbox) {
		key := serviceKey(t, &settings, "backend", []string{"app"}, "casbroker:service")
		b := start(t, settings)
		c, ctx := b.client(key), t.Context()
		const user = "app:a/b c?%"

		saved, job, err := c.ImportStatementFor(ctx, user, casbroker.ImportStatementForParams{IdempotencyKey: "k1"},
			casbroker.StatementForm{PDFFile: pdf("cdsl"), Password: "ABCDE1234F"})
		if err != nil || job != nil || !saved.Created || saved.Provenance != casbroker.ProvenanceVerified || saved.Investor.Name == "" {
			t.Fatalf("got %+v, %v, %v, want a new portfolio", saved, job, err)
		}
		again, _, err := c.ImportStatementFor(ctx, user, casbroker.ImportStatementForParams{},
			casbroker.StatementForm{PDFFile: pdf("cdsl"), Password: "ABCDE1234F"})
		if err != nil || again.Created || again.ID != saved.ID {
			t.Errorf("got %+v, %v, want the same portfolio", again, err)
		}
		all := b.holdings(t, c, user, saved.ID)
		if len(all) != saved.StoredRows || all[0].Value == "" {
			t.Errorf("got %d holdings, want %d", len(all), saved.StoredRows)
		}
		list, err := c.ListPortfoliosOf(ctx, user, casbroker.ListPortfoliosOfParams{Active: true})
		if err != nil || len(list.Portfolios) != 1 || list.Portfolios[0].TotalValue != saved.TotalValue || list.NextCursor != "" {
			t.Errorf("got %+v, %v", list, err)
		}
		raw, err := c.RawPortfolioOf(ctx, user, saved.ID)
		if err != nil || !json.Valid(*raw) || !strings.Contains(string(*raw), `"demat_accounts"`) {
			t.Errorf("got %.80s, %v, want the payload", *raw, err)
		}
		token, err := c.IssueTokenFor(ctx, user, casbroker.TokenRequest{ExpiryMinutes: 10})
		if err != nil || !strings.HasPrefix(token.AccessToken, "at_") || time.Until(token.ExpiresAt) > 10*time.Minute {
			t.Errorf("got %+v, %v, want a token", token, err)
		}
		events, err := c.ListEvents(ctx, casbroker.ListEventsParams{Wait: 10})
		if err != nil || len(events.Events) != 2 || events.Events[0].Type != casbroker.EventTypePortfolioSaved ||
			events.Events[0].Data.Subject != user || events.Events[0].Data.PortfolioID != saved.ID {
			t.Errorf("got %+v, %v, want the portfolio", events, err)
		}
		if err := c.DeletePortfolioOf(ctx, user, saved.ID); err != nil {
			t.Error(err)
		}
		if erased, err := c.EraseUser(ctx, user); err != nil || erased.Erased.Grants != 1 {
			t.Errorf("got %+v, %v", erased, err)
		}
	})
}

// holdings reads all pages of holdings, two at a time.
func (b *broker) holdings(t *testing.T, c *casbroker.Client, user, id string) (all []casbroker.Holding) {
	t.Helper()
	params := casbroker.ListHoldingsOfParams{Limit: 2}
	for {
		page, err := c.ListHoldingsOf(t.Context(), user, id, params)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, page.Holdings...)
		if page.NextCursor == "" {
			return all
		}
		params.Cursor = page.NextCursor
	}
}

func TestGoClientMakesTheCallsOfAUser(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, _ *sandbox.Sandbox) {
		b := start(t, settings)
		c, ctx := b.client(bearer(t, "asha")), t.Context()
		saved, err := c.SavePortfolio(ctx, casbroker.SavePortfolioParams{}, json.RawMessage(small(1)))
		if err != nil || !saved.Created || saved.Provenance != casbroker.ProvenanceReported {
			t.Fatalf("got %+v, %v", saved, err)
		}
		_, job, err := c.ImportStatement(ctx, casbroker.ImportStatementParams{Prefer: "respond-async"},
			casbroker.StatementForm{PDFFile: pdf("nsdl"), Password: "ABCDE1234F"})
		if err != nil {
			t.Fatal(err)
		}
		within(t, 20*time.Second, "the job is done", func() bool {
			job, err = c.GetJob(ctx, job.ID)
			return err == nil && job.State == casbroker.StatementJobStateDone && !job.EndedAt.IsZero()
		})
		latest, err := c.GetPortfolio(ctx, job.PortfolioID)
		if err != nil || latest.CASType != casbroker.CASTypeNSDL || len(latest.Rows) == 0 {
			t.Errorf("got %+v, %v", latest, err)
		}
		export, err := c.ExportMe(ctx)
		if err != nil || !strings.Contains(string(*export), `"subject":"app:asha"`) {
			t.Errorf("got %.80s, %v", *export, err)
		}
	})
}

func TestGoClientReturnsProblems(t *testing.T) {
	t.Parallel()
	settings, _ := settingsFor(t, sqlite(t), "memory")
	key := serviceKey(t, &settings, "backend", []string{"app"}, "portfolios:read")
	b := start(t, settings)
	for name, c := range map[string]struct {
		call   func() error
		status int
		code   string
	}{
		"a wrong password": {func() error {
			_, _, err := b.client(bearer(t, "asha")).ImportStatement(t.Context(), casbroker.ImportStatementParams{},
				casbroker.StatementForm{PDFFile: pdf("cdsl"), Password: "wrong"})
			return err
		}, http.StatusUnprocessableEntity, "invalid_password"},
		"an unknown portfolio": {func() error {
			_, err := b.client(key).GetPortfolioOf(t.Context(), "app:asha", "pf_00000000000000000000000000")
			return err
		}, http.StatusNotFound, "portfolio_not_found"},
		"a missing scope": {func() error {
			_, err := b.client(key).ListEvents(t.Context(), casbroker.ListEventsParams{})
			return err
		}, http.StatusForbidden, "forbidden"},
		"a wrong key": {func() error {
			_, err := b.client(strings.TrimSuffix(key, key[len(key)-1:])+"_").LatestPortfolioOf(t.Context(), "app:asha")
			return err
		}, http.StatusUnauthorized, "invalid_service_key"},
	} {
		var problem *casbroker.Error
		if err := c.call(); !errors.As(err, &problem) || problem.Status != c.status || problem.Code != c.code ||
			problem.Detail == "" || !strings.HasPrefix(problem.RequestID, "req_") {
			t.Errorf("%s: got %v, want %d %s", name, err, c.status, c.code)
		}
	}
}

func TestTypeScriptClientMakesTheCallsOfABackEndAndAPage(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	services.NodePackage(t, folder, "../../web/clients/typescript")
	uses, err := os.ReadFile("testdata/client.ts")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "uses.ts"), uses, 0o600); err != nil { //nolint:gosec // a folder of the test
		t.Fatal(err)
	}
	config := `{"extends": "./tsconfig.json", "files": ["client.ts", "uses.ts"]}`
	if err := os.WriteFile(filepath.Join(folder, "tsconfig.test.json"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	settings, _ := settingsFor(t, sqlite(t), "memory")
	key := serviceKey(t, &settings, "backend", []string{"app"}, "casbroker:service")
	b := start(t, settings)
	for _, command := range [][]string{
		{"node_modules/.bin/tsc", "--strict", "--project", "tsconfig.test.json"}, {"node", "out/uses.js"},
	} {
		cmd := exec.CommandContext(t.Context(), command[0], command[1:]...) //nolint:gosec // as in package.json
		cmd.Dir = folder
		cmd.Env = append(os.Environ(), "BROKER_URL="+b.URL, "SERVICE_KEY="+key, "USER_JWT="+bearer(t, "asha"))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", strings.Join(command, " "), err, out)
		}
	}
}

// verifyInPython prints the type of each event of standard input that example.py accepts, and
// "refused" for the others.
const verifyInPython = `
import json, sys, example
for d in json.load(sys.stdin):
    try:
        print(example.verify(d["headers"], d["body"].encode())["type"])
    except ValueError:
        print("refused")
`

func TestPythonExampleRefusesWebhooksThatTheBrokerHasNotSigned(t *testing.T) {
	t.Parallel()
	python := services.Python(t)
	sign := func(secret string, at time.Time) string {
		w, err := standardwebhooks.NewWebhook(secret)
		if err != nil {
			t.Fatal(err)
		}
		signature, err := w.Sign("ev_1", at, []byte(`{"type":"user.erased"}`))
		if err != nil {
			t.Fatal(err)
		}
		return signature
	}
	type webhook struct {
		Headers map[string]string `json:"headers"`
		Body    string            `json:"body"`
	}
	sent := func(at time.Time, signature, body string) webhook {
		return webhook{map[string]string{"webhook-id": "ev_1", "webhook-timestamp": strconv.FormatInt(at.Unix(), 10), "webhook-signature": signature}, body}
	}
	now, old := time.Now(), time.Now().Add(-time.Hour)
	const body, other = `{"type":"user.erased"}`, "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	input, err := json.Marshal([]webhook{
		sent(now, sign(webhookSecret, now), body),
		sent(now, "v1a,x "+sign(other, now)+" "+sign(webhookSecret, now), body), // while a secret is replaced
		sent(now, sign(other, now), body),
		sent(now, sign(webhookSecret, now), body+" "),
		sent(old, sign(webhookSecret, old), body),
		sent(now, sign(webhookSecret, old), body),
		sent(now, "é", body),
		{map[string]string{"webhook-timestamp": "x"}, body},
		{map[string]string{}, body},
	})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), python, "-c", verifyInPython) //nolint:gosec // a program of the test
	cmd.Dir, cmd.Stdin = "../../web/clients/python", bytes.NewReader(input)
	cmd.Env = append(os.Environ(), "WEBHOOK_SECRET="+webhookSecret, "SERVICE_KEY=key", "PYTHONDONTWRITEBYTECODE=1")
	out, err := cmd.CombinedOutput()
	if want := "user.erased\nuser.erased" + strings.Repeat("\nrefused", 7) + "\n"; err != nil || string(out) != want {
		t.Errorf("got %s, %v, want %s", out, err, want)
	}
}
