package main

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"time"
)

// The arguments that run a server instead of the benchmark; the address to listen on
// follows.
const (
	vendorCommand = "vendor"
	proxyCommand  = "proxy" // the URL of the vendor follows
)

// parsed is a small statement.
const parsed = `{"meta":{"cas_type":"CAMS_KFINTECH","statement_period":{"from":"2026-01-01","to":"2026-03-31"}},` +
	`"investor":{"name":"Asha Rao","email":"asha@mail.example"},"mutual_funds":[{"folio_number":"1/2","amc":"Sample","schemes":[` +
	`{"isin":"INFZ96K01AB8","name":"Sample Fund","type":"Equity","units":1.5,"nav":2,"value":3}],"value":3}],"summary":{"total_value":3}}`

// mintTime is how long the stub vendor takes for a token.
const mintTime = 300 * time.Millisecond

// serveVendor serves a vendor that reads each request and answers with little JSON.
func serveVendor(ctx context.Context, address string) error {
	buffers := sync.Pool{New: func() any { return new([64 << 10]byte) }}
	return serve(ctx, address, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		buffer := buffers.Get().(*[64 << 10]byte) //nolint:errcheck // of New
		_, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, r.Body, buffer[:])
		buffers.Put(buffer)
		if err != nil {
			return
		}
		w.Header().Set("Content-Type", "application/json")
		switch {
		case strings.HasSuffix(r.URL.Path, "/token"):
			<-time.After(mintTime)
			_, _ = io.WriteString(w, `{"access_token":"at_0123456789abcdefghijklmnop","token_type":"api_key","expires_in":3600}`)
		case r.Method == http.MethodPost && r.URL.Path == "/v4/inbound-email":
			w.WriteHeader(http.StatusCreated)
			_, _ = io.WriteString(w, `{"status":"success","inbound_email_id":"`+benchAddress+`","email":"x@mail.example"}`)
		case strings.HasSuffix(r.URL.Path, "/parse"):
			_, _ = io.WriteString(w, parsed)
		default:
			_, _ = io.WriteString(w, `{"status":"success","msg":"The statement is on its way."}`)
		}
	}))
}

// serveProxy serves a bare reverse proxy in front of vendor.
func serveProxy(ctx context.Context, address, vendor string) error {
	base, err := url.Parse(vendor)
	if err != nil {
		return err
	}
	return serve(ctx, address, &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(base) },
		Transport: &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true},
	})
}

// serve serves h on address until ctx ends.
func serve(ctx context.Context, address string, h http.Handler) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	s := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second}
	context.AfterFunc(ctx, func() { _ = s.Close() })
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
