package apitest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"casbroker/web"
)

const (
	headerRequestID = "X-Request-ID"
	requestID       = "req_7f3Kq9"
	problem         = `{"type":"/problems/no_such_path","title":"Not Found","status":404,"code":"no_such_path","request_id":"req_7f3Kq9"}`
)

// failures is a testing.TB that counts errors.
type failures struct {
	testing.TB
	count int
}

func (f *failures) Errorf(string, ...any) { f.count++ }

// headers returns headers from pairs, with X-Request-ID.
func headers(pairs ...string) http.Header {
	h := http.Header{headerRequestID: nil}
	h.Set(headerRequestID, requestID)
	for i := 0; i < len(pairs); i += 2 {
		h.Set(pairs[i], pairs[i+1])
	}
	return h
}

func problemHeaders(pairs ...string) http.Header {
	return headers(append([]string{"Content-Type", "application/problem+json", "Cache-Control", "no-store"}, pairs...)...)
}

func TestOpenAPIFileIsValid(t *testing.T) {
	t.Parallel()
	if _, err := parse(web.OpenAPI); err != nil {
		t.Fatal(err)
	}
}

func TestInvalidOpenAPIFileIsRefused(t *testing.T) {
	t.Parallel()
	for name, file := range map[string]string{
		"not YAML":        "\t{",
		"no paths":        "openapi: 3.0.3\ninfo: {title: x, version: '1'}\n",
		"a wrong example": strings.Replace(string(web.OpenAPI), "example: {status: ok}", "example: {status: fine}", 1),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := parse([]byte(file)); err == nil {
				t.Error("it was accepted")
			}
		})
	}
}

