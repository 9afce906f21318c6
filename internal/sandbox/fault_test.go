package sandbox_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"casbroker/internal/sandbox"
)

func TestFaultAppliesToItsPathUntilItsTimesAreUsed(t *testing.T) {
	t.Parallel()
	c := start(t, sandbox.Options{Faults: []sandbox.Fault{
		{Path: "/v1/token", Times: 2, Kind: sandbox.FaultStatus, Status: 429, RetryAfter: 7},
	}})
	for range 2 {
		a := c.call(http.MethodPost, "/v1/token", "")
		a.want(t, 429, `"status":"failed"`, `"code":"RATE_LIMITED"`)
		if a.header.Get("Retry-After") != "7" || a.header.Get("X-Request-ID") == "" {
			t.Errorf("got headers %v, want Retry-After 7 and X-Request-ID", a.header)
		}
	}
	c.token("")
	c.vendor.AddFault(sandbox.Fault{Path: "/v4/*", Kind: sandbox.FaultStatus, Status: 400, Code: "PARSING_ERROR"})
	for range 3 {
		c.call(http.MethodPost, "/v4/generate", "{}").want(t, 400, `"code":"PARSING_ERROR"`)
	}
	c.token("")
	c.vendor.ClearFaults()
	c.upload("/v4/smart/parse", "pdf_file", "a.pdf", plain).want(t, 200)
}

func TestEachFaultKindAffectsTheAnswer(t *testing.T) {
	t.Parallel()
	c := start(t, sandbox.Options{})
	once := func(f sandbox.Fault) (answer, error) {
		f.Path, f.Times = "/v1/token", 1
		c.vendor.AddFault(f)
		return c.send(http.MethodPost, "/v1/token", "application/json", strings.NewReader(""))
	}
	if _, err := once(sandbox.Fault{Kind: sandbox.FaultDrop}); err == nil {
		t.Error("a dropped call got an answer")
	}
	if a, err := once(sandbox.Fault{Kind: sandbox.FaultTruncate}); !errors.Is(err, io.ErrUnexpectedEOF) || a.status != 200 {
		t.Errorf("truncated: got %d, %v; want 200 and an unexpected EOF", a.status, err)
	}
	if a, err := once(sandbox.Fault{Kind: sandbox.FaultMalformed}); err != nil || a.status != 200 || json.Valid(a.raw) {
		t.Errorf("malformed: got %d, %v, %q; want 200 and a body that is not JSON", a.status, err, a.raw)
	}
	for _, kind := range []sandbox.FaultKind{sandbox.FaultDelay, sandbox.FaultDrip} {
		if a, err := once(sandbox.Fault{Kind: kind, DelayMS: 1}); err != nil || !strings.HasPrefix(a.text("access_token"), "at_") {
			t.Errorf("%s: got error %v, body %q; want a token", kind, err, a.raw)
		}
	}
	if got := c.vendor.IssuedTokens(); got != 4 {
		t.Errorf("got %d tokens issued, want 4: all calls but the dropped one are carried out", got)
	}
}

func TestFaultsAndCallsAreControlledOverHTTP(t *testing.T) {
	t.Parallel()
	c := start(t, sandbox.Options{}).as("")
	c.call(http.MethodPost, "/_sandbox/faults", `{"path":"/v1/*","times":2,"kind":"status","status":503}`).want(t, 201)
	c.call(http.MethodPost, "/v1/credits", "").want(t, 503)
	c.call(http.MethodGet, "/_sandbox/faults", "").want(t, 200, `"times":1`)
	c.call(http.MethodDelete, "/_sandbox/faults", "").want(t, 200, `{"faults":[]}`)
	c.call(http.MethodPost, "/v1/credits", "").want(t, 401)
	c.call(http.MethodGet, "/_sandbox/calls", "").want(t, 200, `{"calls":{"/v1/credits":2}}`)
	for _, invalid := range []string{
		`{"path":"v1","kind":"drop"}`, `{"path":"/v1","kind":"explode"}`, `{"path":"/v1","kind":"status","status":99}`,
		`{"path":"/v1","kind":"delay","delay_ms":-1}`, `{"path":"/v1","kind":"drop"}{"times":1}`, `{`, ``,
	} {
		c.call(http.MethodPost, "/_sandbox/faults", invalid).want(t, 400, `"status":"failed"`)
	}
	mistyped := c.call(http.MethodPost, "/_sandbox/faults", `{"path":"/v1/token","kind":"delay","delay":3000}`)
	mistyped.want(t, 400, `"status":"failed"`)
	if !strings.Contains(mistyped.text("msg"), `"delay"`) {
		t.Errorf("got %s, want the unknown key named", mistyped.raw)
	}
	c.call(http.MethodGet, "/_sandbox/faults", "").want(t, 200, `{"faults":[]}`)
}

// readCount counts the reads of a body.
type readCount struct {
	io.ReadCloser
	reads *atomic.Int32
}

func (b readCount) Read(p []byte) (int, error) {
	b.reads.Add(1)
	return b.ReadCloser.Read(p)
}

func TestBodyOfDroppedCallIsNotRead(t *testing.T) {
	t.Parallel()
	vendor := sandbox.New(sandbox.Options{Faults: []sandbox.Fault{{Path: "/v1/token", Kind: sandbox.FaultDrop}}})
	var reads atomic.Int32
	served := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(served)
		r.Body = readCount{r.Body, &reads}
		vendor.ServeHTTP(w, r)
	}))
	defer srv.Close()
	c := &client{t: t, vendor: vendor, url: srv.URL}
	if _, err := c.send(http.MethodPost, "/v1/token", "application/json", strings.NewReader("{}")); err == nil {
		t.Error("a dropped call got an answer")
	}
	<-served
	if n := reads.Load(); n > 0 {
		t.Errorf("got %d reads of the body after the connection was hijacked, want 0", n)
	}
}

