package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"casbroker/internal/sandbox"
	"casbroker/internal/testkit/brokertest"
	"casbroker/internal/testkit/storetest"
)

// TestKeyOfAKilledBrokerIsFreeSoon kills the broker while the vendor parses a statement that
// was sent with an Idempotency-Key, and repeats the request after the restart.
func TestKeyOfAKilledBrokerIsFreeSoon(t *testing.T) {
	t.Parallel()
	const apiKey = "an-api-key-of-the-sandbox"
	vendor := sandbox.New(sandbox.Options{APIKey: apiKey, RateLimit: sandbox.Unlimited})
	arrived, killed := make(chan struct{}), make(chan struct{})
	var parses atomic.Int32
	at := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v4/smart/parse" && parses.Add(1) == 1 {
			_, _ = io.Copy(io.Discard, r.Body)
			close(arrived)
			<-killed
			return
		}
		vendor.ServeHTTP(w, r)
	}))
	t.Cleanup(at.Close)
	p := build(t)
	p.Extra = []string{"CASBROKER_UPSTREAM_URL=" + at.URL, "CASBROKER_UPSTREAM_API_KEY=" + apiKey, "CASBROKER_RATELIMIT_UPLOAD_USER="}
	p.Start()
	jwt := brokertest.Token(t, "asha")
	lost := make(chan int, 1)
	go func() {
		status, _ := p.upload(t.Context(), jwt)
		lost <- status
	}()
	<-arrived
	if status, retryAfter := p.upload(t.Context(), jwt); status != http.StatusConflict || retryAfter == "" {
		t.Errorf("got %d while the first request runs, want 409 with Retry-After", status)
	}
	p.Kill()
	dead := time.Now()
	close(killed)
	if end := p.leaseEnd(); end.After(dead.Add(2 * time.Second)) {
		t.Errorf("the lease of the key ends %s after the kill, want at most 2s", end.Sub(dead))
	}
	if status := <-lost; status != 0 {
		t.Errorf("the killed broker answered %d", status)
	}
	p.Start()
	for {
		status, _ := p.upload(t.Context(), jwt)
		if status == http.StatusCreated {
			break
		}
		if status != http.StatusConflict {
			t.Fatalf("got %d after the kill, want 201", status)
		}
		<-time.After(100 * time.Millisecond)
	}
	if got := parses.Load(); got != 2 {
		t.Errorf("the vendor got %d calls, want 2", got)
	}
}

// leaseEnd returns the end of the only lease of an Idempotency-Key in the database. It reads a copy: whoever closes the
// database of a killed broker has its write-ahead log applied, which is for the next broker to do.
func (p *program) leaseEnd() time.Time {
	p.T.Helper()
	var end int64
	copied := p.T.TempDir()
	for _, name := range []string{"broker.db", "broker.db-wal"} {
		content, err := os.ReadFile(filepath.Join(p.Folder, name)) //nolint:gosec // a file of this test
		if err == nil {
			err = os.WriteFile(filepath.Join(copied, name), content, 0o600) //nolint:gosec // as above
		}
		if err != nil {
			p.T.Fatal(err)
		}
	}
	db := storetest.SQL(p.T, "sqlite:"+filepath.Join(copied, "broker.db"))
	if err := db.QueryRowContext(p.T.Context(), `SELECT until_ms FROM idempotency`).Scan(&end); err != nil {
		p.T.Fatal(err)
	}
	return time.UnixMilli(end)
}

// upload sends a statement with an Idempotency-Key. It returns the status, 0 without an
// answer, and Retry-After.
func (p *program) upload(ctx context.Context, jwt string) (status int, retryAfter string) {
	const body = "--x\r\nContent-Disposition: form-data; name=\"pdf_file\"; filename=\"cdsl.pdf\"\r\n\r\n%PDF-1.4\n% cdsl\n%%EOF\n\r\n" +
		"--x\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\nABCDE1234F\r\n--x--\r\n"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+p.Address+"/v1/statements", strings.NewReader(body))
	if err != nil {
		p.T.Error(err)
		return 0, ""
	}
	req.Header.Set("Authorization", "Bearer "+jwt)
	req.Header.Set("Content-Type", "multipart/form-data; boundary=x")
	req.Header.Set("Idempotency-Key", "an-upload")
	res, err := p.Client.Do(req)
	if err != nil {
		return 0, ""
	}
	defer func() { _ = res.Body.Close() }()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode, res.Header.Get("Retry-After")
}
