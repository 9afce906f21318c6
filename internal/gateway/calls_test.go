package gateway_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"casbroker/internal/credit"
	"casbroker/internal/fault"
	"casbroker/internal/gateway"
)

// fakeCalls records calls in memory.
type fakeCalls struct {
	mu      sync.Mutex
	refuses error
	begun   []gateway.Call
	ended   []gateway.CallResult
}

func (f *fakeCalls) Begin(ctx context.Context, c gateway.Call) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.refuses != nil {
		return "", f.refuses
	}
	f.begun = append(f.begun, c)
	return "gc_1", ctx.Err()
}

func (f *fakeCalls) End(ctx context.Context, id string, r gateway.CallResult) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if id == "gc_1" && ctx.Err() == nil {
		f.ended = append(f.ended, r)
	}
	return errors.New("the database is gone") // which no caller notices
}

// last returns the only call of a gateway and how it ended.
func (f *fakeCalls) last(t *testing.T, w *world) (gateway.Call, gateway.CallResult) {
	t.Helper()
	w.outcome(t, 1)
	w.handler.Close()
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.begun) != 1 || len(f.ended) != 1 {
		t.Fatalf("got calls %+v and ends %+v, want one each", f.begun, f.ended)
	}
	return f.begun[0], f.ended[0]
}

// newRecorded starts a gateway that records its calls and serves all features.
func newRecorded(t *testing.T, answer http.HandlerFunc) (*world, *fakeCalls) {
	t.Helper()
	calls := &fakeCalls{}
	return newWorld(t, answer, func(h *gateway.Handler) { h.Calls = calls }), calls
}

// answers returns a vendor that answers with a status and a body. header holds pairs.
func answers(status int, body string, header ...string) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		rw.Header().Set("Content-Type", "application/json")
		for i := 0; i < len(header); i += 2 {
			rw.Header().Set(header[i], header[i+1])
		}
		rw.WriteHeader(status)
		_, _ = io.WriteString(rw, body)
	}
}

func TestEveryCallThatCostsCreditsHasAPrice(t *testing.T) {
	t.Parallel()
	if list := gateway.UnchargedRoutes(); len(list) > 0 {
		t.Errorf("no price is known of %v", list)
	}
}

func TestCallIsRecordedWithWhatTheVendorCharged(t *testing.T) {
	t.Parallel()
	const used = "X-Credits-Used"
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   gateway.CallResult
	}{
		"the vendor's word":     {answers(200, `{}`, used, "2.5"), gateway.CallResult{Outcome: "ok", Delivery: gateway.Answered, Used: 2500}},
		"a free one":            {answers(200, `{}`, used, "0"), gateway.CallResult{Outcome: "ok", Delivery: gateway.Answered}},
		"the documented price":  {answers(200, `{}`), gateway.CallResult{Outcome: "ok", Delivery: gateway.Answered, Used: credit.One}},
		"an unreadable price":   {answers(200, `{}`, used, "-1e9"), gateway.CallResult{Outcome: "ok", Delivery: gateway.Answered, Used: credit.One}},
		"a failure":             {answers(400, `{"status":"failed","msg":"x","code":"INVALID_PDF"}`), gateway.CallResult{Outcome: "vendor_error", Reason: "INVALID_PDF", Delivery: gateway.Answered}},
		"a failure with a cost": {answers(422, `{"status":"failed"}`, used, "1"), gateway.CallResult{Outcome: "vendor_error", Reason: "UNPROCESSABLE_ENTITY", Delivery: gateway.Answered, Used: credit.One}},
		"a wrong password":      {answers(400, `{"status":"error","msg":"Wrong password"}`), gateway.CallResult{Outcome: "vendor_error", Reason: "INVALID_PASSWORD", Delivery: gateway.Answered}},
		"a failure with 200":    {answers(200, `{"status":"failed","msg":"Invalid password"}`), gateway.CallResult{Outcome: "vendor_error", Reason: "INVALID_PASSWORD", Delivery: gateway.Answered}},
		"a long failure":        {answers(500, `{"code":"X","pad":"`+strings.Repeat("x", 5000)+`"}`), gateway.CallResult{Outcome: "vendor_error", Reason: "INTERNAL_SERVER_ERROR", Delivery: gateway.Answered}},
		"no credits":            {answers(402, `{"code":"INSUFFICIENT_CREDITS"}`), gateway.CallResult{Outcome: "out_of_credits", Reason: "INSUFFICIENT_CREDITS", Delivery: gateway.Rejected}},
		"a refused key":         {answers(403, `{}`), gateway.CallResult{Outcome: "refused_key", Reason: "UPSTREAM_REFUSED", Delivery: gateway.Rejected}},
		"too many requests":     {answers(429, `{}`), gateway.CallResult{Outcome: "vendor_error", Reason: "TOO_MANY_REQUESTS", Delivery: gateway.Rejected}},
		"no JSON":               {answers(200, `<html>`, "Content-Type", "text/html"), gateway.CallResult{Outcome: "bad_answer", Reason: "UPSTREAM_BAD_ANSWER", Delivery: gateway.Answered, Used: credit.One}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, calls := newRecorded(t, c.answer)
			a := w.parse(t, "X-Request-Id", "req_mine")
			if a.header.Get(used) != "" {
				t.Error("the caller learned what the call cost")
			}
			begun, ended := calls.last(t, w)
			want := gateway.Call{Subject: "app:asha", GrantID: "gr_1", RequestID: "req_mine", Feature: "smart_parser", Price: credit.One}
			if begun != want {
				t.Errorf("got %+v, want %+v", begun, want)
			}
			c.want.KeyName = "default"
			if ended != c.want {
				t.Errorf("got %+v, want %+v", ended, c.want)
			}
		})
	}
}

