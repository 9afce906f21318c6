package gateway_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"casbroker/internal/apikey"
	"casbroker/internal/gateway"
	"casbroker/internal/httpapi"
	"casbroker/internal/server"
	"casbroker/internal/testkit/logtest"
)

const (
	apiKey = "live-key-7f3a91c2d4e5"
	valid  = "at_valid-token-of-asha"
)

// fakeTokens knows one token.
type fakeTokens struct{}

func (fakeTokens) Open(value string) (gateway.Token, error) {
	if value != valid {
		return gateway.Token{}, errors.New("not ours")
	}
	return gateway.Token{
		Subject: "app:asha", GrantID: "gr_1", ExpiresAt: time.Now().Add(time.Hour), Version: 7, Features: []string{gateway.Parse},
	}, nil
}

// fakeAccess blocks nobody. It knows versions up to known.
type fakeAccess struct{ known atomic.Int64 }

func (a *fakeAccess) Admit(string) (int64, error) { return a.known.Load(), nil }

func (a *fakeAccess) Valid(_, _ string, version int64) bool { return version <= a.known.Load() }

func (a *fakeAccess) CatchUp(_ context.Context, version int64) error {
	a.known.Store(version)
	return nil
}

// world is a gateway on a real server, in front of a vendor that the test programs.
type world struct {
	url      string
	address  string
	handler  *gateway.Handler
	log      *logtest.Log
	requests atomic.Int64 // that the vendor got

	mu       sync.Mutex
	last     *http.Request
	outcomes []string
}

// newWorld starts a gateway for a vendor that answers with answer.
func newWorld(t testing.TB, answer http.HandlerFunc, change ...func(*gateway.Handler)) *world {
	t.Helper()
	w := &world{log: &logtest.Log{}}
	vendor := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.requests.Add(1)
		w.mu.Lock()
		w.last = r.Clone(context.Background())
		w.mu.Unlock()
		answer(rw, r)
	}))
	t.Cleanup(vendor.Close)
	v, err := gateway.NewVendor(vendor.URL)
	if err != nil {
		t.Fatal(err)
	}
	w.handler = &gateway.Handler{
		Path: "/gateway", Features: []string{gateway.Parse}, Vendor: v, Keys: apikey.Static(apiKey), Tokens: fakeTokens{}, Access: &fakeAccess{},
		Uploads:  &gateway.Uploads{},
		Timeouts: gateway.Timeouts{Upload: 20 * time.Second, Parse: 20 * time.Second, OTP: 20 * time.Second, Other: 20 * time.Second},
		Log:      slog.New(slog.NewTextHandler(w.log, nil)), Now: time.Now,
		Observe: func(feature, outcome string, _ time.Duration) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.outcomes = append(w.outcomes, feature+" "+outcome)
		},
	}
	for _, c := range change {
		c(w.handler)
	}
	router := server.NewRouter(server.Options{Log: w.handler.Log})
	router.Mount("/gateway", []server.Middleware{httpapi.InDialect(gateway.Dialect)}, w.handler)
	front := httptest.NewUnstartedServer(router)
	front.Config.ReadTimeout, front.Config.WriteTimeout = 10*time.Second, 10*time.Second
	front.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	front.Start()
	t.Cleanup(front.Close)
	w.url, w.address = front.URL, front.Listener.Addr().String()
	return w
}

// outcome returns the feature and outcome of the last call, once it was observed.
func (w *world) outcome(t *testing.T, n int) string {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); ; {
		w.mu.Lock()
		seen := len(w.outcomes)
		last := ""
		if seen > 0 {
			last = w.outcomes[seen-1]
		}
		w.mu.Unlock()
		if seen >= n || time.Now().After(end) {
			return last
		}
		<-time.After(5 * time.Millisecond)
	}
}

func (w *world) lastRequest() *http.Request {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.last
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
	err    error // of reading the body
}

