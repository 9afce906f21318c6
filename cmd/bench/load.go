package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// The claims and the key of the users' JWTs.
const (
	jwtIssuer   = "https://app.example"
	jwtAudience = "casbroker"
	jwtSecret   = "Kq3vTz8mWx5rLb9nHc2yPd7sGj4fUe6aRwQh" //nolint:gosec // of this program
)

// figures are the result of one measurement.
type figures struct {
	perSecond float64
	p50, p99  time.Duration
}

// tokens returns n different JWTs of users 0 to users-1 in turn.
func tokens(n, users int) ([]string, error) {
	now := time.Now()
	list := make([]string, n)
	for i := range list {
		claims := jwt.RegisteredClaims{
			Issuer: jwtIssuer, Audience: jwt.ClaimStrings{jwtAudience}, Subject: "user-" + strconv.Itoa(i%users),
			ID: strconv.Itoa(i), IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(time.Hour)),
		}
		text, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(jwtSecret))
		if err != nil {
			return nil, err
		}
		list[i] = text
	}
	return list, nil
}

// requests returns the i-th request, for which it may use out, and a body that follows.
type requests func(out []byte, i int64) (request, body []byte)

// tokenRequests are requests for access tokens, with the JWTs in turn.
func tokenRequests(jwts []string) requests {
	return func(out []byte, i int64) (request, body []byte) {
		out = append(out[:0], "POST /v1/token HTTP/1.1\r\nHost: broker\r\nContent-Length: 0\r\nAuthorization: Bearer "...)
		out = append(out, jwts[i%int64(len(jwts))]...)
		return append(out, "\r\n\r\n"...), nil
	}
}

// load sends n requests over several connections. It fails unless every answer is 200 or 201.
func load(ctx context.Context, address string, list requests, n, connections int) (figures, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	times := make([][]time.Duration, connections)
	var all sync.WaitGroup
	start := time.Now()
	for i := range connections {
		all.Go(func() {
			var err error
			if times[i], err = request(ctx, address, list, &next, int64(n)); err != nil {
				cancel(err)
			}
		})
	}
	all.Wait()
	took := time.Since(start)
	if err := context.Cause(ctx); err != nil {
		return figures{}, err
	}
	every := slices.Concat(times...)
	slices.Sort(every)
	return figures{float64(len(every)) / took.Seconds(), every[len(every)/2], every[len(every)*99/100]}, nil
}

// request sends requests on one connection until next reaches n, and returns their
// durations.
func request(ctx context.Context, address string, list requests, next *atomic.Int64, n int64) ([]time.Duration, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Minute))
	in := bufio.NewReader(conn)
	var times []time.Duration
	out := make([]byte, 0, 4<<10)
	for i := next.Add(1) - 1; i < n && ctx.Err() == nil; i = next.Add(1) - 1 {
		head, body := list(out, i)
		start := time.Now()
		if _, err := conn.Write(head); err != nil {
			return nil, err
		}
		if len(body) > 0 {
			if _, err := conn.Write(body); err != nil {
				return nil, err
			}
		}
		if err := readAnswer(in); err != nil {
			return nil, err
		}
		times = append(times, time.Since(start))
	}
	return times, nil
}

var (
	statusOK      = []byte("HTTP/1.1 20") // 200 and 201
	contentLength = []byte("content-length:")
)

// readAnswer reads one answer; it parses only the status and the length.
func readAnswer(in *bufio.Reader) error {
	status, err := in.ReadSlice('\n')
	if err != nil {
		return err
	}
	ok, first := bytes.HasPrefix(status, statusOK), strings.TrimSpace(string(status))
	length := -1
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(line) <= 2 {
			break
		}
		if len(line) > len(contentLength) && bytes.EqualFold(line[:len(contentLength)], contentLength) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(line[len(contentLength):]))); err != nil {
				return err
			}
		}
	}
	if length < 0 {
		return errors.New("answer without Content-Length")
	}
	if !ok {
		body, _ := io.ReadAll(io.LimitReader(in, int64(length)))
		return fmt.Errorf("got %s: %s", first, body)
	}
	_, err = in.Discard(length)
	return err
}
