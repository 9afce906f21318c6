package services

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// RedisCluster is a cluster of three Redis for a single test.
type RedisCluster struct {
	URL   string // redis+cluster://127.0.0.1:port,…
	nodes [3]*clusterNode
	roles [3]string // as nodes.conf has them
}

type clusterNode struct{ port, bus string }

// OwnRedisCluster starts a cluster for this test only: two masters, each with half of the
// slots, and a replica of the first.
func OwnRedisCluster(t testing.TB) *RedisCluster {
	t.Helper()
	return startCluster(t, "master - 0 0 1 connected 0-8191", "master - 0 0 2 connected 8192-16383", "slave "+nodeID(0)+" 0 0 1 connected")
}

// OwnRedisMasters starts a cluster of three masters for this test only, with further commands
// for each, such as users.
func OwnRedisMasters(t testing.TB, commands ...string) *RedisCluster {
	t.Helper()
	c := startCluster(t, "master - 0 0 1 connected 0-5460", "master - 0 0 2 connected 5461-10922", "master - 0 0 3 connected 10923-16383")
	for _, node := range c.nodes {
		if _, err := askRedis(node.port, commands...); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func startCluster(t testing.TB, roles ...string) *RedisCluster {
	t.Helper()
	path, c := need(t, "redis-server"), &RedisCluster{roles: [3]string(roles)}
	for i := range c.nodes {
		port, err := freePort()
		bus, err2 := freePort()
		if err := errors.Join(err, err2); err != nil {
			t.Fatal(err)
		}
		c.nodes[i] = &clusterNode{port, bus}
	}
	for i, node := range c.nodes {
		if err := node.start(path, c.config(i)); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(node.stop)
	}
	if err := waitFor("the cluster", c.ready); err != nil {
		t.Fatal(err)
	}
	c.URL = "redis+cluster://127.0.0.1:" + c.nodes[0].port + ",127.0.0.1:" + c.nodes[1].port + ",127.0.0.1:" + c.nodes[2].port
	return c
}

// config returns the file in which the node with index self finds the cluster: with it the
// nodes need not meet first, which takes several seconds.
func (c *RedisCluster) config(self int) string {
	var b strings.Builder
	for i, node := range c.nodes {
		role := c.roles[i]
		if i == self {
			role = "myself," + role
		}
		fmt.Fprintf(&b, "%s 127.0.0.1:%s@%s %s\n", nodeID(i), node.port, node.bus, role)
	}
	return b.String() + "vars currentEpoch 3 lastVoteEpoch 0\n"
}

func nodeID(i int) string { return strings.Repeat(strconv.Itoa(i+1), 40) }

// ready returns an error unless all nodes work and the replica has what its master has.
func (c *RedisCluster) ready(context.Context) error {
	for _, node := range c.nodes {
		info, err := node.ask("CLUSTER", "INFO")
		if err != nil || !strings.Contains(info, "cluster_state:ok") {
			return errors.Join(err, errors.New("a node is not ready"))
		}
	}
	role, err := c.nodes[2].ask("ROLE")
	if err != nil || !strings.Contains(role, "connected") && !strings.Contains(role, "master") {
		return errors.Join(err, errors.New("the replica is not connected"))
	}
	return nil
}

// ReplaceMaster ends the first master and has its replica take over its slots.
func (c *RedisCluster) ReplaceMaster(t testing.TB) {
	t.Helper()
	c.StopMaster()
	if _, err := c.nodes[2].ask("CLUSTER", "FAILOVER", "TAKEOVER"); err != nil {
		t.Fatal(err)
	}
	err := waitFor("the new master", func(context.Context) error {
		for _, node := range c.nodes[1:] {
			if slots, err := node.ask("CLUSTER", "SLOTS"); err != nil || strings.Contains(slots, c.nodes[0].port) {
				return errors.Join(err, errors.New("a node has the old map"))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// MoveSlots moves the slots that have keys from one master to another, as redis-cli --cluster
// reshard does. While both have keys of a slot, it calls between.
func (c *RedisCluster) MoveSlots(t testing.TB, from, to int, between func()) {
	t.Helper()
	source, target := c.nodes[from], c.nodes[to]
	must := func(n *clusterNode, commands ...string) string {
		t.Helper()
		answer, err := askRedis(n.port, commands...)
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
	keysOf := func() map[string][]string {
		bySlot := map[string][]string{}
		for key := range strings.FieldsSeq(must(source, "KEYS *")) {
			slot := strings.Trim(must(source, "CLUSTER KEYSLOT "+key), ":\n")
			bySlot[slot] = append(bySlot[slot], key)
		}
		return bySlot
	}
	slots := keysOf()
	for slot := range slots {
		must(target, "CLUSTER SETSLOT "+slot+" IMPORTING "+nodeID(from))
		must(source, "CLUSTER SETSLOT "+slot+" MIGRATING "+nodeID(to))
	}
	between()
	for slot := range slots {
		for {
			keys := strings.Fields(must(source, "CLUSTER GETKEYSINSLOT "+slot+" 100"))
			if len(keys) == 0 {
				break
			}
			must(source, "MIGRATE 127.0.0.1 "+target.port+` "" 0 5000 KEYS `+strings.Join(keys, " "))
		}
		for _, n := range []*clusterNode{target, source, c.nodes[3-from-to]} {
			must(n, "CLUSTER SETSLOT "+slot+" NODE "+nodeID(to))
		}
	}
}

// StopMaster ends the first master.
func (c *RedisCluster) StopMaster() { c.nodes[0].stop() }

// start starts the node with config, and returns when it answers.
func (n *clusterNode) start(path, config string) error {
	folder, err := os.MkdirTemp(memoryRoot(), "casbroker-redis-")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, "nodes.conf"), []byte(config), 0o600); err != nil {
		return err
	}
	err = spawn(nil, "TERM", folder, path, "--port", n.port, "--bind", "127.0.0.1", "--dir", folder,
		"--cluster-enabled", "yes", "--cluster-port", n.bus, "--cluster-config-file", "nodes.conf",
		"--cluster-node-timeout", "2000", "--repl-diskless-sync-delay", "0",
		"--save", "", "--appendonly", "no", "--loglevel", "warning", "--logfile", "/dev/null")
	if err != nil {
		return err
	}
	return waitFor("redis on port "+n.port, func(context.Context) error {
		_, err := n.ask("PING")
		return err
	})
}

func (n *clusterNode) stop() { _, _ = n.ask("SHUTDOWN", "NOSAVE") }

// ask sends a command and returns the answer, as askRedis does.
func (n *clusterNode) ask(command ...string) (string, error) {
	return askRedis(n.port, strings.Join(command, " "))
}

// readRESP reads one value of Redis' protocol (RESP2).
func readRESP(r *bufio.Reader) (string, error) {
	line, err := r.ReadString('\n')
	if err != nil || len(line) < 3 {
		return "", errors.Join(err, errors.New("no answer"))
	}
	text := strings.TrimRight(line[1:], "\r\n")
	length, _ := strconv.Atoi(text)
	switch line[0] {
	case '-':
		return "", errors.New(text)
	case '$':
		value := make([]byte, max(length, 0)+2)
		if length < 0 {
			return "\n", nil
		}
		_, err := io.ReadFull(r, value)
		return string(value[:length]) + "\n", err
	case '*':
		var all strings.Builder
		for range length {
			value, err := readRESP(r)
			if err != nil {
				return "", err
			}
			all.WriteString(value)
		}
		return all.String(), nil
	default:
		return line[:1] + text + "\n", nil
	}
}