func TestAnswerMustMatchTheFile(t *testing.T) {
	t.Parallel()
	json := headers("Content-Type", "application/json")
	private := headers("Content-Type", "application/json", "Cache-Control", "no-store")
	token := `{"access_token":"at_1","token_type":"api_key","expires_in":60,"expires_at":"2026-01-15T10:00:00Z",` +
		`"refresh_after":"2026-01-15T10:00:00Z","grant_id":"gr_01kf0a6v3m9t2w8x4y5z7b1c2d","mode":"direct"}`
	export := headers("Content-Type", "application/x-ndjson", "Cache-Control", "no-store",
		"Content-Disposition", `attachment; filename="casbroker-audit.ndjson"`)
	record := `{"id":"au_1","at":"2026-01-15T10:00:00Z","actor":"","role":"","action":"token.mint","subject":"","object":"",` +
		`"outcome":"ok","detail":"","request_id":"","address":"","user_agent":"","writer":"","seq":0}`
	tests := []struct {
		name, method, path string
		status             int
		header             http.Header
		body               string
		wrong              string // part of the error, "" for none
	}{
		{"described answer", "GET", "/healthz", 200, json, `{"status":"ok"}`, ""},
		{"wrong value", "GET", "/healthz", 200, json, `{"status":"fine"}`, "/status"},
		{"undescribed member", "GET", "/healthz", 200, json, `{"status":"ok","up":1}`, `"up" is unsupported`},
		{"missing member", "GET", "/healthz", 200, json, `{}`, `"status" is missing`},
		{"not JSON", "GET", "/healthz", 200, json, `ok`, "decode"},
		{"undescribed status", "GET", "/healthz", 202, json, `{"status":"ok"}`, errStatus.Error()},
		{"undescribed media type", "GET", "/healthz", 200, headers("Content-Type", "text/plain"), "ok", "Content-Type"},
		{"no request id", "GET", "/healthz", 200, http.Header{"Content-Type": {"application/json"}},
			`{"status":"ok"}`, headerRequestID},
		{"token", "POST", "/v1/token", 200, private, token, ""},
		{"cacheable token", "POST", "/v1/token", 200, json, token, "Cache-Control"},
		{"a token with an unreadable limit", "POST", "/v1/token", 200,
			headers("Content-Type", "application/json", "Cache-Control", "no-store", "RateLimit", "29"), token, "RateLimit"},
		{"a token with two limits", "POST", "/v1/token", 200,
			headers("Content-Type", "application/json", "Cache-Control", "no-store",
				"RateLimit", `"token-user";r=29;t=60, "token-all";r=900;t=60`,
				"RateLimit-Policy", `"token-user";q=30;w=60, "token-all";q=1000;w=60`), token, ""},
		{"allowed null", "GET", "/v1/portfolios", 200, private, `{"portfolios":[],"next_cursor":null}`, ""},
		{"forbidden null", "GET", "/v1/portfolios", 200, private, `{"portfolios":null,"next_cursor":null}`,
			"/portfolios"},
		{"deletion", "DELETE", "/v1/portfolios/pf_1", 204, headers("Cache-Control", "no-store"), "", ""},
		{"deletion with a body", "DELETE", "/v1/portfolios/pf_1", 204, headers("Cache-Control", "no-store"), "gone",
			errNoContent.Error()},
		{"empty export", "GET", "/admin/v1/audit/export", 200, export, "", ""},
		{"an export of lines", "GET", "/admin/v1/audit/export", 200, export, record + "\n" + record + "\n", ""},
		{"an export with a wrong line", "GET", "/admin/v1/audit/export", 200, export, record + "\n{}\n", "/1/"},
		{"export with a truncated line", "GET", "/admin/v1/audit/export", 200, export, record + "\n{", "line 2"},
		{"a user with a slash in the id", "GET", "/admin/v1/users/a%2Fb", 404, problemHeaders(), problem, errStatus.Error()},
		{"valid token", "POST", "/oauth/introspect", 200, private, `{"active":true,"token_type":"api_key","sub":"app:42",` +
			`"iat":1768471140,"exp":1768474740,"jti":"gr_01kf0a6v3m9t2w8x4y5z7b1c2d","mode":"direct"}`, ""},
		{"invalid token", "POST", "/oauth/introspect", 200, private, `{"active":false}`, ""},
		{"invalid token with metadata", "POST", "/oauth/introspect", 200, private, `{"active":false,"sub":"app:42"}`, "/"},
		{"a revocation with a body", "POST", "/oauth/revoke", 200, private, `{}`, errNoContent.Error()},
		{"unknown path", "GET", "/nothing", 404, problemHeaders(), problem, ""},
		{"unknown path that answers 200", "GET", "/nothing", 200, json, `{}`, errStatus.Error()},
		{"unknown path without a problem document", "GET", "/nothing", 404, private, problem, "Content-Type"},
		{"a problem that names another status", "GET", "/v1/portfolios/pf_1", 404, problemHeaders(),
			strings.Replace(problem, "404", "410", 1), "/status"},
		{"405", "PUT", "/v1/token", 405, problemHeaders("Allow", "POST"),
			strings.Replace(problem, "404", "405", 1), ""},
		{"405 without Allow", "PUT", "/v1/token", 405, problemHeaders(),
			strings.Replace(problem, "404", "405", 1), "Allow"},
		{"401 without a challenge", "GET", "/v1/portfolios", 401, problemHeaders(),
			strings.Replace(problem, "404", "401", 1), "WWW-Authenticate"},
		{"429 without Retry-After", "GET", "/v1/portfolios", 429, problemHeaders(),
			strings.Replace(problem, "404", "429", 1), "Retry-After"},
		{"429 on an unknown path", "GET", "/nothing", 429, problemHeaders("Retry-After", "3"),
			strings.Replace(problem, "404", "429", 1), ""},
	}
	c, err := loadContract()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			req := httptest.NewRequestWithContext(t.Context(), tt.method, tt.path, nil)
			err := c.validate(req, answer{tt.status, tt.header, []byte(tt.body)})
			switch {
			case tt.wrong == "" && err != nil:
				t.Errorf("got error %v", err)
			case tt.wrong != "" && (err == nil || !strings.Contains(err.Error(), tt.wrong)):
				t.Errorf("got error %v, want one with %q", err, tt.wrong)
			}
		})
	}
}

func TestPreflightNeedsNoDescription(t *testing.T) {
	t.Parallel()
	req := httptest.NewRequestWithContext(t.Context(), http.MethodOptions, "/v1/token", nil)
	req.Header.Set("Access-Control-Request-Method", "POST")
	Check(t, req, &http.Response{StatusCode: http.StatusNoContent}, nil)
}

func TestClientReportsWrongAnswerAndReturnsIt(t *testing.T) {
	t.Parallel()
	for body, wrong := range map[string]int{`{"status":"ok"}`: 0, `{"status":"fine"}`: 1} {
		broker := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set(headerRequestID, requestID)
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, body)
		}))
		t.Cleanup(broker.Close)
		f := &failures{TB: t}
		if got := get(t, Client(f), broker.URL+"/healthz"); got != body {
			t.Errorf("got body %q, want %q", got, body)
		}
		if f.count != wrong {
			t.Errorf("%s: got %d failures, want %d", body, f.count, wrong)
		}
	}
}

func get(t *testing.T, client *http.Client, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