func TestStatusFaultHasTheErrorShapeOfItsCall(t *testing.T) {
	t.Parallel()
	const detail, status = `{"detail":"Emulated failure: `, `{"status":"failed","msg":"Emulated failure: `
	for _, tt := range []struct {
		path   string
		status int
		shape  string
	}{
		{"/v1/token", 400, detail},
		{"/v1/access-token", 400, detail},
		{"/v1/credits", 400, detail},
		{"/v1/token", 500, status},
		{"/v4/generate", 400, status},
	} {
		c := start(t, sandbox.Options{Faults: []sandbox.Fault{{Path: "/*", Kind: sandbox.FaultStatus, Status: tt.status}}})
		c.call(http.MethodPost, tt.path, "").want(t, tt.status, tt.shape)
	}
}

func TestOldErrorsSayError(t *testing.T) {
	t.Parallel()
	c := start(t, sandbox.Options{OldErrors: true})
	c.as("").call(http.MethodPost, "/v4/smart/parse", "").want(t, 401, `{"status":"error","msg":`, `"code":"INVALID_API_KEY"`)
	c.call(http.MethodPost, "/v4/inbox/cas", "").want(t, 400, `{"status":"error","msg":`)
	c.call(http.MethodPost, "/v1/token", `{"expiry_minutes":0}`).want(t, 400, `{"detail":`)
	c.vendor.AddFault(sandbox.Fault{Path: "/v4/*", Kind: sandbox.FaultStatus, Status: 503})
	c.call(http.MethodPost, "/v4/generate", "{}").want(t, 503, `{"status":"error","msg":`)
}

func TestControlCallsRejectOtherMachinesAndForeignPages(t *testing.T) {
	t.Parallel()
	c := start(t, sandbox.Options{}).as("")
	c.call(http.MethodPost, "/_sandbox/faults", `{"path":"/","kind":"drop"}`, "Origin", "https://evil.example").want(t, 403)
	preflight, err := c.send(http.MethodOptions, "/_sandbox/faults", "", nil, "Origin", "https://evil.example")
	if err != nil {
		t.Fatal(err)
	}
	if preflight.status < 400 || preflight.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("preflight of a control call: got %d %v, want an error without CORS headers", preflight.status, preflight.header)
	}
	remote := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/_sandbox/calls", nil) // comes from 192.0.2.1
	w := httptest.NewRecorder()
	c.vendor.ServeHTTP(w, remote)
	if w.Code != http.StatusForbidden {
		t.Errorf("call from another machine: got %d, want 403", w.Code)
	}
}

func TestAnyOriginMayCallTheAPI(t *testing.T) {
	t.Parallel()
	c := start(t, sandbox.Options{})
	a, err := c.send(http.MethodOptions, "/v4/smart/parse", "", nil, "Origin", "https://app.example",
		"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "content-type,x-api-key")
	if err != nil {
		t.Fatal(err)
	}
	a.want(t, http.StatusNoContent)
	if a.header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("got Access-Control-Allow-Origin %q, want *", a.header.Get("Access-Control-Allow-Origin"))
	}
	for _, h := range []string{"x-api-key", "x-inbox-token", "content-type", "x-request-id"} {
		if !strings.Contains(a.header.Get("Access-Control-Allow-Headers"), h) {
			t.Errorf("Access-Control-Allow-Headers lacks %s", h)
		}
	}
	failed := c.as("").call(http.MethodPost, "/v4/smart/parse", "")
	if e := failed.header.Get("Access-Control-Expose-Headers"); !strings.Contains(e, "X-Request-ID") || !strings.Contains(e, "X-Credits-Remaining") {
		t.Errorf("got exposed headers %q on an error, want X-Request-ID and X-Credits-Remaining", e)
	}
	if got := c.vendor.Calls("/v4/smart/parse"); got != 1 {
		t.Errorf("got %d calls counted, want 1: preflights are not counted", got)
	}
}

func TestUnknownPathsAndMethodsAreAnsweredInJSON(t *testing.T) {
	t.Parallel()
	c := start(t, sandbox.Options{})
	c.call(http.MethodGet, "/v5/magic", "").want(t, 404, `{"detail":"Not Found"}`)
	a := c.call(http.MethodGet, "/v1/token", "")
	a.want(t, 405, `{"detail":"Method Not Allowed"}`)
	if a.header.Get("Allow") != "POST" {
		t.Errorf("got Allow %q, want POST", a.header.Get("Allow"))
	}
}

func TestURLsInAnswersHaveThePrefix(t *testing.T) {
	t.Parallel()
	c := start(t, sandbox.Options{Prefix: "/sandbox"})
	link := c.call(http.MethodPost, "/sandbox/v4/inbox/connect", `{"redirect_uri":"https://app.example/"}`).text("oauth_url")
	if !strings.HasPrefix(link, c.url+"/sandbox/_sandbox/oauth/") {
		t.Fatalf("got oauth_url %q, want it below the prefix", link)
	}
	openConsent(t, c, link)
	c.token("")
	if got := c.vendor.Calls("/v4/inbox/connect"); got != 1 {
		t.Errorf("got %d calls counted for the path without prefix, want 1", got)
	}
	fixed := start(t, sandbox.Options{BaseURL: "https://vendor.example/"})
	if link := fixed.call(http.MethodPost, "/v4/inbox/connect", `{"redirect_uri":"https://app.example/"}`).text("oauth_url"); !strings.HasPrefix(link, "https://vendor.example/_sandbox/") {
		t.Errorf("got oauth_url %q, want it below BaseURL", link)
	}
}
