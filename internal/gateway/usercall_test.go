package gateway_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"casbroker/internal/fault"
	"casbroker/internal/gateway"
)

// userCall makes a call of the vendor for a user, without a token.
func (w *world) userCall(t *testing.T, contentType, body string) (gateway.Answer, [32]byte, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/statements", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", contentType)
	r.Header.Set("Authorization", "Bearer of.the.user")
	sum := sha256.New()
	a, err := w.handler.Call(nil, r, gateway.UserCall{
		Subject: "app:asha", RequestID: "req_1", Method: http.MethodPost, Path: gateway.ParsePath, Strict: true, Hash: sum,
	})
	return a, [32]byte(sum.Sum(nil)), err
}

func TestAddressOfAStatementIsPublicWhenItIsLookedUp(t *testing.T) {
	t.Parallel()
	hosts := map[string][]string{
		"files.example.com": {"93.184.216.34", "2606:2800:220:1::1"}, "rebound.example.com": {"93.184.216.34", "10.0.0.7"},
		"metadata.example.com": {"169.254.169.254"}, "mapped.example.com": {"::ffff:127.0.0.1"}, "empty.example.com": {},
	}
	w := newWorld(t, ok, func(h *gateway.Handler) {
		h.LookUp = func(_ context.Context, host string) (list []netip.Addr, err error) {
			for _, a := range hosts[host] {
				list = append(list, netip.MustParseAddr(a))
			}
			if hosts[host] == nil {
				err = errors.New("no such host")
			}
			return list, err
		}
	})
	if a, _, err := w.userCall(t, "application/json", `{"pdf_url":"https://files.example.com/a.pdf","password":"x"}`); err != nil || a.Status != 200 {
		t.Errorf("got %d, %v", a.Status, err)
	}
	before := w.requests.Load()
	for _, url := range []string{
		"http://files.example.com/a.pdf", "https://files.example.com:8443/a.pdf", "https://u:p@files.example.com/a.pdf",
		"https://rebound.example.com/a.pdf", "https://metadata.example.com/", "https://mapped.example.com/", "https://empty.example.com/",
		"https://unknown.example.com/", "https://10.0.0.1/", "https://[::1]/", "https://169.254.169.254/latest", "ftp://files.example.com/a.pdf",
	} {
		_, _, err := w.userCall(t, "application/json", `{"password":"x","pdf_url":"`+url+`"}`)
		if f, ok := errors.AsType[*fault.Fault](err); !ok || f.Code != "invalid_pdf_url" {
			t.Errorf("%.60s: got %v", url, err)
		}
	}
	if _, _, err := w.userCall(t, "application/json", `{"pdf_file":"JVBERi0x","pdf_url":"https://files.example.com/a.pdf"}`); err == nil {
		t.Error("two documents are accepted")
	}
	if after := w.requests.Load(); after != before {
		t.Errorf("the vendor got %d of these", after-before)
	}
	// The end of a long one is seen only after the vendor's request has begun, which is broken off.
	_, _, err := w.userCall(t, "application/json", `{"pdf_url":"https://files.example.com/`+strings.Repeat("a", 5000)+`"}`)
	if f, ok := errors.AsType[*fault.Fault](err); !ok || f.Code != "invalid_pdf_url" {
		t.Errorf("got %v for a long address", err)
	}
}

func TestHashOfAFormDoesNotDependOnItsBoundary(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		ok(rw, r)
	})
	form := func(boundary, pdf, password string) [32]byte {
		body := "--" + boundary + "\r\nContent-Disposition: form-data; name=\"pdf_file\"; filename=\"a.pdf\"\r\n\r\n%PDF-1.4" + pdf + "\r\n--" + boundary +
			"\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\n" + password + "\r\n--" + boundary + "--\r\n"
		a, sum, err := w.userCall(t, "multipart/form-data; boundary="+boundary, body)
		if err != nil || a.Status != 200 {
			t.Errorf("got %d, %v", a.Status, err)
		}
		return sum
	}
	large := strings.Repeat("0123456789", 50_000)
	first := form("one", large, "secret")
	if form("another", large, "secret") != first {
		t.Error("the boundary changes the hash")
	}
	if form("one", large+"1", "secret") == first || form("one", large, "other") == first {
		t.Error("another document or password has the same hash")
	}
	if got := w.lastRequest(); got.Header.Get("Authorization") != "" || got.Header.Get("X-Api-Key") != apiKey || got.Header.Get("X-Request-Id") != "req_1" {
		t.Errorf("the vendor got %v", got.Header)
	}
}
