package app_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// slowVendor is a vendor that answers once release is closed.
func slowVendor(t *testing.T) (url string, arrived, release, left chan struct{}) {
	t.Helper()
	arrived, release, left = make(chan struct{}), make(chan struct{}), make(chan struct{})
	vendor := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		close(arrived)
		select {
		case <-release:
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"status":"success"}`)
		case <-r.Context().Done():
			close(left)
		}
	}))
	t.Cleanup(vendor.Close)
	return vendor.URL, arrived, release, left
}

func TestUploadsInProgressFinishWhenTheBrokerStops(t *testing.T) {
	t.Parallel()
	settings, _ := gatewaySettings(t)
	var arrived, release chan struct{}
	settings.Upstream.URL, arrived, release, _ = slowVendor(t)
	b := start(t, settings)
	g := b.gatewayToken(t, "asha", "")
	answered, ended := make(chan answer), make(chan error)
	go func() { answered <- parse(t, g.BaseURL, g.AccessToken, "cdsl", "x") }()
	<-arrived
	go func() { ended <- b.stop() }()
	within(t, 10*time.Second, "the listener is closed", func() bool {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(b.URL, "http://"))
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	})
	close(release)
	if a := <-answered; a.status != 200 {
		t.Errorf("got %d %s", a.status, a.body)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestVendorIsNotWaitedForPastTheDrainTimeout checks that a call that goes on without its
// caller, so that the statement is saved, does not outlive the broker.
func TestVendorIsNotWaitedForPastTheDrainTimeout(t *testing.T) {
	t.Parallel()
	settings, _ := gatewaySettings(t)
	var arrived, left chan struct{}
	settings.Upstream.URL, arrived, _, left = slowVendor(t)
	settings.Server.DrainTimeout = 100 * time.Millisecond
	settings.Gateway.ParseTimeout = 10 * time.Minute
	b := start(t, settings)
	g := b.gatewayToken(t, "asha", "")
	body, kind := form("cdsl", "x", 10)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, g.BaseURL+"/v4/smart/parse", strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", kind)
	r.Header.Set("X-Api-Key", g.AccessToken)
	answered := make(chan int)
	go func() {
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			answered <- 0
			return
		}
		_ = res.Body.Close()
		answered <- res.StatusCode
	}()
	<-arrived
	if err := b.stop(); err != nil {
		t.Error(err)
	}
	<-left
	if got := <-answered; got == http.StatusOK {
		t.Errorf("got %d", got)
	}
}
