package sandbox_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"casbroker/internal/sandbox"
)

func TestSmartParseDetectsTheSourceByContentThenByName(t *testing.T) {
	t.Parallel()
	c := start(t, sandbox.Options{})
	for _, tt := range []struct{ rule, name, content, want string }{
		{"CDSL by default", "statement.pdf", "", `"cas_type":"CDSL"`},
		{"file name", "my-NSDL-2025.pdf", "", `"cas_type":"NSDL"`},
		{"content, ignoring case", "statement.pdf", "Source: Cams", `"to":"2026-09-30"},"generated_at"`},
		{"content before file name", "nsdl.pdf", "source: KFINTECH", `"from":"2026-01-01"`},
	} {
		for _, field := range []string{"pdf_file", "file"} {
			a := c.upload("/v4/smart/parse", field, tt.name, []byte("%PDF-1.7\n"+tt.content), "password", "secret")
			if a.status != 200 || !bytes.Contains(a.raw, []byte(tt.want)) {
				t.Errorf("%s, field %s: got %d %.80s, want 200 and %s", tt.rule, field, a.status, a.raw, tt.want)
			}
		}
	}
}

func TestPDFMayBeSentAsBase64OrURL(t *testing.T) {
	t.Parallel()
	now := newClock()
	c := start(t, sandbox.Options{Now: now.Now})
	pdf := c.call(http.MethodGet, "/_sandbox/samples/cams.pdf", "").raw
	c.call(http.MethodPost, "/v4/smart/parse", `{"pdf_file":"`+base64.StdEncoding.EncodeToString(pdf)+`","password":"x"}`).
		want(t, 200, "CAMS_KFINTECH", "2026-04-01")
	c.call(http.MethodPost, "/v4/smart/parse", `{"pdf_url":"https://files.example/kfintech-2025.pdf"}`).want(t, 200, "CAMS_KFINTECH", "2026-01-01")
	c.upload("/v4/smart/parse", "", "", nil, "pdf_url", c.url+"/_sandbox/samples/nsdl.pdf", "password", "x").want(t, 200, `"cas_type":"NSDL"`)
	for _, url := range []string{"cdsl.pdf", "ftp://a.example/cdsl.pdf", "https://a.example/page.html", "https://a.example/missing.pdf", "http://a.example/_sandbox/files/x/y.pdf"} {
		c.call(http.MethodPost, "/v4/smart/parse", `{"pdf_url":"`+url+`"}`).want(t, 400, `"code":"INVALID_PDF"`)
	}
}

func TestInvalidUploadGetsTheDocumentedError(t *testing.T) {
	t.Parallel()
	c := start(t, sandbox.Options{})
	big := append([]byte("%PDF-1.4\n"), make([]byte, 10<<20)...)
	full := big[:10<<20]
	const smart = "/v4/smart/parse"
	c.upload(smart, "pdf_file", "a.pdf", []byte("MZ not a pdf")).want(t, 400, `"status":"failed"`, `"code":"INVALID_PDF"`)
	c.upload(smart, "pdf_file", "a.pdf", nil).want(t, 400, `"code":"INVALID_PDF"`)
	c.upload(smart, "pdf_file", "a.pdf", plain, "password", "wrong").want(t, 400, `"code":"INVALID_PASSWORD"`)
	c.upload(smart, "", "", nil, "password", "x").want(t, 400, `"status":"failed"`, "pdf_file or pdf_url")
	c.upload(smart, "pdf_file", "a.pdf", big).want(t, 400, `"code":"FILE_TOO_LARGE"`)
	c.upload(smart, "pdf_file", "a.pdf", full).want(t, 200)
	c.call(http.MethodPost, smart, `{"pdf_file":"!!"}`).want(t, 400, `"code":"INVALID_PDF"`)
	c.call(http.MethodPost, smart, `{"pdf_file":"`+base64.StdEncoding.EncodeToString(big)+`"}`).want(t, 400, `"code":"FILE_TOO_LARGE"`)
	c.call(http.MethodPost, smart, `[]`).want(t, 400, `"status":"failed"`)
	c.upload("/v4/nsdl/parse", "pdf_file", "a.pdf", []byte("%PDF-1.4 CDSL")).want(t, 400, `"code":"UNSUPPORTED_FORMAT"`)
	c.upload("/v4/cams_kfintech/parse", "pdf_file", "a.pdf", []byte("%PDF-1.4 kfintech")).want(t, 200, "CAMS_KFINTECH")

	newer := start(t, sandbox.Options{PasswordStatus: 422})
	newer.upload(smart, "pdf_file", "a.pdf", plain, "password", "wrong").want(t, 422, `"code":"INVALID_PASSWORD"`)
}

