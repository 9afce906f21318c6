package gateway_test

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"casbroker/internal/apikey"
	"casbroker/internal/gateway"
)

// fakeHealth records the outcomes of calls, and may refuse calls.
type fakeHealth struct {
	mu       sync.Mutex
	wait     time.Duration
	open     int // calls that have not ended
	outcomes []string
}

func (h *fakeHealth) Allow() (func(string), time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.wait > 0 {
		return nil, h.wait
	}
	h.open++
	return func(outcome string) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.open--
		h.outcomes = append(h.outcomes, outcome)
	}, 0
}

// want fails the test unless these outcomes were reported and no call is open.
func (h *fakeHealth) want(t *testing.T, outcomes ...string) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.open != 0 || !slices.Equal(h.outcomes, outcomes) {
		t.Errorf("got %q and %d open calls, want %q", h.outcomes, h.open, outcomes)
	}
}

func TestAnswersOfTheVendorSayHowItDoes(t *testing.T) {
	t.Parallel()
	reply := func(status int, media, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Type", media)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	const media = "application/json"
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"success":                        {ok, "ok"},
		"a wrong password":               {reply(400, media, `{"code":"INVALID_PASSWORD"}`), "ok"},
		"a document that cannot be read": {reply(500, media, `{"code":"PARSING_ERROR"}`), "ok"},
		"a failure":                      {reply(500, media, `{}`), "failed"},
		"a failure of a proxy":           {reply(502, "text/html", "<html>"), "failed"},
		"a timeout of the vendor":        {reply(504, media, `{"code":"TIMEOUT"}`), "failed"},
		"a refused key":                  {reply(401, media, `{}`), "refused"},
		"no credits":                     {reply(402, media, `{}`), "refused"},
		"a key or its quota":             {reply(403, media, `{}`), "refused"},
		"too many requests":              {reply(429, media, `{}`), "rate_limited"},
		"a page":                         {reply(200, "text/html", "<html>"), "bad_answer"},
		"a page for a user's own error":  {reply(404, "text/html", "<html>"), "refused"},
		"a page as JSON":                 {reply(200, media, "<html>"), "bad_answer"},
		"JSON that is cut short":         {reply(200, media, `{"meta":`), "bad_answer"},
		"nothing":                        {reply(200, media, ""), "bad_answer"},
		"a text":                         {reply(200, media, `"try later"`+strings.Repeat(" ", 5000)), "bad_answer"},
		"spaces":                         {reply(200, media, strings.Repeat(" ", 5000)), "bad_answer"},
		"a list":                         {reply(200, media, " [ ]"), "ok"},
		"a redirect":                     {reply(302, media, `{}`), "bad_answer"},
		"a connection that is closed":    {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "unreachable"},
		"an answer that breaks off later": {func(w http.ResponseWriter, r *http.Request) {
			ok(w, r)
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}, "ok"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := &fakeHealth{}
			w := newWorld(t, c.answer, func(g *gateway.Handler) { g.Health = h })
			w.parse(t)
			w.outcome(t, 1)
			h.want(t, c.want)
		})
	}
}

func TestAnswersOfTheVendorTellItsTime(t *testing.T) {
	t.Parallel()
	var age, date string
	at := time.Date(2026, 4, 1, 10, 0, 0, 0, time.UTC)
	var read []time.Time
	w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
		rw.Header()["Date"] = []string{date}
		rw.Header().Set("Age", age)
		ok(rw, r)
	}, func(g *gateway.Handler) {
		g.Vendor.Now = func() time.Time { return at }
		g.Vendor.OnDate = func(date, asked time.Time) { read = append(read, date, asked) }
	})
	for _, header := range [][2]string{{"Wed, 01 Apr 2026 10:00:05 GMT", ""}, {"Wed, 01 Apr 2026 09:00:00 GMT", "3600"}, {"now", ""}} {
		date, age = header[0], header[1]
		if a := w.parse(t); a.status != 200 {
			t.Fatalf("got %d %s", a.status, a.body)
		}
	}
	if want := []time.Time{at.Add(5 * time.Second), at}; !slices.Equal(read, want) {
		t.Errorf("read %v, want the only Date that says something, and when it was asked: %v", read, want)
	}
}

