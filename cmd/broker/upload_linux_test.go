package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"casbroker/internal/testkit/brokertest"
)

// maxUploading is the limit of resident memory while documents are uploaded, in kB.
const maxUploading = 60 << 10

func TestConcurrentUploadsNeedLittleMemory(t *testing.T) {
	t.Parallel()
	const uploads = 32
	var halves atomic.Int64 // uploads of which the vendor has a half
	all := make(chan struct{})
	vendor := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.CopyN(io.Discard, r.Body, 2<<20)
		if halves.Add(1) == uploads {
			close(all)
		}
		select {
		case <-all:
		case <-r.Context().Done():
		case <-time.After(20 * time.Second):
			t.Errorf("got %d uploads at once, want %d", halves.Load(), uploads)
		}
		n, err := io.Copy(io.Discard, r.Body)
		if err != nil || n < 3<<20 {
			t.Errorf("the vendor got %d bytes after the first half, %v", n, err)
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"status":"success"}`)
	}))
	t.Cleanup(vendor.Close)
	p := build(t)
	p.Extra = []string{
		"CASBROKER_UPSTREAM_URL=" + vendor.URL, "CASBROKER_UPSTREAM_API_KEY=", "CASBROKER_UPSTREAM_KEYS_0_NAME=main",
		"CASBROKER_UPSTREAM_KEYS_0_API_KEY=a-key-of-the-vendor", "CASBROKER_UPSTREAM_KEYS_0_RATE=0", "CASBROKER_TOKEN_MODE=gateway", "CASBROKER_GATEWAY_MAX_UPLOADS_PER_USER=0",
		"CASBROKER_RATELIMIT_UPLOAD_USER=",
	}
	p.Start()
	r, err := p.Call(t.Context(), brokertest.Token(t, "asha"), http.MethodPost, "/v1/token", nil)
	var issued struct {
		Token string `json:"access_token"`
	}
	if err != nil || json.Unmarshal(r.Body, &issued) != nil || issued.Token == "" {
		t.Fatalf("got %+v, %v", r, err)
	}
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	file, _ := w.CreateFormFile("pdf_file", "statement.pdf")
	_, _ = file.Write(append([]byte("%PDF-1.4\n"), make([]byte, 5<<20)...))
	_ = w.Close()
	var waiting sync.WaitGroup
	for range uploads {
		waiting.Go(func() {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, fmt.Sprintf("http://%s/gateway/v4/smart/parse", p.Address), bytes.NewReader(form.Bytes()))
			if err != nil {
				t.Error(err)
				return
			}
			req.Header.Set("X-Api-Key", issued.Token)
			req.Header.Set("Content-Type", w.FormDataContentType())
			res, err := p.Client.Do(req)
			if err != nil {
				t.Error(err)
				return
			}
			body, _ := io.ReadAll(res.Body)
			_ = res.Body.Close()
			if res.StatusCode != http.StatusOK {
				t.Errorf("got %d: %s", res.StatusCode, body)
			}
		})
	}
	waiting.Wait()
	if kb := p.peak(); kb > maxUploading {
		t.Errorf("got %d kB at the peak, want at most %d", kb, maxUploading)
	} else {
		t.Logf("%d MB at the peak", kb>>10)
	}
}