// request makes a request of the gateway. header holds pairs.
func request(t testing.TB, url string, body io.Reader, header ...string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Api-Key", valid)
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

func send(t testing.TB, r *http.Request) answer {
	t.Helper()
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(r)
	if err != nil {
		return answer{err: err}
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, string(body), err}
}

func (w *world) parse(t testing.TB, header ...string) answer {
	t.Helper()
	return send(t, request(t, w.url+"/gateway/v4/smart/parse", strings.NewReader(`{"pdf_url":"https://files.example/a.pdf"}`), header...))
}

// raw sends text as it is and returns the status lines of all answers on the connection.
func (w *world) raw(t *testing.T, text string) (statuses []int, first string) {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", w.address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(2 * time.Second))
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	for {
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			return statuses, first
		}
		b, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if statuses = append(statuses, res.StatusCode); len(statuses) == 1 {
			first = string(b)
		}
	}
}

// ok answers as the vendor does.
func ok(rw http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	rw.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(rw, `{"status":"success"}`)
}

func TestOnlyListedHeadersPass(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
		h := rw.Header()
		h.Set("Set-Cookie", "vendor=1")
		h.Set("X-Credits-Remaining", "17")
		h.Set("X-Request-Id", "req_other")
		h.Set("Access-Control-Allow-Origin", "*")
		h.Set("Server", "vendor")
		h.Set("Trailer", "X-Late")
		rw.Header().Set("Link", "<https://evil.example>; rel=preload")
		rw.WriteHeader(http.StatusEarlyHints)
		h.Del("Link")
		ok(rw, r)
		h.Set("X-Late", "1")
	})
	a := w.parse(t, "Cookie", "session=1", "Forwarded", "for=1.2.3.4", "X-Forwarded-For", "1.2.3.4", "X-Forwarded-Host", "evil",
		"Authorization", "Bearer other", "Te", "trailers", "Connection", "X-Hop", "X-Hop", "1", "X-Inbox-Token", "secret", "Origin", "https://app.example",
		"Referer", "https://app.example/me", "User-Agent", "the browser of asha", "X-Request-Id", "req_mine", "Accept-Encoding", "gzip", "Accept", "application/json",
		"X-Http-Method-Override", "DELETE")
	if a.status != 200 || a.body != `{"status":"success"}` {
		t.Fatalf("got %+v", a)
	}
	var got []string
	r := w.lastRequest()
	for name := range r.Header {
		got = append(got, name)
	}
	for _, name := range got {
		switch name {
		case "Accept", "Content-Type", "Content-Length", "User-Agent", "X-Request-Id", "X-Api-Key":
		default:
			t.Errorf("the vendor got the header %s", name)
		}
	}
	if r.Header.Get("X-Api-Key") != apiKey || r.Header.Get("X-Request-Id") != "req_mine" || r.Header.Get("User-Agent") != "casbroker" || r.Method != http.MethodPost {
		t.Errorf("the vendor got %s %v", r.Method, r.Header)
	}
	for _, name := range []string{"Set-Cookie", "X-Credits-Remaining", "Access-Control-Allow-Origin", "Server", "Trailer", "X-Late", "Link"} {
		if a.header.Get(name) != "" {
			t.Errorf("the caller got the header %s", name)
		}
	}
	if a.header.Get("X-Request-Id") != "req_mine" || a.header.Get("Cache-Control") != "no-store" || a.header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("the caller got %v", a.header)
	}
	if got := w.outcome(t, 1); got != "parse ok" {
		t.Errorf("got the outcome %q", got)
	}
}

