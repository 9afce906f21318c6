package httpapi_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"casbroker/internal/httpapi"
)

// serveBodies serves handle with bodies timed by rate, over HTTP/1.1 and HTTP/2 without TLS.
func serveBodies(t *testing.T, rate httpapi.BodyRate, handle http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 {
			r.Body = rate.Body(w, r)
		}
		handle(w, r)
	}))
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetHTTP1(true)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Config.ReadTimeout = time.Minute
	s.Start()
	t.Cleanup(s.Close)
	return s
}

// readAll answers with the length of the body, or 408 if that is too slow.
func readAll(w http.ResponseWriter, r *http.Request) {
	n, err := io.Copy(io.Discard, r.Body)
	switch {
	case errors.Is(err, httpapi.ErrBodyTooSlow):
		w.WriteHeader(http.StatusRequestTimeout)
	case err != nil:
		w.WriteHeader(http.StatusBadRequest)
	default:
		_, _ = fmt.Fprint(w, n)
	}
}

// clients are one of each protocol.
func clients() map[string]*http.Client {
	one, two := new(http.Protocols), new(http.Protocols)
	one.SetHTTP1(true)
	two.SetUnencryptedHTTP2(true)
	return map[string]*http.Client{
		"HTTP/1.1": {Transport: &http.Transport{Protocols: one}},
		"HTTP/2":   {Transport: &http.Transport{Protocols: two}},
	}
}

// post sends body and returns the status and the answer.
func post(ctx context.Context, client *http.Client, address string, body io.Reader) (int, string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, body)
	if err != nil {
		return 0, "", err
	}
	res, err := client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	return res.StatusCode, string(text), err
}

// dripping is a body of which one piece arrives at each interval, n in all.
type dripping struct {
	piece string
	every time.Duration
	n     int
}

func (d *dripping) Read(p []byte) (int, error) {
	if d.n == 0 {
		return 0, io.EOF
	}
	d.n--
	<-time.After(d.every)
	return copy(p, d.piece), nil
}

func TestBodyThatStopsIsRefused(t *testing.T) {
	t.Parallel()
	s := serveBodies(t, httpapi.BodyRate{Least: 1 << 10, Grace: 100 * time.Millisecond}, readAll)
	for protocol, client := range clients() {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			stopped, end := io.Pipe()
			defer func() { _ = end.Close() }()
			go func() { _, _ = io.WriteString(end, "the start") }()
			if status, _, err := post(t.Context(), client, s.URL, stopped); err != nil || status != http.StatusRequestTimeout {
				t.Errorf("got %d, %v, want 408", status, err)
			}
		})
	}
}

func TestBodyBelowTheLeastRateIsRefused(t *testing.T) {
	t.Parallel()
	s := serveBodies(t, httpapi.BodyRate{Least: 1 << 20, Grace: 100 * time.Millisecond}, readAll)
	for protocol, client := range clients() {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			// 1 KiB each 10 ms is a tenth of the rate; all of it would take longer than a test may.
			body := &dripping{strings.Repeat("x", 1<<10), 10 * time.Millisecond, 1_000_000}
			status, _, err := post(t.Context(), client, s.URL, body)
			if err != nil || status != http.StatusRequestTimeout {
				t.Errorf("got %d, %v, want 408", status, err)
			}
		})
	}
}

func TestBodyAtTheLeastRateIsRead(t *testing.T) {
	t.Parallel()
	s := serveBodies(t, httpapi.BodyRate{Least: 1, Grace: 10 * time.Second}, readAll)
	for protocol, client := range clients() {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			for _, body := range []io.Reader{&dripping{"pieces", time.Millisecond, 50}, strings.NewReader(strings.Repeat("pieces", 50))} {
				if status, text, err := post(t.Context(), client, s.URL, body); err != nil || status != http.StatusOK || text != "300" {
					t.Errorf("got %d %q, %v, want all 300 bytes read", status, text, err)
				}
			}
		})
	}
}

func TestBodyOfAnyRateHasATimeout(t *testing.T) {
	t.Parallel()
	s := serveBodies(t, httpapi.BodyRate{Timeout: 100 * time.Millisecond}, readAll)
	for protocol, client := range clients() {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			if status, _, err := post(t.Context(), client, s.URL, &dripping{"x", 10 * time.Millisecond, 300}); err != nil || status != http.StatusRequestTimeout {
				t.Errorf("got %d, %v, want 408", status, err)
			}
		})
	}
}

func TestTimeOfTheHandlerIsNotTheSenders(t *testing.T) {
	t.Parallel()
	const grace = 50 * time.Millisecond
	s := serveBodies(t, httpapi.BodyRate{Least: 1 << 10, Grace: grace}, func(w http.ResponseWriter, r *http.Request) {
		_, err := io.CopyN(io.Discard, r.Body, 10)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		<-time.After(4 * grace) // such as while the vendor reads slowly
		readAll(w, r)
		<-time.After(4 * grace) // such as while the vendor works
		if r.Context().Err() != nil {
			t.Error("the request ended while it was handled")
		}
	})
	for protocol, client := range clients() {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			body := strings.Repeat("x", 200<<10)
			for range 2 { // on one connection
				if status, text, err := post(t.Context(), client, s.URL, strings.NewReader(body)); err != nil || text != fmt.Sprint(len(body)-10) {
					t.Errorf("got %d %q, %v, want all read", status, text, err)
				}
			}
		})
	}
}

