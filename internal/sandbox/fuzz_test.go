package sandbox_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"casbroker/internal/sandbox"
)

// FuzzParse sends arbitrary bodies to the parse endpoints. The answer must be JSON
// and never a server error.
func FuzzParse(f *testing.F) {
	const form = "multipart/form-data; boundary=b"
	f.Add("/v4/smart/parse", form, []byte("--b\r\nContent-Disposition: form-data; name=\"pdf_file\"; filename=\"nsdl.pdf\"\r\n\r\n%PDF-1.4\r\n--b--\r\n"))
	f.Add("/v4/cdsl/parse", form, []byte("--b\r\nContent-Disposition: form-data; name=\"pdf_url\"\r\n\r\nhttps://a.example/cdsl.pdf\r\n--b--\r\n"))
	f.Add("/v4/contract_note/parse", "multipart/form-data", []byte("--b"))
	f.Add("/v4/smart/parse", "application/json", []byte(`{"pdf_file":"JVBERi0xLjQ=","password":"x"}`))
	f.Add("/v4/smart/parse", "application/json", []byte(`{"pdf_url":"http://[::1"}`))
	f.Add("/v4/smart/parse", "application/x-www-form-urlencoded", []byte("pdf_url=%zz"))
	f.Add("/v4/smart/parse", "text/plain; =", []byte{0})
	vendor := sandbox.New(sandbox.Options{APIKey: key, Credits: sandbox.Unlimited, RateLimit: sandbox.Unlimited})
	f.Fuzz(func(t *testing.T, path, contentType string, body []byte) {
		switch path {
		case "/v4/smart/parse", "/v4/cdsl/parse", "/v4/contract_note/parse":
		default:
			path = "/v4/nsdl/parse"
		}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, bytes.NewReader(body))
		r.Header.Set("x-api-key", key)
		r.Header.Set("Content-Type", contentType)
		w := httptest.NewRecorder()
		vendor.ServeHTTP(w, r)
		if w.Code >= 500 || !json.Valid(w.Body.Bytes()) {
			t.Fatalf("got %d %q, want JSON and a status below 500", w.Code, w.Body)
		}
	})
}