func TestOtherPathsAndMethodsNeverReachTheVendor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, ok)
	for _, path := range []string{
		"/gateway/", "/gateway/v4", "/gateway/v4/", "/gateway/v4/inbound-email", "/gateway/v1/credits", "/gateway/v1/token", "/gateway/v4/generate",
		"/gateway/v4/smart/parse/", "/gateway//v4/smart/parse", "/gateway/v4//smart/parse", "/gateway/v4/smart//parse",
		"/gateway/v4/smart/../smart/parse", "/gateway/v4/./smart/parse", "/gateway/../gateway/v4/smart/parse", "/gateway/v4/smart/parse/../../inbound-email",
		"/gateway/v4/smart/%2e%2e/smart/parse", "/gateway/v4/%2E%2E/v4/smart/parse", "/gateway/v4%2fsmart%2fparse", "/gateway/v4/smart%2Fparse",
		"/gateway/v4/smart/pars%65", "/gateway/v4/smart/parse%00", "/gateway/v4/smart/parse%20", "/gateway/v4/smart/parse;a=b", "/gateway/v4;/smart/parse",
		"/gateway/V4/smart/parse", "/gateway/v4/Smart/Parse", "/GATEWAY/v4/smart/parse", "/gateway/v4/smart/parse.json", "/gateway/v4/smart/parse%3Fx",
		"http://x/gateway/../gateway/v4/smart/parse", "http://x/v4/smart/parse", "http://x/gateway/v4/%2e%2e/v1/token", "https://api.casparser.in/v1/token",
		"/gateway/v4/smart/parse/%2e%2e/%2e%2e/%2e%2e/v1/token", "/gateway/v4/cdsl/fetch/x/verify", "/gateway/v4/cdsl/fetch/../verify", "/gateway/v4/smart/parse%09",
		"/gateway/v4/smart/parse%23", "/gateway/v4/smart/parse%0d%0aX-Api-Key:%20x", "/gateway/%76%34/smart/parse", "/gateway/v4/smart/parse%c0%ae", "/%67ateway/v4/smart/parse",
		"/gateway/v1/token/verify/", "/gateway/V1/token/verify",
		`/gateway/v4\smart\parse`, "/v4/smart/parse", "/gatewayv4/smart/parse", "/gateway/v4/contract_note/parse",
	} {
		got, body := w.raw(t, "POST "+path+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Api-Key: "+valid+"\r\nContent-Length: 2\r\n\r\n{}")
		if fmt.Sprint(got) != "[404]" {
			t.Errorf("%s: got %v", path, got)
		}
		if strings.HasPrefix(path, "/gateway/") && !strings.Contains(body, `"status":"failed"`) {
			t.Errorf("%s: got %s, want the vendor's shape", path, body)
		}
	}
	for _, method := range []string{"GET", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "BREW", "post"} {
		got, _ := w.raw(t, method+" /gateway/v4/smart/parse HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-HTTP-Method-Override: POST\r\nX-Api-Key: "+valid+"\r\n\r\n")
		if len(got) != 1 || got[0] != 404 {
			t.Errorf("%s: got %v", method, got)
		}
	}
	if n := w.requests.Load(); n != 0 {
		t.Errorf("the vendor got %d requests", n)
	}
	// An absolute address and a query change nothing of what the vendor gets.
	got, _ := w.raw(t, "POST http://evil.example/gateway/v4/smart/parse?to=evil HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\nContent-Type: application/json\r\nX-Api-Key: "+valid+"\r\nContent-Length: 2\r\n\r\n{}")
	r := w.lastRequest()
	if fmt.Sprint(got) != "[200]" || r.Host == "evil.example" || r.RequestURI != "/v4/smart/parse" {
		t.Errorf("got %v, the vendor %s at %s", got, r.RequestURI, r.Host)
	}
}

