package upstream_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"casbroker/internal/apikey"
	"casbroker/internal/fault"
	"casbroker/internal/telemetry"
	"casbroker/internal/upstream"
)

func TestMintSendsTheKeyAndReturnsTheToken(t *testing.T) {
	t.Parallel()
	var body map[string]int
	c, v := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewDecoder(r.Body).Decode(&body)
		answer(200, goodToken, "X-Request-ID", "req_vendor1")(w, r)
	})
	ctx := telemetry.WithRequestID(t.Context(), "req_ours1")
	m, err := c.Mint(ctx, 30*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if m.Value.Reveal() != "at_invented0001" || m.ExpiresIn != 30*time.Minute || m.RequestID != "req_vendor1" {
		t.Errorf("got token %s for %v of request %s", m.Value.Reveal(), m.ExpiresIn, m.RequestID)
	}
	r := v.requests[0]
	if r.Method != "POST" || r.URL.Path != "/v1/token" || r.Header.Get("x-api-key") != apiKey ||
		r.Header.Get("X-Request-ID") != "req_ours1" || body["expiry_minutes"] != 30 {
		t.Errorf("sent %s %s %v %v", r.Method, r.URL, r.Header, body)
	}
}

func TestMintReplacesAnInvalidRequestIDAndKeepsItForAllAttempts(t *testing.T) {
	t.Parallel()
	c, v := serve(t, answer(503, ""), answer(200, goodToken, "X-Request-ID", "<script>"))
	ctx := telemetry.WithRequestID(t.Context(), "not a request id")
	m, err := c.Mint(ctx, time.Hour)
	if err != nil || m.RequestID != "" {
		t.Fatalf("got vendor request id %q and error %v, want neither", m.RequestID, err)
	}
	first, second := v.requests[0].Header.Get("X-Request-ID"), v.requests[1].Header.Get("X-Request-ID")
	if !telemetry.ValidRequestID(first) || first != second {
		t.Errorf("sent request ids %q and %q, want one valid id twice", first, second)
	}
}

func TestMintRequestsWholeMinutesWithinTheVendorsBounds(t *testing.T) {
	t.Parallel()
	for life, want := range map[time.Duration]string{
		time.Second: `{"expiry_minutes":1}`, 119 * time.Second: `{"expiry_minutes":1}`,
		30 * time.Minute: `{"expiry_minutes":30}`, 5 * time.Hour: `{"expiry_minutes":60}`,
	} {
		var got []byte
		c, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
			got, _ = io.ReadAll(r.Body)
			answer(200, `{"access_token":"at_x","expires_in":60}`)(w, r)
		})
		if _, err := c.Mint(t.Context(), life); err != nil || string(got) != want {
			t.Errorf("%v: sent %s, error %v, want %s", life, got, err, want)
		}
	}
}

func TestRefusedMintTellsCallersAndOperatorsWhatToDo(t *testing.T) {
	t.Parallel()
	const fromToken = `{"detail":"Cannot create access token from access token"}`
	for _, c := range []struct {
		name   string
		status int
		body   string
		want   *fault.Fault
		text   string // in the detail for callers or the note for operators
		calls  int
	}{
		{"a bad key", 401, `{"status":"failed","msg":"bad ` + apiKey + `","code":"INVALID_API_KEY"}`, upstream.ErrRefusedKey, "check upstream.api_key", 1},
		{"a bad key or no credits", 403, `{}`, upstream.ErrRefusedKey, "or its quota is used up", 1},
		{"no credits", 402, `{"code":"INSUFFICIENT_CREDITS"}`, upstream.ErrOutOfCredits, "out of credits", 1},
		{"no credits, by the code alone", 403, `{"code":"INSUFFICIENT_CREDITS"}`, upstream.ErrOutOfCredits, "out of credits", 1},
		{"a bad key, by the code alone", 402, `{"code":"INVALID_API_KEY"}`, upstream.ErrRefusedKey, "check upstream.api_key", 1},
		{"a token as the key", 400, fromToken, upstream.ErrRefusedKey, "upstream.api_key holds an access token", 1},
		{"bad input", 400, `{"detail":"` + apiKey + `"}`, upstream.ErrBadAnswer, "check upstream.url", 1},
		{"a wrong path", 404, "<html>", upstream.ErrBadAnswer, "check upstream.url", 1},
		{"an empty answer", 204, "", upstream.ErrBadAnswer, "check upstream.url", 1},
		{"not implemented", 501, "", upstream.ErrUnavailable, "try again later", 1},
		{"too many requests", 429, `{"code":"RATE_LIMITED"}`, upstream.ErrRateLimited, "try again later", 1},
		{"a broken vendor", 500, "", upstream.ErrUnavailable, "try again later", 3},
		{"a broken gateway", 502, "<html>", upstream.ErrUnavailable, "try again later", 3},
		{"maintenance", 503, "", upstream.ErrUnavailable, "try again later", 3},
		{"a slow gateway", 504, "", upstream.ErrUnavailable, "try again later", 3},
	} {
		client, v := serve(t, answer(c.status, c.body, "X-Request-ID", "req_vendor1"))
		_, err := client.Mint(t.Context(), time.Hour)
		f := wantFault(t, err, c.want)
		if !strings.Contains(f.Detail+f.Note, c.text) || v.calls() != c.calls {
			t.Errorf("%s: got detail %q, note %q after %d calls, want %q after %d", c.name, f.Detail, f.Note, v.calls(), c.text, c.calls)
		}
		if !strings.Contains(err.Error(), "req_vendor1") || !strings.Contains(err.Error(), f.Note) {
			t.Errorf("%s: the log lacks the vendor's request id or the note: %v", c.name, err)
		}
	}
}