func TestDeadlineOfABodyEndsWithIt(t *testing.T) {
	t.Parallel()
	const grace = 50 * time.Millisecond
	s := serveBodies(t, httpapi.BodyRate{Least: 1 << 10, Grace: grace}, readAll)
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	in := bufio.NewReader(conn)
	for range 3 {
		if _, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: broker\r\nContent-Length: 5\r\n\r\nhello"); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil || string(text) != "5" || res.Close {
			t.Errorf("got %q, %v, closed %t; want 5 on an open connection", text, err, res.Close)
		}
		<-time.After(2 * grace)
	}
}

func TestHandlerMayBoundTheTimeOfABody(t *testing.T) {
	t.Parallel()
	s := serveBodies(t, httpapi.BodyRate{Least: 1, Grace: time.Minute, Timeout: time.Minute}, func(w http.ResponseWriter, r *http.Request) {
		httpapi.SetReadDeadline(w, r.Body, time.Now().Add(100*time.Millisecond))
		readAll(w, r)
	})
	for protocol, client := range clients() {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			if status, _, err := post(t.Context(), client, s.URL, &dripping{"x", 10 * time.Millisecond, 300}); err != nil || status != http.StatusRequestTimeout {
				t.Errorf("got %d, %v, want 408", status, err)
			}
		})
	}
}

// drop answers after it has dropped its body with bounds, with an error of reading that.
func drop(most int64, within time.Duration) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, ok := r.Body.(*httpapi.TimedBody)
		if !ok {
			return
		}
		_ = body.Close()
		body.Drop(most, within)
		_, err := body.Read(make([]byte, 1))
		_, _ = fmt.Fprintf(w, "begun %t: %v", body.Begun(), err) //nolint:gosec // no page
	}
}

const afterDrop = "begun true: http: invalid Read on closed Body"

func TestDroppedBodyIsReadToItsEnd(t *testing.T) {
	t.Parallel()
	s := serveBodies(t, httpapi.BodyRate{Least: 1, Grace: time.Minute}, drop(32<<20, time.Minute))
	for protocol, client := range clients() {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			rest := strings.NewReader(strings.Repeat("x", 4<<20))
			if _, text, err := post(t.Context(), client, s.URL, rest); err != nil || text != afterDrop || rest.Len() > 0 {
				t.Errorf("got %q, %v and %d bytes unsent, want all sent", text, err, rest.Len())
			}
		})
	}
}

func TestDroppingABodyIsBounded(t *testing.T) {
	t.Parallel()
	for name, handle := range map[string]http.HandlerFunc{"bytes": drop(1<<10, time.Minute), "time": drop(1<<30, 100*time.Millisecond)} {
		s := serveBodies(t, httpapi.BodyRate{Least: 1, Grace: time.Minute, Timeout: time.Minute}, handle)
		for protocol, client := range clients() {
			t.Run(name+" "+protocol, func(t *testing.T) {
				t.Parallel()
				stopped, end := io.Pipe()
				defer func() { _ = end.Close() }()
				go func() { _, _ = io.WriteString(end, strings.Repeat("x", 1<<20)) }()
				if _, text, err := post(t.Context(), client, s.URL, stopped); err != nil || text != afterDrop {
					t.Errorf("got %q, %v, want an answer", text, err)
				}
			})
		}
	}
}

func TestReadBodyReportsASlowBody(t *testing.T) {
	t.Parallel()
	failed := make(chan error, 1)
	s := serveBodies(t, httpapi.BodyRate{Least: 1 << 10, Grace: 20 * time.Millisecond}, func(w http.ResponseWriter, r *http.Request) {
		_, err := httpapi.ReadBody[struct{}](w, r, httpapi.BodyRules{MaxBytes: 100, Secret: true})
		failed <- err
	})
	stopped, end := io.Pipe()
	defer func() { _ = end.Close() }()
	_, _, _ = post(t.Context(), s.Client(), s.URL, stopped)
	if err := <-failed; !errors.Is(err, httpapi.ErrBodyTooSlow) {
		t.Errorf("got %v, want ErrBodyTooSlow", err)
	}
}

func BenchmarkTimedBody(b *testing.B) {
	body := bytes.Repeat([]byte("x"), 64<<10)
	for name, rate := range map[string]httpapi.BodyRate{"none": {}, "16KiB": {Least: 16 << 10, Grace: 10 * time.Second, Timeout: time.Minute}} {
		b.Run(name, func(b *testing.B) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if rate.Least > 0 {
					r.Body = rate.Body(w, r)
				}
				readAll(w, r)
			}))
			defer s.Close()
			for b.Loop() {
				if status, _, err := post(b.Context(), s.Client(), s.URL, bytes.NewReader(body)); err != nil || status != http.StatusOK {
					b.Fatal(status, err)
				}
			}
		})
	}
}
