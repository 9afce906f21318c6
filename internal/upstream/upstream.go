// Package upstream is the client of the CAS Parser API. Every call carries the API
// key and a request id, has a deadline, is retried with backoff, goes through a circuit
// breaker, and reads a bounded body. Errors are faults with a detail for the caller and a
// note for the operator; they never contain the key.
package upstream

import (
	"cmp"
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"casbroker/internal/apikey"
	"casbroker/internal/secret"
)

// Keys hands out API keys, at the pace that the vendor allows.
type Keys interface {
	// Take returns a key for one request, when it is its turn.
	Take(ctx context.Context, use apikey.Use) (*apikey.Key, error)
	// First returns the first key, whether it can be used or not, when it is its turn.
	First(ctx context.Context) (*apikey.Key, error)
}

// Options configures a Client. Zero values mean the defaults named here; URL has none.
type Options struct {
	URL    string      // http or https, such as "https://api.casparser.in"; user and password are dropped
	Keys   Keys        // sent as x-api-key
	APIKey secret.Text // the only key, if Keys is nil

	Timeout  time.Duration // of one attempt, from connect to last byte; 10 s, as the vendor advises
	Deadline time.Duration // of one call with all its attempts and pauses; 25 s
	Attempts int           // per call, including the first; 3
	Backoff  Backoff
	Breaker  Breaker

	SendTrace bool              // the vendor gets the ids of traces
	Transport http.RoundTripper // nil means a new one
	Now       func() time.Time  // nil means time.Now
	Log       *slog.Logger      // nil discards
	// OnDate is called with the vendor's clock, to the second, and when it was asked; nil for
	// not at all.
	OnDate func(date, asked time.Time)
	// Observe is called with the outcome and duration of each attempt; nil means not at
	// all. Outcomes are "ok", "refused", "rate_limited", "failed", "timeout",
	// "unreachable", "bad_answer", "canceled" and "breaker_open".
	Observe func(outcome string, d time.Duration)
}

// Backoff configures the pauses between attempts: Base before the second, doubling up
// to Max, each with 50% of jitter in both directions.
type Backoff struct {
	Base time.Duration // 250 ms
	Max  time.Duration // 4 s
}

// Breaker configures the circuit breaker.
type Breaker struct {
	Failures int           // in a row that open it; 5
	OpenFor  time.Duration // longest time until one call tests the vendor, after 1, 2, 4 … s; 30 s
}

// Client calls the vendor. It is safe for concurrent use.
type Client struct {
	opts   Options
	base   *url.URL // nil if Options.URL is invalid
	http   *http.Client
	health *Health
}

// New returns a client. It does not contact the vendor.
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
	if o.Keys == nil {
		o.Keys = apikey.Static(o.APIKey)
	}
	if o.Observe == nil {
		o.Observe = func(string, time.Duration) {}
	}
	if o.Transport == nil {
		o.Transport = newTransport()
	}
	c := &Client{opts: o, base: baseURL(o.URL), http: &http.Client{
		Transport: o.Transport,
		// A redirect must not carry the key to another host.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	c.health = newHealth(o.Breaker, o.Now, o.Log)
	return c
}

func baseURL(s string) *url.URL {
	u, err := url.Parse(strings.TrimRight(s, "/"))
	if err != nil || u.Host == "" {
		return nil
	}
	u.User = nil // the transport's errors would contain it
	return u
}

func newTransport() *http.Transport {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		TLSHandshakeTimeout:    5 * time.Second,
		ForceAttemptHTTP2:      true,
		MaxIdleConnsPerHost:    16, // all calls go to one host; the default is 2
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: maxBody,
	}
}
