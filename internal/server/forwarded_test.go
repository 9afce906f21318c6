package server_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/labstack/echo/v4"

	"casbroker/internal/server"
)

// proxied sends GET /ip from peer, and returns the address that the router saw.
func proxied(t *testing.T, r http.Handler, peer string, forwarded ...string) string {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/ip", http.NoBody)
	req.RemoteAddr = peer
	req.Header["X-Forwarded-For"] = forwarded
	req.Header.Set("X-Real-IP", "203.0.113.9")
	w := httptest.NewRecorder()
	r.ServeHTTP(w, req)
	return w.Body.String()
}

var showAddress = getRoutes{"/ip": func(c echo.Context) error { return c.String(200, c.RealIP()) }}

func behind(o server.Options, trusted ...string) server.Options {
	for _, p := range trusted {
		o.TrustedProxies = append(o.TrustedProxies, netip.MustParsePrefix(p))
	}
	return o
}

func TestForwardedAddressIsTrustedOnlyFromTrustedProxies(t *testing.T) {
	t.Parallel()
	const forged, proxy = "203.0.113.9", "127.0.0.1:4711"
	local := []string{"127.0.0.0/8"}
	for name, c := range map[string]struct {
		trusted []string
		peer    string
		forward []string
		want    string
		ignored string
	}{
		"no header":                        {local, proxy, nil, "127.0.0.1", ""},
		"no proxy is trusted":              {nil, proxy, []string{forged}, "127.0.0.1", server.UntrustedPeer},
		"another network is trusted":       {[]string{"10.0.0.0/8"}, proxy, []string{forged}, "127.0.0.1", server.UntrustedPeer},
		"the proxy is trusted":             {local, proxy, []string{"198.51.100.7"}, "198.51.100.7", ""},
		"the caller forged an address":     {local, proxy, []string{forged + ", 198.51.100.7"}, "198.51.100.7", ""},
		"the caller forged a header":       {local, proxy, []string{forged, "198.51.100.7"}, "198.51.100.7", ""},
		"two trusted proxies in a row":     {[]string{"127.0.0.0/8", "10.0.0.0/8"}, proxy, []string{"198.51.100.7, 10.1.2.3"}, "198.51.100.7", ""},
		"only trusted proxies":             {[]string{"127.0.0.0/8", "10.0.0.0/8"}, proxy, []string{"10.1.2.4, 10.1.2.3"}, "10.1.2.4", ""},
		"an address with a port":           {local, proxy, []string{"203.0.113.7:17085"}, "203.0.113.7", ""},
		"an IPv6 address with a port":      {local, proxy, []string{"[2001:db8::1]:47011"}, "2001:db8::1", ""},
		"an IPv6 address in brackets":      {local, proxy, []string{"[2001:db8::1]"}, "2001:db8::1", ""},
		"an IPv6 address":                  {local, proxy, []string{"2001:db8::1"}, "2001:db8::1", ""},
		"ports of proxies, too":            {[]string{"127.0.0.0/8", "10.0.0.0/8"}, proxy, []string{"198.51.100.7:1, 10.1.2.3:2"}, "198.51.100.7", ""},
		"IPv4 in IPv6":                     {local, "[::ffff:127.0.0.1]:1", []string{"::ffff:198.51.100.7"}, "198.51.100.7", ""},
		"a network of IPv4 in IPv6":        {[]string{"::ffff:127.0.0.0/104"}, proxy, []string{"198.51.100.7"}, "198.51.100.7", ""},
		"a trailing comma":                 {local, proxy, []string{"198.51.100.7,"}, "198.51.100.7", ""},
		"empty items":                      {local, proxy, []string{" , 198.51.100.7 ,, "}, "198.51.100.7", ""},
		"an empty header":                  {local, proxy, []string{""}, "127.0.0.1", ""},
		"an unreadable item":               {local, proxy, []string{"198.51.100.7, unknown"}, "127.0.0.1", server.UnreadableItem},
		"unreadable before a trusted one":  {[]string{"127.0.0.0/8", "10.0.0.0/8"}, proxy, []string{"_hidden, 10.1.2.3"}, "10.1.2.3", server.UnreadableItem},
		"unreadable, where it is no proof": {local, proxy, []string{"unknown, 198.51.100.7"}, "198.51.100.7", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ignored := ""
			o := behind(server.Options{OnForwardedIgnored: func(reason string) { ignored += reason }}, c.trusted...)
			if got := proxied(t, newRouter(o, showAddress), c.peer, c.forward...); got != c.want || ignored != c.ignored {
				t.Errorf("got %s and %q, want %s and %q", got, ignored, c.want, c.ignored)
			}
		})
	}
}

func TestIgnoredForwardedAddressIsLoggedOnceAMinuteAndCounted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		counts := map[string]int{}
		o := behind(server.Options{
			Log:                slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn})),
			OnForwardedIgnored: func(reason string) { counts[reason]++ },
		}, "10.0.0.0/8")
		r := newRouter(o, showAddress)
		send := func(times int) {
			for i := range times {
				proxied(t, r, "172.18.0.1:999", fmt.Sprintf("198.51.100.%d", i))
				proxied(t, r, "10.0.0.1:999", "<script>")
			}
		}
		lines := func(text string) int { return strings.Count(log.String(), text) }
		send(100)
		if lines("server.trusted_proxies") != 2 || lines("peer=172.18.0.1:999") != 1 || lines("peer=10.0.0.1:999") != 1 || lines("script")+lines("198.51") != 0 {
			t.Errorf("got the log\n%s\nwant one line for each reason, without what the header says", log.String())
		}
		<-time.After(time.Minute - time.Second)
		send(1)
		if lines("peer=") != 2 {
			t.Errorf("got %d lines within a minute, want 2", lines("peer="))
		}
		<-time.After(2 * time.Second)
		send(1)
		if lines("peer=") != 4 {
			t.Errorf("got %d lines after a minute, want 4", lines("peer="))
		}
		if counts[server.UntrustedPeer] != 102 || counts[server.UnreadableItem] != 102 {
			t.Errorf("got %v, want each request counted", counts)
		}
	})
}