func TestTooLargeJSONBodyIsRejected(t *testing.T) {
	t.Parallel()
	c := start(t, sandbox.Options{})
	a, err := c.send(http.MethodPost, "/v4/generate", "application/json", strings.NewReader(`{"email":"`+strings.Repeat("a", 1<<20)))
	if err != nil {
		t.Fatal(err)
	}
	a.want(t, 400, `"code":"FILE_TOO_LARGE"`)
}

func TestContractNoteNamesItsBroker(t *testing.T) {
	t.Parallel()
	c := start(t, sandbox.Options{})
	note := func(values ...string) answer {
		return c.upload("/v4/contract_note/parse", "pdf_file", "note.pdf", plain, values...)
	}
	note("password", "p").want(t, 200, `"status":"success"`, `"broker_type":"unknown"`, `"INEZ01A01014"`)
	note("password", "p", "broker_type", "groww").want(t, 200, `"broker_type":"groww"`)
	note("password", "p", "broker_type", "unknown-broker").want(t, 400, `"code":"UNSUPPORTED_FORMAT"`)
	note().want(t, 400, `"msg":"password is required"`)
	note("password", "wrong").want(t, 400, `"code":"INVALID_PASSWORD"`)
	c.upload("/v4/contract_note/parse", "", "", nil).want(t, 400)
}

func TestGenerateValidatesTheRequestOnBothPaths(t *testing.T) {
	t.Parallel()
	c := start(t, sandbox.Options{})
	const valid = `{"email":"asha@example.com","from_date":"2025-01-01","to_date":"2025-09-30","password":"p","pan_no":"ZZZPV0000A"}`
	for _, path := range []string{"/v4/generate", "/v4/kfintech/generate"} {
		c.call(http.MethodPost, path, valid).want(t, 200, `"status":"success"`, `"msg":`)
		for from, to := range map[string]string{"asha@example.com": "", "2025-09-30": "2024-09-30", `"p"`: `""`, "ZZZPV0000A": "AAA"} {
			c.call(http.MethodPost, path, strings.Replace(valid, from, to, 1)).want(t, 400, `"status":"failed"`)
		}
	}
}

func TestCanceledParseIsNotCharged(t *testing.T) {
	t.Parallel()
	c := start(t, sandbox.Options{ParseDelay: time.Hour})
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	r := httptest.NewRequestWithContext(canceled, http.MethodPost, "/v4/smart/parse", strings.NewReader(`{"pdf_url":"https://a.example/cdsl.pdf"}`))
	r.Header.Set("x-api-key", key)
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	c.vendor.ServeHTTP(w, r)
	if w.Code != http.StatusGatewayTimeout {
		t.Errorf("got status %d, want 504", w.Code)
	}
	c.call(http.MethodPost, "/v1/credits", "").want(t, 200, `"used":0`)
}

func TestConcurrentParsesCannotOverspendCredits(t *testing.T) {
	t.Parallel()
	c := start(t, sandbox.Options{Credits: 5})
	var parsed atomic.Int32
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			a, err := c.send(http.MethodPost, "/v4/smart/parse", "application/json", strings.NewReader(`{"pdf_url":"https://a.example/cdsl.pdf"}`))
			if err != nil {
				t.Error(err)
			}
			if a.status == http.StatusOK {
				parsed.Add(1)
			}
		})
	}
	all.Wait()
	if got := parsed.Load(); got != 5 {
		t.Errorf("got %d parses for 5 credits, want 5", got)
	}
	c.call(http.MethodPost, "/v1/credits", "").want(t, 200, `"remaining":0`)
}
