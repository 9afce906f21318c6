package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"casbroker/internal/cli"
)

// adminKey is the key that the tests sign in with.
const adminKey = "cbk_asha_hush-hush-hush-hush-hush-hush-hush-hush-hush"

// fakeBroker signs operators in and answers other requests as a test wants.
type fakeBroker struct {
	*httptest.Server
	mu       sync.Mutex
	requests []string // "GET /admin/v1/grants?limit=50 {body}", in order
}

// newFakeBroker starts a fakeBroker. answer answers the requests of signed-in clients.
func newFakeBroker(t *testing.T, answer http.HandlerFunc) *fakeBroker {
	t.Helper()
	d := &fakeBroker{}
	d.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body bytes.Buffer
		_, _ = body.ReadFrom(r.Body)
		d.record(r, body.String())
		cookie, err := r.Cookie("__Host-casbroker_session")
		switch {
		case r.Method == http.MethodPost && r.URL.Path == "/admin/v1/session":
			if body.String() != `{"key":"`+adminKey+`"}` {
				problem(w, 401, "invalid_key", "There is no such admin key.")
				return
			}
			w.Header().Add("Set-Cookie", "other=x")
			w.Header().Add("Set-Cookie", "__Host-casbroker_session=s1; Path=/; Secure; HttpOnly; SameSite=Lax")
			_, _ = fmt.Fprint(w, `{"admin":"asha"}`)
		case err != nil || cookie.Value != "s1" || len(r.Cookies()) != 1:
			problem(w, 401, "unauthenticated", "Sign in.")
		case r.Method == http.MethodDelete && r.URL.Path == "/admin/v1/session":
			w.WriteHeader(http.StatusNoContent)
		default:
			answer(w, r)
		}
	}))
	t.Cleanup(d.Close)
	return d
}

func (d *fakeBroker) record(r *http.Request, body string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if r.URL.Path == "/admin/v1/session" {
		body = "" // has the key
	}
	d.requests = append(d.requests, strings.TrimSpace(r.Method+" "+r.RequestURI+" "+body))
}

// inSession returns the requests between sign-in and sign-out, and fails the test unless
// there were both.
func (d *fakeBroker) inSession(t *testing.T) []string {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	last := len(d.requests) - 1
	if last < 1 || d.requests[0] != "POST /admin/v1/session" || d.requests[last] != "DELETE /admin/v1/session" {
		t.Errorf("got %q, want a sign-in first and a sign-out last", d.requests)
		return nil
	}
	return slices.Clone(d.requests[1:last])
}

// run is broker with the URL and the key of d in the environment.
func (d *fakeBroker) run(t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	return d.runUntil(t.Context(), t, args...)
}

func (d *fakeBroker) runUntil(ctx context.Context, t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	code = cli.Run(ctx, args, cli.Terminal{Out: &o, Err: &e, Environ: []string{"BROKER_URL=" + d.URL, "BROKER_KEY=" + adminKey}})
	if strings.Contains(o.String()+e.String(), "hush") {
		t.Errorf("%q shows the key: %s%s", args, o.String(), e.String())
	}
	return code, o.String(), e.String()
}

// problem writes a broker's error answer.
func problem(w http.ResponseWriter, status int, code, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{
		"type": "/problems/" + code, "title": "x", "status": status, "detail": detail, "code": code, "request_id": "req_7",
	})
}

// exportTypes are the media types of an export, by its format.
var exportTypes = map[string]string{"ndjson": "application/x-ndjson", "csv": "text/csv; charset=utf-8; header=present"}

// succeed answers like a broker whose lists are empty and whose actions succeed.
func succeed(w http.ResponseWriter, r *http.Request) {
	of, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/admin/v1/"), "/")
	about, verb := rest, ""
	if at := strings.LastIndexByte(rest, '/'); at >= 0 {
		about, verb = rest[:at], rest[at+1:]
	}
	answer := map[string]any{"already": false}
	switch {
	case of == "audit" && rest == "export":
		w.Header().Set("Content-Type", exportTypes[r.FormValue("format")])
		_, _ = fmt.Fprintln(w, "{}")
		return
	case r.Method == http.MethodGet:
		answer = map[string]any{"grants": []any{}, "records": []any{}, "features": []any{}, "budgets": []any{}, "next_cursor": nil}
	case of == "grants":
		answer["subject"], answer["grant_id"] = "app:42", about
	case of == "users":
		answer["subject"] = about
	case of == "usage":
		answer["features"] = []any{}
	case of == "budgets":
		answer["budget"] = about
	case of == "log-level":
		answer = map[string]any{"level": "debug", "setting": "info", "replicas": "all"}
	}
	if verb == "block" {
		answer["block"] = map[string]any{"subject": about, "reason": ""}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer)
}

// answerJSON answers every request with body as JSON.
func answerJSON(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprint(w, body)
	}
}
