package gateway

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Sizes of the buffers through which bodies are copied, in bytes. With uploadBuffer, an upload
// takes 15 % less processor time than with the 32 KiB of package net.
const (
	copyBuffer   = 64 << 10 // answers
	uploadBuffer = 256 << 10
)

// Vendor is the server that calls are passed on to. It is safe for concurrent use.
type Vendor struct {
	// OnDate is called with the vendor's clock, to the second, and when it had the whole request;
	// nil for none. It is set before the first call, like Now, which is time.Now by default.
	OnDate func(date, asked time.Time)
	Now    func() time.Time
	// SendTrace has the vendor get the ids of traces. It is set before the first call.
	SendTrace bool

	base      *url.URL
	transport http.RoundTripper
	buffers   bufferPool
	calls     calls
}

// NewVendor returns the vendor at address, such as "https://api.casparser.in". It does not
// contact it.
func NewVendor(address string) (*Vendor, error) {
	base, err := url.Parse(strings.TrimRight(address, "/"))
	if err != nil || base.Host == "" {
		return nil, fmt.Errorf("want the URL of the vendor")
	}
	base.User = nil
	v := &Vendor{base: base, Now: time.Now}
	v.transport = once{v, &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            dial,
		TLSHandshakeTimeout:    5 * time.Second,
		ForceAttemptHTTP2:      true,
		DisableCompression:     true, // the answer is passed on as it comes
		MaxIdleConnsPerHost:    64,
		IdleConnTimeout:        30 * time.Second, // short: a call on a connection that the vendor just closed fails
		MaxResponseHeaderBytes: 64 << 10,
	}}
	return v, nil
}

var dialer = net.Dialer{Timeout: 5 * time.Second}

// dial connects to the vendor, or to the proxy before it.
func dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := dialer.DialContext(ctx, network, address)
	if tcp, ok := conn.(*net.TCPConn); ok {
		return uploadConn{tcp}, nil
	}
	return conn, err
}

// uploadConn is a connection to which http.Transport copies bodies through buffers of
// uploadBuffer bytes. Its WriteBufferSize does not do that. With TLS, bodies do not come here.
type uploadConn struct{ *net.TCPConn }

var uploadBuffers = sync.Pool{New: func() any { return new([uploadBuffer]byte) }}

// ReadFrom copies r to the connection.
func (c uploadConn) ReadFrom(r io.Reader) (int64, error) {
	buffer := uploadBuffers.Get().(*[uploadBuffer]byte) //nolint:errcheck // the pool holds nothing else
	defer uploadBuffers.Put(buffer)
	return io.CopyBuffer(struct{ io.Writer }{c.TCPConn}, r, buffer[:])
}

// url returns the address of path, with query.
func (v *Vendor) url(path string, query url.Values) *url.URL {
	return &url.URL{Scheme: v.base.Scheme, Host: v.base.Host, Path: v.base.Path + path, RawQuery: query.Encode()}
}

// once is a RoundTripper for ReverseProxy that passes on neither informational answers
// (1xx) nor trailers, which could have any header. Redirects are not followed.
type once struct {
	vendor *Vendor
	next   *http.Transport
}

// RoundTrip sends r once. It hides the context's values from the transport: ReverseProxy
// puts a function there that passes informational answers on.
func (o once) RoundTrip(r *http.Request) (*http.Response, error) {
	var asked atomic.Pointer[time.Time]
	note := func() {
		now := o.vendor.Now()
		asked.Store(&now)
	}
	note()
	wrote := func(httptrace.WroteRequestInfo) { note() }
	ctx := httptrace.WithClientTrace(withoutValues{r.Context()}, &httptrace.ClientTrace{WroteRequest: wrote})
	res, err := o.next.RoundTrip(r.WithContext(traceSending(ctx, r.Context())))
	if err != nil {
		return nil, err
	}
	o.vendor.readDate(res.Header, *asked.Load())
	answer := *res // trailers are later added to res only
	answer.Trailer = nil
	return &answer, nil
}

// readDate passes the vendor's clock on. An answer from a cache says nothing of it.
func (v *Vendor) readDate(header http.Header, asked time.Time) {
	if v.OnDate == nil || header.Get("Age") != "" {
		return
	}
	if date, err := http.ParseTime(header.Get("Date")); err == nil {
		v.OnDate(date, asked)
	}
}

// CloseIdleConnections closes the connections that no call uses.
func (o once) CloseIdleConnections() { o.next.CloseIdleConnections() }

// withoutValues is a context that ends with another but has none of its values.
type withoutValues struct{ context.Context }

// Value returns nil.
func (withoutValues) Value(any) any { return nil }

// bufferPool is an httputil.BufferPool.
type bufferPool struct{ pool sync.Pool }

// Get returns a buffer of copyBuffer bytes.
func (p *bufferPool) Get() []byte {
	if b, ok := p.pool.Get().(*[copyBuffer]byte); ok {
		return b[:]
	}
	return make([]byte, copyBuffer)
}

// Put gives a buffer of Get back.
func (p *bufferPool) Put(b []byte) { p.pool.Put((*[copyBuffer]byte)(b)) }
