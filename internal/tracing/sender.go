package tracing

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
)

const (
	postTimeout = 10 * time.Second // of one post, from connect to last byte
	maxAnswer   = 64 << 10         // bytes of an answer that are read
)

// sender posts spans to the collector. One goroutine uses it; header may be replaced by others.
type sender struct {
	url      string
	header   atomic.Pointer[http.Header]
	resource *resourcepb.Resource
	client   *http.Client
	log      *slog.Logger
	failing  bool
}

// failure is why the collector has not taken spans.
type failure struct {
	cause error
	again bool          // it may take them later
	after time.Duration // how long it asked to wait; 0 if it did not
}

// Error returns the cause, without the URL.
func (f *failure) Error() string { return f.cause.Error() }

// post sends spans once, and returns how many of them the collector has rejected.
func (s *sender) post(ctx context.Context, spans []*Span) (rejected int, err error) {
	body, err := encode(s.resource, spans)
	if err != nil {
		return 0, fmt.Errorf("encode spans: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, postTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(body))
	if err != nil {
		return 0, errors.New("the URL cannot be used")
	}
	maps.Copy(req.Header, *s.header.Load())
	req.Header.Set("Content-Type", "application/x-protobuf")
	req.Header.Set("User-Agent", "casbroker")
	res, err := s.client.Do(req)
	if err != nil {
		if u, ok := errors.AsType[*url.Error](err); ok {
			err = u.Err
		}
		return 0, &failure{cause: err, again: true}
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if res.StatusCode/100 == 2 {
		return rejectedSpans(answer), err
	}
	f := &failure{cause: fmt.Errorf("HTTP %d", res.StatusCode)}
	switch res.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		f.again = true
		seconds, _ := strconv.Atoi(res.Header.Get("Retry-After")) // 0 for anything else
		f.after = time.Duration(min(max(seconds, 0), int(maxPause/time.Second))) * time.Second
	}
	return 0, f
}

// report logs that posts begin to fail, and that they work again.
func (s *sender) report(err error) {
	switch failing := err != nil; {
	case failing && !s.failing:
		s.log.Warn("traces cannot be sent; requests go on without", "error", err.Error())
	case !failing && s.failing:
		s.log.Info("traces are sent again")
	}
	s.failing = err != nil
}