func TestSmuggledRequestsNeverReachTheVendor(t *testing.T) {
	t.Parallel()
	const hidden = "POST /v4/inbound-email HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
	for name, text := range map[string]string{
		"length and chunks":      "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden,
		"two lengths":            "Content-Length: 0\r\nContent-Length: 64\r\n\r\n" + hidden,
		"a list of lengths":      "Content-Length: 0, 64\r\n\r\n" + hidden,
		"a signed length":        "Content-Length: +0\r\n\r\n" + hidden,
		"an odd encoding":        "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + hidden,
		"two encodings":          "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + hidden,
		"a space before a colon": "Content-Length : 0\r\n\r\n" + hidden,
		"a folded header":        "X-A: b\r\n Content-Length: 64\r\n\r\n" + hidden,
		"a bare line feed":       "Content-Length: 0\n\n" + hidden,
		"a folded encoding":      "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" + hidden,
		"a folded second coding": "Transfer-Encoding: chunked\r\n , identity\r\nContent-Length: 2\r\n\r\n{}" + hidden,
		"a tab in an encoding":   "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n" + hidden,
		"a repeated encoding":    "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden,
		"an encoding in quotes":  "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n" + hidden,
		"a hexadecimal length":   "Content-Length: 0x2\r\n\r\n{}" + hidden,
		"a negative length":      "Content-Length: -1\r\n\r\n" + hidden,
		"a signed chunk":         "Transfer-Encoding: chunked\r\n\r\n+2\r\n{}\r\n0\r\n\r\n" + hidden,
		"an overlong chunk":      "Transfer-Encoding: chunked\r\n\r\n10000000000000002\r\n{}\r\n0\r\n\r\n" + hidden,
		"a chunk without an end": "Transfer-Encoding: chunked\r\n\r\n2\r\n{}0\r\n\r\n" + hidden,
		"an upgrade":             "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\nContent-Length: 2\r\n\r\n{}PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + hidden,
		"a websocket":            "Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 2\r\n\r\n{}" + hidden,
		"a length in a trailer":  "Trailer: Content-Length\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nContent-Length: 64\r\nX-Api-Key: x\r\n\r\n" + hidden,
		"a dropped length":       "Connection: Content-Length\r\nContent-Length: 2\r\n\r\n{}" + hidden,
		"a dropped token":        "Connection: X-Api-Key, Content-Type\r\nContent-Length: 2\r\n\r\n{}" + hidden,
		"a chunk extension":      "Transfer-Encoding: chunked\r\n\r\n2;a=\nb\r\n{}\r\n0\r\n\r\n" + hidden,
	} {
		w := newWorld(t, ok)
		text = strings.ReplaceAll(text, hidden, hidden+"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		w.raw(t, "POST /gateway/v4/smart/parse HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-Api-Key: "+valid+"\r\n"+text)
		n := w.requests.Load()
		if n > 1 || n == 1 && w.lastRequest().RequestURI != "/v4/smart/parse" {
			t.Errorf("%s: the vendor got %d requests, the last for %s", name, n, w.lastRequest().RequestURI)
		}
		if r := w.lastRequest(); r != nil && (len(r.Trailer) > 0 || r.Header.Get("Upgrade") != "" || r.Header.Get("X-Api-Key") != apiKey) {
			t.Errorf("%s: the vendor got %v and the trailers %v", name, r.Header, r.Trailer)
		}
	}
}

func TestTwoTokensAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, ok)
	r := request(t, w.url+"/gateway/v4/smart/parse", strings.NewReader("{}"))
	r.Header["X-Api-Key"] = []string{valid, "at_other"}
	if a := send(t, r); a.status != 401 || w.requests.Load() != 0 {
		t.Errorf("got %+v", a)
	}
	r = request(t, w.url+"/gateway/v4/smart/parse", strings.NewReader("{}"), "Authorization", "bearer "+valid)
	r.Header.Del("X-Api-Key")
	if a := send(t, r); a.status != 200 {
		t.Errorf("with Authorization: got %+v", a)
	}
}

func TestOnlyALostMailboxAsksForAReconnect(t *testing.T) {
	t.Parallel()
	w := newWorld(t, ok)
	a := send(t, request(t, w.url+"/gateway/v4/smart/parse", http.NoBody, "x-api-key", "at_other"))
	if want := `{"status":"failed","msg":"Invalid access token","code":"INVALID_API_KEY"}`; a.status != 401 || strings.TrimSpace(a.body) != want {
		t.Errorf("got %d %s, want %s", a.status, a.body, want)
	}
}