func TestFailureWithStatus200KeepsItsMessageForTheOperator(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		body string
		want *fault.Fault
		text string
	}{
		"a message":   {`{"status":"failed","msg":"maintenance until 5"}`, upstream.ErrBadAnswer, `"failed", "maintenance until 5"`},
		"an error":    {`{"status":"error","msg":"line\nbreak"}`, upstream.ErrBadAnswer, `"error", "line\nbreak"`},
		"secrets":     {`{"status":"failed","msg":"no ` + apiKey + ` at_invented0001!"}`, upstream.ErrBadAnswer, `"no … at_…!"`},
		"a long one":  {`{"status":"failed","msg":"` + strings.Repeat("é", 500) + `"}`, upstream.ErrBadAnswer, strings.Repeat("é", 100) + `…"`},
		"no credits":  {`{"status":"failed","msg":"used up","code":"INSUFFICIENT_CREDITS"}`, upstream.ErrOutOfCredits, `"used up"`},
		"a wrong key": {`{"status":"failed","msg":"no such key","code":"INVALID_API_KEY"}`, upstream.ErrRefusedKey, `"no such key"`},
	} {
		client, v := serve(t, answer(200, c.body))
		_, err := client.Mint(t.Context(), time.Hour)
		if f := wantFault(t, err, c.want); strings.Contains(f.Detail, "maintenance") || !strings.Contains(err.Error(), c.text) || v.calls() != 1 {
			t.Errorf("%s: got the detail %q and the log %v after %d calls, want %s in the log only", name, f.Detail, err, v.calls(), c.text)
		}
	}
}

func TestUndocumentedTokenAnswerIsRefused(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"empty": "", "not JSON": "<html>", "cut short": goodToken[:40], "followed by more": goodToken + "{}", "a list": "[]",
		"no token": `{"expires_in":60}`, "another prefix": `{"access_token":"xx_1","expires_in":60}`,
		"the prefix alone": `{"access_token":"at_","expires_in":60}`, "a null": `{"access_token":null,"expires_in":60}`,
		"a space in it": `{"access_token":"at_a b","expires_in":60}`, "not ASCII": `{"access_token":"at_ä","expires_in":60}`,
		"a line break": `{"access_token":"at_a\r\nb","expires_in":60}`, "a quote": `{"access_token":"at_a\"b","expires_in":60}`,
		"a backslash": `{"access_token":"at_a\\b","expires_in":60}`, "a slash": `{"access_token":"at_a/b","expires_in":60}`,
		"a line break at the end": `{"access_token":"at_a\n","expires_in":60}`,
		"too long":                `{"access_token":"at_` + strings.Repeat("a", 4094) + `","expires_in":60}`,
		"expired":                 `{"access_token":"at_a","expires_in":0}`, "less than a second": `{"access_token":"at_a","expires_in":0.5}`,
		"negative": `{"access_token":"at_a","expires_in":-1}`, "very negative": `{"access_token":"at_a","expires_in":-1e999}`,
		"a word": `{"access_token":"at_a","expires_in":"soon"}`, "an empty text": `{"access_token":"at_a","expires_in":""}`,
		"not a number": `{"access_token":"at_a","expires_in":"NaN"}`, "two numbers": `{"access_token":"at_a","expires_in":"60 60"}`,
		"a list of numbers": `{"access_token":"at_a","expires_in":[60]}`, "true": `{"access_token":"at_a","expires_in":true}`,
		"a token twice": `{"access_token":"at_a","access_token":"at_b","expires_in":60}`,
		"huge":          `{"access_token":"at_a","expires_in":60,"pad":"` + strings.Repeat("x", 70_000) + `"}`,
	} {
		c, v := serve(t, answer(200, body))
		_, err := c.Mint(t.Context(), 10*time.Minute)
		wantFault(t, err, upstream.ErrBadAnswer)
		if v.calls() != 1 {
			t.Errorf("%s: got %d calls, want 1", name, v.calls())
		}
	}
}

