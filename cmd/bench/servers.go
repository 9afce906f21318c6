package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// process is a server that is measured.
type process struct {
	address string
	cmd     *exec.Cmd
}

// spawn starts a server and waits until it listens on address.
func spawn(ctx context.Context, address string, environ []string, log string, name string, args ...string) (*process, error) {
	cmd := exec.CommandContext(ctx, name, args...) //nolint:gosec // our own programs
	cmd.Env = append(os.Environ(), environ...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	out, err := os.Create(log) //nolint:gosec // in our own temporary folder
	if err != nil {
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	_ = out.Close() // the child has its own
	for range 200 {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err == nil {
			return &process{address, cmd}, conn.Close()
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(50 * time.Millisecond):
		}
	}
	output, _ := os.ReadFile(log) //nolint:gosec // as above
	return nil, fmt.Errorf("%s does not listen on %s: %s", name, address, output)
}

// waitReady waits until the broker is ready: it listens before that.
func (p *process) waitReady(ctx context.Context) error {
	client := &http.Client{Timeout: time.Second}
	for range 200 {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.address+"/readyz", http.NoBody)
		if err != nil {
			return err
		}
		if res, err := client.Do(r); err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(100 * time.Millisecond):
		}
	}
	return fmt.Errorf("the broker at %s is not ready", p.address)
}

// stop ends the server and waits for it.
func (p *process) stop() {
	_ = p.cmd.Cancel()
	_ = p.cmd.Wait()
}

// memory returns the resident memory of the process in MB.
func (p *process) memory(ctx context.Context) float64 {
	out, err := exec.CommandContext(ctx, "ps", "-o", "rss=", "-p", strconv.Itoa(p.cmd.Process.Pid)).Output() //nolint:gosec // a number
	if err != nil {
		return 0
	}
	kb, _ := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
	return kb / 1024
}

// freeAddress returns an unused loopback address.
func freeAddress(ctx context.Context) (string, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// buildBroker builds the broker as make build does, or one that can write a CPU profile, and
// returns the path of the program, or that in BENCH_BROKER.
func buildBroker(ctx context.Context, folder string, profiled bool) (string, error) {
	if program := os.Getenv("BENCH_BROKER"); program != "" && !profiled {
		return program, nil
	}
	path := filepath.Join(folder, "broker")
	args := []string{"build", "-o", path, "-pgo=cmd/broker/broker.pgo", "./cmd/broker"}
	if profiled {
		args = []string{"build", "-o", path, "-trimpath", "-tags=profile", "./cmd/broker"}
	}
	out, err := exec.CommandContext(ctx, "go", args...).CombinedOutput() //nolint:gosec // ours
	if err != nil {
		return "", fmt.Errorf("build the broker: %w: %s", err, out)
	}
	return path, nil
}

// brokerEnvironment returns the settings of a broker in production.
// Limits per address and in total are raised, because one address sends the requests of all users.
func brokerEnvironment(address, folder, cache, vendor, apiKey string) []string {
	key := func(c string) string {
		return base64.StdEncoding.EncodeToString([]byte("benchmark-key-0123456789-" + c))
	}
	return []string{
		"CASBROKER_SERVER_ADDRESS=" + address,
		"CASBROKER_UPSTREAM_URL=" + vendor, "CASBROKER_UPSTREAM_KEYS_0_NAME=bench", "CASBROKER_UPSTREAM_KEYS_0_API_KEY=" + apiKey, "CASBROKER_UPSTREAM_KEYS_0_RATE=0",
		"CASBROKER_STORE_URL=sqlite:" + filepath.Join(folder, "broker.db"),
		"CASBROKER_CACHE_URL=" + cache,
		"CASBROKER_SEAL_HASH_KEY=" + key("abcdefg"), "CASBROKER_SEAL_KEYS_0_ID=k1", "CASBROKER_SEAL_KEYS_0_KEY=" + key("hijklmn"),
		"CASBROKER_AUTH_VERIFIERS_0_NAME=app", "CASBROKER_AUTH_VERIFIERS_0_ISSUER=" + jwtIssuer,
		"CASBROKER_AUTH_VERIFIERS_0_AUDIENCE=" + jwtAudience, "CASBROKER_AUTH_VERIFIERS_0_ALGORITHMS=HS256",
		"CASBROKER_AUTH_VERIFIERS_0_SECRET=" + jwtSecret,
		"CASBROKER_RATELIMIT_TOKEN_USER=1000-M",
		"CASBROKER_RATELIMIT_TOKEN_ADDRESS=100000000-M", "CASBROKER_RATELIMIT_TOKEN_ALL=100000000-M",
		"CASBROKER_RATELIMIT_UPLOAD_USER=", "CASBROKER_RATELIMIT_UPLOAD_ADDRESS=", "CASBROKER_RATELIMIT_UPLOAD_ALL=",
		"CASBROKER_RATELIMIT_SAVE_USER=", "CASBROKER_RATELIMIT_SAVE_ADDRESS=", "CASBROKER_RATELIMIT_SAVE_ALL=",
		"CASBROKER_RATELIMIT_READ_USER=", "CASBROKER_RATELIMIT_READ_ADDRESS=", "CASBROKER_RATELIMIT_READ_ALL=",
		"CASBROKER_GATEWAY_FEATURES=parse,generate,inbound_email", "CASBROKER_GATEWAY_MAX_UPLOADS_PER_USER=0",
		"CASBROKER_SERVER_METRICS_ADDRESS=" + os.Getenv("BENCH_METRICS"),
	}
}

// startRedis starts a Redis server without persistence and returns its URL, or that in
// BENCH_REDIS_URL. It returns "" if redis-server is not installed.
func startRedis(ctx context.Context, folder string) (url string, stop func(), err error) {
	if url := os.Getenv("BENCH_REDIS_URL"); url != "" {
		return url, func() {}, nil
	}
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return "", func() {}, nil //nolint:nilerr // the caller reports that it is missing
	}
	address, err := freeAddress(ctx)
	if err != nil {
		return "", nil, err
	}
	_, port, _ := net.SplitHostPort(address)
	p, err := spawn(ctx, address, nil, filepath.Join(folder, "redis.log"), path,
		"--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no")
	if err != nil {
		return "", nil, err
	}
	return "redis://" + address + "/0", p.stop, nil
}
