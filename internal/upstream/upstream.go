// Package upstream is the client of the CAS Parser API. It sees to what every
// call needs: the API key, deadlines, retries with backoff, a breaker that spares
// a vendor in trouble, and a limit on what is read. Each failure comes back as a
// fault that says what to do and never holds the key. What the answers are used
// for is left to the rooms.
package upstream

import (
	"cmp"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"

	"casbroker/internal/secret"
)

// Options says how to reach the vendor. Zero values mean the defaults given here;
// URL and APIKey have none.
type Options struct {
	URL    string      // http or https, such as "https://api.casparser.in"; a user and password in it are dropped
	APIKey secret.Text // sent as x-api-key

	Timeout  time.Duration // of one attempt, connect to last byte; 10 s, as the vendor advises
	Deadline time.Duration // of a call with all its attempts and pauses; 25 s
	Attempts int           // of one call, the first included; 3
	Backoff  Backoff
	Breaker  Breaker

	Transport http.RoundTripper // nil means one of the client's own
	Now       func() time.Time  // nil means time.Now
	Log       *slog.Logger      // nil means none
	// Observe is told how each attempt ended and how long it took, if it is set:
	// "ok", "refused", "rate_limited", "failed", "timeout", "unreachable",
	// "bad_answer", "canceled" or "breaker_open".
	Observe func(outcome string, d time.Duration)
}

// Backoff is the pause between attempts: about Base before the second, doubling
// up to Max, each half as long or half as long again by chance.
type Backoff struct {
	Base time.Duration // 250 ms
	Max  time.Duration // 4 s
}

// Breaker says when the vendor is left alone.
type Breaker struct {
	Failures int           // in a row, after which nothing is sent; 5
	OpenFor  time.Duration // until one call may try again; 30 s
}

// Client calls the vendor. It is safe for concurrent use.
type Client struct {
	opts    Options
	base    *url.URL // nil when Options.URL is none
	http    *http.Client
	breaker *gobreaker.CircuitBreaker[answer]
	opened  atomic.Int64 // when the breaker last opened, in unix milliseconds
	last    atomic.Pointer[lastCall]
}

// New returns a client; it sends nothing yet.
func New(o Options) *Client {
	o.Timeout = cmp.Or(o.Timeout, 10*time.Second)
	o.Deadline = cmp.Or(o.Deadline, 25*time.Second)
	o.Attempts = cmp.Or(max(o.Attempts, 0), 3)
	o.Backoff.Base = cmp.Or(o.Backoff.Base, 250*time.Millisecond)
	o.Backoff.Max = cmp.Or(o.Backoff.Max, 4*time.Second)
	o.Breaker.Failures = cmp.Or(o.Breaker.Failures, 5)
	o.Breaker.OpenFor = cmp.Or(o.Breaker.OpenFor, 30*time.Second)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Observe == nil {
		o.Observe = func(string, time.Duration) {}
	}
	if o.Transport == nil {
		o.Transport = newTransport()
	}
	c := &Client{opts: o, base: baseURL(o.URL), http: &http.Client{
		Transport: o.Transport,
		// The key must not travel to wherever an answer points.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	c.breaker = c.newBreaker()
	return c
}

func baseURL(s string) *url.URL {
	u, err := url.Parse(strings.TrimRight(s, "/"))
	if err != nil || u.Host == "" {
		return nil
	}
	u.User = nil // it would be in every error of the transport
	return u
}

func newTransport() *http.Transport {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		TLSHandshakeTimeout:    5 * time.Second,
		ForceAttemptHTTP2:      true,
		MaxIdleConnsPerHost:    16, // all calls go to one host; the default keeps 2
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: maxAnswer,
	}
}
