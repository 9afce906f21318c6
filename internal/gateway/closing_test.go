package gateway_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"casbroker/internal/gateway"
)

func TestEachFeatureHasItsTimeout(t *testing.T) {
	t.Parallel()
	const short = 200 * time.Millisecond
	for path, timeouts := range map[string]gateway.Timeouts{
		"/v4/smart/parse":            {Parse: short, OTP: time.Hour, Other: time.Hour},
		"/v4/cdsl/fetch":             {Parse: time.Hour, OTP: short, Other: time.Hour},
		"/v4/cdsl/fetch/cs_1/verify": {Parse: time.Hour, OTP: short, Other: time.Hour},
		"/v4/generate":               {Parse: time.Hour, OTP: time.Hour, Other: short},
	} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			w, owned := newOwnedWorld(t, hang)
			owned.list = append(owned.list, gateway.Resource{Kind: gateway.OTPSession, ID: "cs_1", Subject: "app:asha"})
			timeouts.Upload = time.Minute
			w.handler.Timeouts = timeouts
			if a := w.call(t, "POST", path, "{}"); a.status != 502 || !strings.Contains(a.body, `"code":"TIMEOUT"`) {
				t.Errorf("got %+v", a)
			}
		})
	}
}

func TestClosedVendorIsNotCalledAnyMore(t *testing.T) {
	t.Parallel()
	arrived, left := make(chan struct{}), make(chan struct{})
	w := newWorld(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		close(arrived)
		<-r.Context().Done()
		close(left)
	})
	answered := make(chan answer)
	go func() { answered <- w.parse(t) }()
	<-arrived
	if err := w.handler.Vendor.Close(); err != nil {
		t.Fatal(err)
	}
	<-left
	for _, a := range []answer{<-answered, w.parse(t)} {
		if a.status != 503 || !strings.Contains(a.body, `"code":"STOPPING"`) || a.header.Get("Retry-After") == "" {
			t.Errorf("got %+v", a)
		}
	}
	if got := w.outcome(t, 1); got != "parse aborted" || w.requests.Load() != 1 {
		t.Errorf("got %q and %d requests", got, w.requests.Load())
	}
}
