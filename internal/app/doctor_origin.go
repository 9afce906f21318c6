package app

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"

	"casbroker/internal/server"
	"casbroker/web"
)

// origin asks, as a browser does before it lets a page of origin call the broker. "" is no
// page.
func (d *doctor) origin(ctx context.Context, origin string) {
	const check = "cors"
	if origin == "" {
		return
	}
	remedy := fmt.Sprintf("add it to server.allowed_origins, exactly as browsers send it: %s", origin)
	router := server.NewRouter(server.Options{
		Log: newLog(d.read, io.Discard), OpenAPI: web.OpenAPI, AllowedOrigins: d.read.Server.AllowedOrigins, AllowedHeaders: d.read.Server.AllowedHeaders,
		PublicURL: d.read.Server.PublicURL, NoCORS: noCORSPaths, AllowCookies: d.read.Auth.Cookie != "",
	})
	req, err := http.NewRequestWithContext(ctx, http.MethodOptions, "http://"+d.read.Server.Address+"/v1/token", http.NoBody)
	if err != nil {
		d.add(check, FindingFault, err.Error(), "correct server.address")
		return
	}
	req.RemoteAddr = "127.0.0.1:1"
	req.Header.Set("Origin", origin)
	req.Header.Set("Access-Control-Request-Method", http.MethodPost)
	req.Header.Set("Access-Control-Request-Headers", "authorization,content-type")
	answer := &headerOnly{header: http.Header{}}
	router.ServeHTTP(answer, req)
	if got := answer.header.Get("Access-Control-Allow-Origin"); got != origin {
		d.add(check, FindingFault, fmt.Sprintf("Browsers refuse pages of %s.", origin), remedy)
		return
	}
	d.add(check, FindingOK, fmt.Sprintf("Browsers let pages of %s call the broker.", origin), "")
}

// headerOnly is an http.ResponseWriter that keeps the header.
type headerOnly struct{ header http.Header }

func (h *headerOnly) Header() http.Header         { return h.header }
func (h *headerOnly) Write(b []byte) (int, error) { return len(b), nil }
func (h *headerOnly) WriteHeader(int)             {}

// proxies checks whose headers say where a request is from.
func (d *doctor) proxies() {
	const check = "proxy"
	s := d.read.Server
	wide := func(network string) bool { return network == "0.0.0.0/0" || network == "::/0" }
	switch {
	case slices.ContainsFunc(s.TrustedProxies, wide):
		d.add(check, FindingWarning, "Any caller may say which address it has, and evades limits per address.", "list only your proxies' networks in server.trusted_proxies")
	case s.PublicURL != "" && len(s.TrustedProxies) == 0:
		d.add(check, FindingWarning, "The broker is behind a proxy (server.public_url), but trusts none: all callers have the proxy's address, and share its limits.",
			"list the proxy's network in server.trusted_proxies, and have it send X-Forwarded-For")
	default:
		d.add(check, FindingOK, "X-Forwarded-For counts from the networks in server.trusted_proxies only.", "")
	}
}
