package services

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// RedisSentinel is a master, a replica of it and three sentinels for a single test.
type RedisSentinel struct {
	URL             string // redis+sentinel://127.0.0.1:port,…/casbroker
	Master, Replica *RedisProcess
	Sentinels       []*RedisProcess
}

// OwnRedisSentinel starts Redis with sentinels for this test only. They replace a master that
// has not answered for half a second.
func OwnRedisSentinel(t testing.TB) *RedisSentinel {
	t.Helper()
	s := &RedisSentinel{Master: OwnRedis(t, "--repl-diskless-sync-delay", "0", "--dir", TempDir(t))}
	s.Replica = OwnRedis(t, "--replicaof", "127.0.0.1", s.Master.Port, "--dir", TempDir(t))
	ports := make([]string, 3)
	for i := range ports {
		port, err := freePort()
		if err != nil {
			t.Fatal(err)
		}
		ports[i] = port
	}
	for i, port := range ports {
		file := filepath.Join(TempDir(t), "sentinel.conf")
		if err := os.WriteFile(file, []byte(s.config(ports, i)), 0o600); err != nil {
			t.Fatal(err)
		}
		sentinel := &RedisProcess{Port: port, command: []string{need(t, "redis-server"), file, "--sentinel"}}
		if err := sentinel.run(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(sentinel.Kill)
		s.Sentinels = append(s.Sentinels, sentinel)
	}
	if err := waitFor("the sentinels", s.ready); err != nil {
		t.Fatal(err)
	}
	s.URL = "redis+sentinel://127.0.0.1:" + strings.Join(ports, ",127.0.0.1:") + "/casbroker"
	return s
}

// config returns the file of a sentinel that knows all others: to find them takes seconds.
func (s *RedisSentinel) config(ports []string, self int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "port %s\nbind 127.0.0.1\nlogfile /dev/null\nsentinel myid %s\nsentinel monitor casbroker 127.0.0.1 %s 2\n",
		ports[self], nodeID(self), s.Master.Port)
	b.WriteString("sentinel down-after-milliseconds casbroker 500\nsentinel failover-timeout casbroker 3000\n")
	fmt.Fprintf(&b, "sentinel known-replica casbroker 127.0.0.1 %s\n", s.Replica.Port)
	for i, port := range ports {
		if i != self {
			fmt.Fprintf(&b, "sentinel known-sentinel casbroker 127.0.0.1 %s %s\n", port, nodeID(i))
		}
	}
	return b.String()
}

// ready returns an error unless the replica has what the master has, and the sentinels can
// replace that.
func (s *RedisSentinel) ready(context.Context) error {
	role, err := askRedis(s.Replica.Port, "ROLE")
	if err != nil || !strings.Contains(role, "connected") {
		return errors.Join(err, errors.New("the replica is not connected"))
	}
	for _, sentinel := range s.Sentinels {
		if _, err := askRedis(sentinel.Port, "SENTINEL CKQUORUM casbroker"); err != nil {
			return err
		}
		if replicas, err := askRedis(sentinel.Port, "SENTINEL REPLICAS casbroker"); err != nil || !strings.Contains(replicas, "master-link-status\nok") {
			return errors.Join(err, errors.New("a sentinel does not know the replica yet"))
		}
	}
	return nil
}
