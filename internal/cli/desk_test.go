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

// adminKey is what the tests sign in with.
const adminKey = "cbk_asha_hush-hush-hush-hush-hush-hush-hush-hush-hush"

// desk is where operators sign in at a broker that says what a test wants it to.
type desk struct {
	*httptest.Server
	mu    sync.Mutex
	asked []string // "GET /admin/v1/grants?limit=50 {body}", as it came
}

// newDesk starts a desk. What is asked past the sign-in, answer answers.
func newDesk(t *testing.T, answer http.HandlerFunc) *desk {
	t.Helper()
	d := &desk{}
	d.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body bytes.Buffer
		_, _ = body.ReadFrom(r.Body)
		d.note(r, body.String())
		cookie, err := r.Cookie("casbroker_session")
		switch {
		case r.Method == http.MethodPost && r.URL.Path == "/admin/v1/session":
			if body.String() != `{"key":"`+adminKey+`"}` {
				problem(w, 401, "invalid_key", "There is no such admin key.")
				return
			}
			w.Header().Add("Set-Cookie", "other=x")
			w.Header().Add("Set-Cookie", "casbroker_session=s1; Path=/; Secure; HttpOnly; SameSite=Strict")
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

func (d *desk) note(r *http.Request, body string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if r.URL.Path == "/admin/v1/session" {
		body = "" // has the key
	}
	d.asked = append(d.asked, strings.TrimSpace(r.Method+" "+r.RequestURI+" "+body))
}

// between returns what was asked between signing in and signing out, and fails the
// test unless both were done.
func (d *desk) between(t *testing.T) []string {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	last := len(d.asked) - 1
	if last < 1 || d.asked[0] != "POST /admin/v1/session" || d.asked[last] != "DELETE /admin/v1/session" {
		t.Errorf("not signed in and out: %q", d.asked)
		return nil
	}
	return slices.Clone(d.asked[1:last])
}

// run is broker with the desk's address and key in the environment.
func (d *desk) run(t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	return d.runUntil(t.Context(), t, args...)
}

func (d *desk) runUntil(ctx context.Context, t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	code = cli.Run(ctx, args, cli.Terminal{Out: &o, Err: &e, Environ: []string{"BROKER_URL=" + d.URL, "BROKER_KEY=" + adminKey}})
	if strings.Contains(o.String()+e.String(), "hush") {
		t.Errorf("%q shows the key: %s%s", args, o.String(), e.String())
	}
	return code, o.String(), e.String()
}

// problem answers as a broker does when it refuses.
func problem(w http.ResponseWriter, status int, code, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{
		"type": "/problems/" + code, "title": "x", "status": status, "detail": detail, "code": code, "request_id": "req_7",
	})
}

// exportTypes are the media types of an export, by its format.
var exportTypes = map[string]string{"ndjson": "application/x-ndjson", "csv": "text/csv; charset=utf-8; header=present"}

// agree answers as a broker does that finds nothing in its lists, and does what it is asked.
func agree(w http.ResponseWriter, r *http.Request) {
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
		answer = map[string]any{"grants": []any{}, "records": []any{}, "next_cursor": nil}
	case of == "grants":
		answer["subject"], answer["grant_id"] = "app:42", about
	case of == "users":
		answer["subject"] = about
	}
	if verb == "block" {
		answer["block"] = map[string]any{"subject": about, "reason": ""}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer)
}

// says answers with JSON.
func says(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprint(w, body)
	}
}