func TestBadVendorsDoNotReachTheCaller(t *testing.T) {
	t.Parallel()
	page := "<html>" + strings.Repeat("x", 5000)
	for name, c := range map[string]struct {
		answer  http.HandlerFunc
		status  int
		code    string
		outcome string
	}{
		"refuses the key with 401": {errorWith(401, `{"status":"failed","msg":"Invalid API key"}`), 502, "UPSTREAM_REFUSED", "refused_key"},
		"refuses the key with 403": {errorWith(403, `{"status":"error","msg":"API quota exceeded or invalid API key"}`), 502, "UPSTREAM_REFUSED", "refused_key"},
		"refuses with a page":      {func(rw http.ResponseWriter, _ *http.Request) { http.Error(rw, page, http.StatusForbidden) }, 502, "UPSTREAM_REFUSED", "refused_key"},
		"answers 200 with a page":  {func(rw http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(rw, page) }, 502, "UPSTREAM_BAD_ANSWER", "bad_answer"},
		"answers 502 with a page":  {func(rw http.ResponseWriter, _ *http.Request) { http.Error(rw, page, http.StatusBadGateway) }, 502, "UPSTREAM_BAD_ANSWER", "bad_answer"},
		"answers without a type":   {func(rw http.ResponseWriter, _ *http.Request) { rw.Header()["Content-Type"] = nil }, 502, "UPSTREAM_BAD_ANSWER", "bad_answer"},
		"redirects": {func(rw http.ResponseWriter, r *http.Request) {
			http.Redirect(rw, r, "/elsewhere", http.StatusTemporaryRedirect)
		}, 502, "UPSTREAM_BAD_ANSWER", "bad_answer"},
		"switches protocols":       {errorWith(101, ""), 502, "UPSTREAM_BAD_ANSWER", "bad_answer"},
		"announces a large answer": {large(50 << 20), 502, "UPSTREAM_BAD_ANSWER", "bad_answer"},
		"compresses":               {compressed, 502, "UPSTREAM_BAD_ANSWER", "bad_answer"},
		"closes the connection":    {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 502, "UPSTREAM_UNAVAILABLE", "unreachable"},
		"speaks another protocol":  {garbage, 502, "UPSTREAM_UNAVAILABLE", "unreachable"},
		"hangs":                    {hang, 502, "TIMEOUT", "timeout"},
		"reads the body and hangs": {func(rw http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body); hang(rw, r) }, 502, "TIMEOUT", "timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, c.answer, func(h *gateway.Handler) {
				h.Timeouts = gateway.Timeouts{Upload: time.Second, Parse: 500 * time.Millisecond}
			})
			a := w.parse(t)
			if a.status != c.status || !strings.Contains(a.body, `"status":"failed"`) || !strings.Contains(a.body, `"code":"`+c.code+`"`) {
				t.Errorf("got %d %.200s %v, want %d %s", a.status, a.body, a.err, c.status, c.code)
			}
			if a.header.Get("Location") != "" || strings.Contains(a.body, "html") || strings.Contains(strings.ToLower(a.body), "password") {
				t.Errorf("got %v %s", a.header, a.body)
			}
			if got := w.outcome(t, 1); got != "parse "+c.outcome {
				t.Errorf("got the outcome %q, want %q", got, c.outcome)
			}
			if n := w.requests.Load(); n > 1 {
				t.Errorf("the vendor got %d requests, want 1", n)
			}
			if strings.Contains(w.log.String(), apiKey) || strings.Contains(w.log.String(), valid) {
				t.Error("the log has a credential")
			}
			if c.outcome == "refused_key" && !strings.Contains(w.log.String(), "upstream.api_key") {
				t.Errorf("the log does not tell the operator what to do: %s", w.log)
			}
		})
	}
}