func TestFailedInboxPullCostsCredits(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]credit.Amount{500: 200, 402: 0} {
		calls := &fakeCalls{}
		w, _ := newOwnedWorld(t, answers(status, `{"status":"failed"}`))
		w.handler.Calls = calls
		w.call(t, "POST", "/v4/inbox/cas", `{}`, "X-Inbox-Token", handle)
		if begun, ended := calls.last(t, w); begun.Feature != "inbox_pull" || begun.Price != 200 || ended.Used != want {
			t.Errorf("%d: got %+v and %+v, want %s", status, begun, ended, want)
		}
	}
}

func TestCallThatIsNotAllowedNeverReachesTheVendor(t *testing.T) {
	t.Parallel()
	w, calls := newRecorded(t, ok)
	calls.refuses = fault.New(fault.Exhausted, "budget_exhausted", "Your budget is used up.").After(time.Hour)
	a := w.parse(t)
	if a.status != http.StatusPaymentRequired || a.header.Get("Retry-After") != "3600" ||
		!strings.HasPrefix(a.body, `{"status":"failed","msg":"Your budget is used up.","code":"BUDGET_EXHAUSTED"`) {
		t.Errorf("got %+v", a)
	}
	if w.requests.Load() != 0 || len(calls.ended) != 0 || w.outcome(t, 1) != "parse refused" {
		t.Errorf("got %d requests of the vendor, ends %+v, outcome %s", w.requests.Load(), calls.ended, w.outcome(t, 1))
	}
}

func TestCallThatNeverLeftCostsNothing(t *testing.T) {
	t.Parallel()
	w, calls := newRecorded(t, ok)
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	if w.handler.Vendor, err = gateway.NewVendor("http://" + l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	w.parse(t)
	want := gateway.CallResult{Outcome: "unreachable", Reason: "UPSTREAM_UNAVAILABLE", Delivery: gateway.NotSent}
	if _, ended := calls.last(t, w); ended != want {
		t.Errorf("got %+v, want %+v", ended, want)
	}
}

func TestUploadThatWasBrokenOffCostsNothing(t *testing.T) {
	t.Parallel()
	w, calls := newRecorded(t, ok)
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", w.address)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(conn, "POST /gateway/v4/smart/parse HTTP/1.1\r\nHost: x\r\nX-Api-Key: "+valid+"\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{\"pdf_file\":\"JVBERi0xLjQK"+strings.Repeat("A", 4096))
	for end := time.Now().Add(5 * time.Second); w.requests.Load() == 0 && time.Now().Before(end); {
		<-time.After(time.Millisecond)
	}
	_ = conn.Close()
	if _, ended := calls.last(t, w); ended.Delivery != gateway.NotSent || ended.Outcome != gateway.OutcomeAborted {
		t.Errorf("got %+v, want a call that was not sent as a whole", ended)
	}
}

func TestCallWithoutAnAnswerIsUnknown(t *testing.T) {
	t.Parallel()
	w, calls := newRecorded(t, func(rw http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		conn, _, err := http.NewResponseController(rw).Hijack()
		if err == nil {
			_ = conn.Close()
		}
	})
	w.parse(t)
	want := gateway.CallResult{Outcome: "unreachable", Reason: "UPSTREAM_UNAVAILABLE", KeyName: "default", Delivery: gateway.Unknown}
	if _, ended := calls.last(t, w); ended != want {
		t.Errorf("got %+v, want %+v", ended, want)
	}
}

func TestAnswerThatBreaksOffCostsWhatItSays(t *testing.T) {
	t.Parallel()
	w, calls := newRecorded(t, func(rw http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		rw.Header().Set("Content-Type", "application/json")
		rw.Header().Set("Content-Length", "1000")
		rw.Header().Set("X-Credits-Used", "0.5")
		_, _ = io.WriteString(rw, `{"status":`)
	})
	w.parse(t)
	want := gateway.CallResult{Outcome: gateway.OutcomeAborted, KeyName: "default", Delivery: gateway.Answered, Used: 500}
	if _, ended := calls.last(t, w); ended != want {
		t.Errorf("got %+v, want %+v", ended, want)
	}
}

func TestCallIsSettledAlthoughTheCallerLeaves(t *testing.T) {
	t.Parallel()
	got := make(chan struct{})
	w, calls := newRecorded(t, func(rw http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		close(got)
		<-r.Context().Done()
	})
	ctx, leave := context.WithCancel(t.Context())
	go func() {
		<-got
		leave()
	}()
	r := request(t, w.url+"/gateway/v4/smart/parse", strings.NewReader(`{}`)).WithContext(ctx)
	if res, err := http.DefaultClient.Do(r); err == nil {
		_ = res.Body.Close()
		t.Error("got an answer")
	}
	if _, ended := calls.last(t, w); ended.Delivery != gateway.Unknown || ended.Outcome != gateway.OutcomeAborted {
		t.Errorf("got %+v, want an unknown call", ended)
	}
}