func TestNonsenseInASmallAnswerIsTheVendorsFailure(t *testing.T) {
	t.Parallel()
	h := &fakeHealth{}
	next := "<html>"
	m := newMailWorld(t, func(rw http.ResponseWriter, r *http.Request) { says(200, next)(rw, r) })
	m.handler.Health = h
	m.move(10 * time.Second)
	m.poll(t, "")
	next = noFiles
	m.move(10 * time.Second)
	m.poll(t, "")
	h.want(t, "bad_answer", "ok")
}

func TestVendorThatHangsIsReported(t *testing.T) {
	t.Parallel()
	h := &fakeHealth{}
	w := newWorld(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}, func(g *gateway.Handler) {
		g.Health = h
		g.Timeouts = gateway.Timeouts{Upload: 10 * time.Second, Parse: 50 * time.Millisecond}
	})
	if a := w.parse(t); a.status != 502 {
		t.Errorf("got %d %s", a.status, a.body)
	}
	w.outcome(t, 1)
	h.want(t, "timeout")
}

func TestSlowOrBrokenUploadIsNotTheVendorsFailure(t *testing.T) {
	t.Parallel()
	h := &fakeHealth{}
	w := newWorld(t, ok, func(g *gateway.Handler) {
		g.Health = h
		g.Timeouts.Upload = 50 * time.Millisecond
	})
	begun := strings.TrimSuffix(part(pdfField, pdf+strings.Repeat("x", 64<<10)), "\r\n")
	body, feed := io.Pipe()
	go func() { _, _ = io.WriteString(feed, begun) }() // and then nothing
	if a := send(t, request(t, w.url+"/gateway/v4/smart/parse", body, "Content-Type", formType)); a.err == nil && a.status != 408 {
		t.Errorf("a slow upload: got %d %s", a.status, a.body)
	}
	w.outcome(t, 1)
	h.want(t, "canceled")
	_ = feed.Close()

	late := begun + "\r\n" + part(pdfField, pdf) + formEnd // a second file, when the vendor has the first
	if a := send(t, request(t, w.url+"/gateway/v4/smart/parse", strings.NewReader(late), "Content-Type", formType)); a.err == nil && a.status != 400 {
		t.Errorf("a bad upload: got %d %s", a.status, a.body)
	}
	w.outcome(t, 2)
	h.want(t, "canceled", "canceled")
}

func TestOpenBreakerRefusesAtOnce(t *testing.T) {
	t.Parallel()
	h := &fakeHealth{wait: 17 * time.Second}
	w := newWorld(t, ok, func(g *gateway.Handler) { g.Health = h })
	a := w.parse(t)
	if a.status != 502 || a.header.Get("Retry-After") != "17" || !strings.Contains(a.body, `"status":"failed"`) || w.requests.Load() != 0 {
		t.Errorf("got %d, Retry-After %q, %s after %d calls, want 502 without a call", a.status, a.header.Get("Retry-After"), a.body, w.requests.Load())
	}
}

func TestNoKeyLeavesTheVendorAlone(t *testing.T) {
	t.Parallel()
	h := &fakeHealth{}
	keys := apikey.New(apikey.Options{Keys: []apikey.Settings{{Name: "main", Value: apiKey, Apps: []string{"shop"}}}})
	w := newWorld(t, ok, func(g *gateway.Handler) { g.Health, g.Keys = h, keys })
	if a := w.parse(t); a.status != 502 || w.requests.Load() != 0 {
		t.Errorf("got %d %s after %d calls, want 502 without a call", a.status, a.body, w.requests.Load())
	}
	h.want(t, "canceled")
}

func TestVendorsRateLimitAlwaysHasARetryAfter(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusTooManyRequests)
		_, _ = io.WriteString(w, `{"status":"failed","msg":"slow down","code":"RATE_LIMITED"}`)
	})
	if a := w.parse(t); a.status != 429 || a.header.Get("Retry-After") != "60" || !strings.Contains(a.body, "slow down") {
		t.Errorf("got %d, Retry-After %q, %s; want the vendor's answer and 60", a.status, a.header.Get("Retry-After"), a.body)
	}
}