func TestLifeOfATokenIsReadInAllFormsOfTheVendor(t *testing.T) {
	t.Parallel()
	for expires, want := range map[string]time.Duration{
		``:                                10 * time.Minute, // missing: what was requested
		`,"expires_in":null`:              10 * time.Minute,
		`,"expires_in":60,"new_field":{}`: time.Minute,
		`,"expires_in":"60"`:              time.Minute,
		`,"expires_in":60.0`:              time.Minute,
		`,"expires_in":6e1`:               time.Minute,
		`,"expires_in":"60.0"`:            time.Minute,
		`,"expires_in":60.9`:              time.Minute,
		`,"expires_in":630`:               10 * time.Minute, // longer than requested
		`,"expires_in":"3600"`:            10 * time.Minute,
		`,"expires_in":1e99`:              10 * time.Minute,
		`,"expires_in":1e999`:             10 * time.Minute,
	} {
		c, _ := serve(t, answer(201, `{"access_token":"at_a"`+expires+`}`))
		if m, err := c.Mint(t.Context(), 10*time.Minute); err != nil || m.ExpiresIn != want {
			t.Errorf("%s: got %v, %v, want %v", expires, m.ExpiresIn, err, want)
		}
	}
}

func TestRedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("the redirect was followed")
	}))
	t.Cleanup(elsewhere.Close)
	for _, status := range []int{301, 302, 303, 307, 308} {
		c, v := serve(t, answer(status, "", "Location", elsewhere.URL+"/v1/token"))
		_, err := c.Mint(t.Context(), time.Hour)
		wantFault(t, err, upstream.ErrBadAnswer)
		if v.calls() != 1 {
			t.Errorf("%d: got %d calls, want 1", status, v.calls())
		}
	}
}

func TestLostAnswerIsRetried(t *testing.T) {
	t.Parallel()
	dropped := func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	cutShort := answer(200, goodToken[:40], "Content-Length", "500")
	garbled := func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_, _ = conn.Write([]byte("HTTP/9.9 what\r\n\r\n"))
			_ = conn.Close()
		}
	}
	for name, lost := range map[string]http.HandlerFunc{"dropped": dropped, "cut short": cutShort, "garbled": garbled} {
		c, v := serve(t, lost, lost, answer(200, goodToken))
		if _, err := c.Mint(t.Context(), time.Hour); err != nil || v.calls() != 3 {
			t.Errorf("%s: %v after %d calls", name, err, v.calls())
		}
		c, v = serve(t, lost)
		_, err := c.Mint(t.Context(), time.Hour)
		if f := wantFault(t, err, upstream.ErrUnavailable); f.RetryAfter <= 0 || v.calls() != 3 {
			t.Errorf("%s: retry after %v, %d calls", name, f.RetryAfter, v.calls())
		}
	}
}

func TestUnreachableVendorIsUnavailable(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // closed at once
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	_, err = upstream.New(quickOptions("http://user:"+apiKey+"@"+l.Addr().String())).Mint(t.Context(), time.Hour)
	wantFault(t, err, upstream.ErrUnavailable)
}

func TestInvalidURLIsNamedInTheLog(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"", "vendor.example", "/v1", "http://user:" + apiKey + "@[bad"} {
		_, err := upstream.New(quickOptions(url)).Mint(t.Context(), time.Hour)
		wantFault(t, err, upstream.ErrBadAnswer)
		if !strings.Contains(err.Error(), "upstream.url is not") {
			t.Errorf("%q: got %v", url, err)
		}
	}
}

func TestCanceledMintReturnsTheCallersReason(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	c, v := serve(t, func(w http.ResponseWriter, r *http.Request) {
		cancel()
		hang(w, r)
	})
	_, err := c.Mint(ctx, time.Hour)
	wantFault(t, err, upstream.ErrUnavailable)
	if !errors.Is(err, context.Canceled) || v.calls() != 1 {
		t.Errorf("%v after %d calls", err, v.calls())
	}
}

// usedKeys records what keys were taken for.
type usedKeys struct {
	apikey.Static
	uses []apikey.Use
}

func (k *usedKeys) Take(ctx context.Context, use apikey.Use) (*apikey.Key, error) {
	k.uses = append(k.uses, use)
	return k.Static.Take(ctx, use)
}

func TestMintThatNobodyWaitsForYieldsToOthers(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(answer(200, goodToken))
	t.Cleanup(server.Close)
	keys := &usedKeys{Static: apiKey}
	o := quickOptions(server.URL)
	o.Keys = keys
	c := upstream.New(o)
	for _, ctx := range []context.Context{t.Context(), apikey.InBackground(t.Context())} {
		if _, err := c.Mint(ctx, time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	if len(keys.uses) != 2 || !keys.uses[0].Urgent || keys.uses[1].Urgent {
		t.Errorf("took keys for %+v, want an urgent request, then one that is not", keys.uses)
	}
}