func errorWith(status int, body string) http.HandlerFunc {
	return func(rw http.ResponseWriter, _ *http.Request) {
		if status == http.StatusSwitchingProtocols {
			rw.Header().Set("Upgrade", "websocket")
			rw.Header().Set("Connection", "Upgrade")
		}
		rw.Header().Set("Content-Type", "application/json")
		rw.WriteHeader(status)
		_, _ = io.WriteString(rw, body)
	}
}

// large answers with size bytes of JSON.
func large(size int) http.HandlerFunc {
	return func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		rw.Header().Set("Content-Length", fmt.Sprint(size))
		writeSpaces(rw, size)
	}
}

func writeSpaces(rw http.ResponseWriter, size int) {
	block := []byte(strings.Repeat(" ", 1<<20))
	for range size >> 20 {
		if _, err := rw.Write(block); err != nil {
			return
		}
	}
}

func compressed(rw http.ResponseWriter, _ *http.Request) {
	rw.Header().Set("Content-Type", "application/json")
	rw.Header().Set("Content-Encoding", "gzip")
	_, _ = io.WriteString(rw, "\x1f\x8b")
}

func garbage(rw http.ResponseWriter, _ *http.Request) {
	conn, _, err := http.NewResponseController(rw).Hijack()
	if err == nil {
		_, _ = io.WriteString(conn, "220 mail.example ESMTP\r\n")
		_ = conn.Close()
	}
}

func hang(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

func TestVendorsErrorsPassWithTheirWords(t *testing.T) {
	t.Parallel()
	for status, body := range map[int]string{
		400: `{"status":"failed","msg":"Incorrect password for the PDF","code":"INVALID_PASSWORD"}`,
		402: `{"status":"failed","msg":"Not enough credits","code":"INSUFFICIENT_CREDITS"}`,
		422: `{"status":"failed","msg":"Invalid PDF"}`,
		429: `{"status":"failed","msg":"Rate limit exceeded","code":"RATE_LIMITED"}`,
		503: `{"status":"failed","msg":"Down for maintenance"}`,
	} {
		w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
			rw.Header().Set("Retry-After", "60")
			errorWith(status, body)(rw, r)
		})
		a := w.parse(t)
		if a.status != status || a.body != body || a.header.Get("Retry-After") != "60" {
			t.Errorf("%d: got %d %s %v", status, a.status, a.body, a.header)
		}
		want := map[bool]string{true: "parse out_of_credits", false: "parse vendor_error"}[status == 402]
		if got := w.outcome(t, 1); got != want {
			t.Errorf("%d: got the outcome %q, want %q", status, got, want)
		}
	}
}

func TestAnswerThatBreaksOffCutsTheConnection(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]http.HandlerFunc{
		"the vendor resets": func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(rw, strings.Repeat(" ", 100<<10))
			_ = http.NewResponseController(rw).Flush()
			panic(http.ErrAbortHandler)
		},
		"the answer is endless": func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", "application/json")
			writeSpaces(rw, 50<<20)
		},
		"the answer stalls": func(rw http.ResponseWriter, r *http.Request) {
			rw.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(rw, strings.Repeat(" ", 100<<10))
			_ = http.NewResponseController(rw).Flush()
			<-r.Context().Done()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, answer, func(h *gateway.Handler) { h.Timeouts.Parse = time.Second })
			a := w.parse(t)
			if a.status != 200 || a.err == nil {
				t.Errorf("got %d and %v, want an answer that breaks off", a.status, a.err)
			}
			if len(a.body) > 33<<20 {
				t.Errorf("got %d bytes", len(a.body))
			}
			if got := w.outcome(t, 1); got != "parse aborted" {
				t.Errorf("got the outcome %q", got)
			}
			if !strings.Contains(w.log.String(), "status=499") {
				t.Errorf("got the log %s", w.log)
			}
		})
	}
}

func TestSlowUploadIsCutOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t, ok, func(h *gateway.Handler) { h.Timeouts.Upload = 300 * time.Millisecond })
	in, out := io.Pipe()
	t.Cleanup(func() { _ = out.Close() })
	go func() { _, _ = io.WriteString(out, "{") }()
	a := send(t, request(t, w.url+"/gateway/v4/smart/parse", in)) // which never ends by itself
	if a.err != nil || a.status != 408 || !strings.Contains(a.body, `"BODY_TOO_SLOW"`) {
		t.Errorf("got %d %s, %v, want 408 BODY_TOO_SLOW", a.status, a.body, a.err)
	}
	if got := w.outcome(t, 1); got != "parse aborted" {
		t.Errorf("got the outcome %q", got)
	}
}

// TestLongParseOutlivesTheServersTimeouts checks that the gateway's own deadlines are used.
func TestLongParseOutlivesTheServersTimeouts(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-release
		ok(rw, r)
	}, func(h *gateway.Handler) { h.Timeouts.Upload = 200 * time.Millisecond })
	time.AfterFunc(time.Second, func() { close(release) }) // longer than the upload may take
	if a := w.parse(t); a.status != 200 {
		t.Errorf("got %d %s %v", a.status, a.body, a.err)
	}
}

func TestUploadsInProgressAreBounded(t *testing.T) {
	t.Parallel()
	arrived, release := make(chan struct{}, 9), make(chan struct{})
	w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-release
		ok(rw, r)
	}, func(h *gateway.Handler) { h.Uploads = &gateway.Uploads{PerUser: 2, All: 9} })
	var waiting sync.WaitGroup
	for range 2 {
		waiting.Go(func() {
			if a := w.parse(t); a.status != 200 {
				t.Errorf("got %d %s", a.status, a.body)
			}
		})
	}
	<-arrived
	<-arrived
	a := w.parse(t)
	if a.status != 429 || a.header.Get("Retry-After") == "" || !strings.Contains(a.body, `"code":"RATE_LIMITED"`) {
		t.Errorf("got %d %s %v", a.status, a.body, a.header)
	}
	close(release)
	waiting.Wait()
	if a := w.parse(t); a.status != 200 {
		t.Errorf("once the others are done: got %d %s", a.status, a.body)
	}
}

func TestBusyGatewayRefusesFurtherUploads(t *testing.T) {
	t.Parallel()
	arrived, release := make(chan struct{}), make(chan struct{})
	w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-release
		ok(rw, r)
	}, func(h *gateway.Handler) { h.Uploads = &gateway.Uploads{All: 1} })
	var waiting sync.WaitGroup
	waiting.Go(func() { w.parse(t) })
	<-arrived
	if a := w.parse(t); a.status != 503 || a.header.Get("Retry-After") == "" {
		t.Errorf("got %d %s %v", a.status, a.body, a.header)
	}
	close(release)
	waiting.Wait()
}

// TestRefusalIsReadableWhileTheCallerStillSends checks that a caller who sends a large
// file gets the answer, not a broken connection.
func TestRefusalIsReadableWhileTheCallerStillSends(t *testing.T) {
	t.Parallel()
	body := `{"pdf_file":"JVBERi0x` + strings.Repeat("A", 9<<20) + `"}`
	w := newWorld(t, errorWith(402, `{"status":"failed","msg":"Not enough credits"}`))
	for name, value := range map[string]string{"token": "at_other", "credits": valid} {
		a := send(t, request(t, w.url+"/gateway/v4/smart/parse", strings.NewReader(body), "X-Api-Key", value))
		if want := map[string]int{"token": 401, "credits": 402}[name]; a.err != nil || a.status != want {
			t.Errorf("%s: got %d %v, want %d", name, a.status, a.err, want)
		}
	}
}

func TestTokenNewerThanThisReplicaKnowsIsAccepted(t *testing.T) {
	t.Parallel()
	view := &fakeAccess{}
	w := newWorld(t, ok, func(h *gateway.Handler) { h.Access = view })
	if a := w.parse(t); a.status != 200 || view.known.Load() != 7 {
		t.Errorf("got %+v at version %d, want it to catch up to 7", a, view.known.Load())
	}
}
