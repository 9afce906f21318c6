package services

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

var redis service

// Redis returns the URL of a Redis that all tests of this binary share: a test must use
// its own keys.
func Redis(t testing.TB) string {
	t.Helper()
	if url := os.Getenv("TEST_REDIS_URL"); url != "" {
		return url
	}
	path := need(t, "redis-server")
	return redis.get(t, func() (string, error) {
		r, err := startRedis(path)
		if err != nil {
			return "", err
		}
		return r.URL, nil
	})
}

// RedisProcess is a Redis of a single test, which may stop it.
type RedisProcess struct {
	URL     string // redis://127.0.0.1:port/0
	Port    string
	command []string

	process *process
}

// OwnRedis starts a Redis for this test only, with further arguments.
func OwnRedis(t testing.TB, args ...string) *RedisProcess {
	t.Helper()
	r, err := startRedis(need(t, "redis-server"), args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Stop)
	return r
}

// Stop ends the process and returns once its port is closed.
func (r *RedisProcess) Stop() {
	conn, err := net.Dial("tcp", "127.0.0.1:"+r.Port) //nolint:noctx // loopback
	if err != nil {
		return
	}
	_, _ = conn.Write([]byte("SHUTDOWN NOSAVE\r\n"))
	_, _ = conn.Read(make([]byte, 1)) // returns when Redis has exited
	_ = conn.Close()
}

// Start starts the process again, empty, on its old port.
func (r *RedisProcess) Start(t testing.TB) {
	t.Helper()
	if err := r.run(); err != nil {
		t.Fatal(err)
	}
}

// StartLoading starts the process again, without waiting until it has read its data.
func (r *RedisProcess) StartLoading(t testing.TB) {
	t.Helper()
	if err := r.launch(); err != nil {
		t.Fatal(err)
	}
}

// Ask sends commands on one connection and returns the last answer, with all its strings and
// numbers, each on a line of its own. It fails the test if one is refused.
func (r *RedisProcess) Ask(t testing.TB, commands ...string) string {
	t.Helper()
	answer, err := askRedis(r.Port, commands...)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// askRedis sends commands on one connection and returns the last answer.
func askRedis(port string, commands ...string) (answer string, err error) {
	conn, err := net.Dial("tcp", "127.0.0.1:"+port) //nolint:noctx // loopback
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	answers := bufio.NewReader(conn)
	for _, command := range commands {
		if _, err := io.WriteString(conn, command+"\r\n"); err != nil {
			return "", err
		}
		if answer, err = readRESP(answers); err != nil {
			return "", fmt.Errorf("%s: %w", command, err)
		}
	}
	return answer, nil
}

func startRedis(path string, args ...string) (*RedisProcess, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	r := &RedisProcess{URL: "redis://127.0.0.1:" + port + "/0", Port: port, command: append([]string{
		path, "--port", port, "--bind", "127.0.0.1",
		"--save", "", "--appendonly", "no", "--loglevel", "warning", "--logfile", "/dev/null",
	}, args...)}
	return r, r.run()
}

func (r *RedisProcess) launch() error {
	p, err := startProcess(nil, "TERM", "", r.command...)
	if err != nil {
		return err
	}
	r.process = p
	return nil
}

func (r *RedisProcess) run() error {
	if err := r.launch(); err != nil {
		return err
	}
	return waitFor("redis on port "+r.Port, func(ctx context.Context) error {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", "127.0.0.1:"+r.Port)
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close() }()
		_ = conn.SetDeadline(time.Now().Add(time.Second))
		if _, err := conn.Write([]byte("PING\r\n")); err != nil {
			return err
		}
		answer := make([]byte, 5)
		if _, err := conn.Read(answer); err != nil || string(answer) != "+PONG" {
			return errors.Join(err, fmt.Errorf("answered %q", answer))
		}
		return nil
	})
}

// waitFor calls ready until it returns nil, for half a minute at most.
func waitFor(what string, ready func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s did not start: %w", what, err)
		case <-tick.C:
		}
	}
}
