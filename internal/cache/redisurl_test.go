package cache

import (
	"crypto/tls"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"casbroker/internal/secret"
)

// failFastTimeout is the timeout that the tests pass to newClient.
const failFastTimeout = 250 * time.Millisecond

// connection is what the tests compare of a parsed URL.
type connection struct {
	addrs, user, password                          string
	master, sentinelUser, sentinelPassword, client string
	database                                       int
	tls                                            bool
}

func TestRedisURLNamesOneServer(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]connection{
		"redis://localhost":                        {addrs: "localhost:6379"},
		"redis://cache.example:7000/3":             {addrs: "cache.example:7000", database: 3},
		"redis://[2001:db8::1]:7000":               {addrs: "[2001:db8::1]:7000"},
		"rediss://u:p%40ss@cache.example/":         {addrs: "cache.example:6379", user: "u", password: "p@ss", tls: true},
		"redis://:only@cache.example":              {addrs: "cache.example:6379", password: "only"},
		"redis://a?db=1&client_name=casbroker":     {addrs: "a:6379", database: 1, client: "casbroker"},
		"unix:///run/redis.sock":                   {addrs: "/run/redis.sock"},
		"unix://u:p%40ss@/run/redis.sock?db=4":     {addrs: "/run/redis.sock", user: "u", password: "p@ss", database: 4},
		"rediss://a:7000/2?conn_max_idle_time=10m": {addrs: "a:7000", database: 2, tls: true},
	} {
		c, err := newClient(RedisOptions{URL: secret.URL(url), Timeout: failFastTimeout})
		if err != nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		o := c.(*redis.Client).Options()
		got := connection{addrs: o.Addr, user: o.Username, password: o.Password, client: o.ClientName, database: o.DB, tls: o.TLSConfig != nil}
		if got != want {
			t.Errorf("%s: got %+v, want %+v", url, got, want)
		}
		_ = c.Close()
	}
}

func TestRedisURLNamesNodesOfCluster(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]connection{
		"redis+cluster://a.example":                      {addrs: "a.example:6379"},
		"redis+cluster://a:1,b:2/":                       {addrs: "a:1 b:2"},
		"rediss+cluster://:p@a:1,b,[::1]:3":              {addrs: "a:1 b:6379 [::1]:3", password: "p", tls: true},
		"redis+cluster://u:p@a:1?client_name=x&addr=b:2": {addrs: "a:1 b:2", user: "u", password: "p", client: "x"},
	} {
		c, err := newClient(RedisOptions{URL: secret.URL(url), Timeout: failFastTimeout})
		if err != nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		o := c.(*redis.ClusterClient).Options()
		if o.ClusterStateReloadInterval != 5*time.Second {
			t.Errorf("%s: the map of the cluster is read every %v, want 5s", url, o.ClusterStateReloadInterval)
		}
		got := connection{
			addrs: strings.Join(o.Addrs, " "), user: o.Username, password: o.Password, client: o.ClientName, tls: o.TLSConfig != nil,
		}
		if got != want {
			t.Errorf("%s: got %+v, want %+v", url, got, want)
		}
		_ = c.Close()
	}
}

func TestRedisURLNamesSentinels(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]connection{
		"redis+sentinel://a,b:2/main":              {addrs: "a:26379 b:2", master: "main"},
		"redis+sentinel://a:1/?master_name=main":   {addrs: "a:1", master: "main"},
		"redis+sentinel://a:1/main?client_name=x":  {addrs: "a:1", master: "main", client: "x"},
		"redis+sentinel://u:p%26q@a:1,b:2/main/4/": {addrs: "a:1 b:2", user: "u", password: "p&q", master: "main", database: 4},
		"rediss+sentinel://u:p@a/main/4?sentinel_username=s&sentinel_password=w": {
			addrs: "a:26379", user: "u", password: "p", master: "main", database: 4, tls: true,
			sentinelUser: "s", sentinelPassword: "w",
		},
	} {
		scheme, rest, _ := strings.Cut(url, "+sentinel://")
		o, err := sentinelOptions(scheme, rest, failFastTimeout)
		if err != nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		got := connection{
			addrs: strings.Join(o.SentinelAddrs, " "), user: o.Username, password: o.Password, client: o.ClientName, database: o.DB,
			tls: o.TLSConfig != nil, master: o.MasterName, sentinelUser: o.SentinelUsername, sentinelPassword: o.SentinelPassword,
		}
		if got != want {
			t.Errorf("%s: got %+v, want %+v", url, got, want)
		}
	}
}

func TestEachServerIsVerifiedByItsOwnName(t *testing.T) {
	t.Parallel()
	cluster, err := clusterOptions("rediss", "a.example,b.example", failFastTimeout)
	if err != nil {
		t.Fatal(err)
	}
	sentinel, err := sentinelOptions("rediss", "a.example,b.example/main", failFastTimeout)
	if err != nil {
		t.Fatal(err)
	}
	for name, config := range map[string]*tls.Config{"cluster": cluster.TLSConfig, "sentinel": sentinel.TLSConfig} {
		if config.ServerName != "" || config.InsecureSkipVerify {
			t.Errorf("%s: server name %q, verification skipped %v", name, config.ServerName, config.InsecureSkipVerify)
		}
	}
}

func TestRedisCallsFailFastWithoutRetries(t *testing.T) {
	t.Parallel()
	const options = "?max_retries=5&read_timeout=2s&pool_size=9"
	single, err := singleOptions("redis", "a"+options, failFastTimeout)
	if err != nil {
		t.Fatal(err)
	}
	cluster, err := clusterOptions("redis", "a"+options, failFastTimeout)
	if err != nil {
		t.Fatal(err)
	}
	sentinel, err := sentinelOptions("redis", "a/main"+options, failFastTimeout)
	if err != nil {
		t.Fatal(err)
	}
	type timing struct {
		dial, read, write, pool time.Duration
		retries, dials, size    int
		contextDeadline         bool
	}
	want := timing{failFastTimeout, 2 * time.Second, failFastTimeout, failFastTimeout, -1, 1, 9, true}
	for name, got := range map[string]timing{
		"single": {
			single.DialTimeout, single.ReadTimeout, single.WriteTimeout, single.PoolTimeout,
			single.MaxRetries, single.DialerRetries, single.PoolSize, single.ContextTimeoutEnabled,
		},
		"cluster": {
			cluster.DialTimeout, cluster.ReadTimeout, cluster.WriteTimeout, cluster.PoolTimeout,
			cluster.MaxRetries, cluster.DialerRetries, cluster.PoolSize, cluster.ContextTimeoutEnabled,
		},
		"sentinel": {
			sentinel.DialTimeout, sentinel.ReadTimeout, sentinel.WriteTimeout, sentinel.PoolTimeout,
			sentinel.MaxRetries, sentinel.DialerRetries, sentinel.PoolSize, sentinel.ContextTimeoutEnabled,
		},
	} {
		if got != want {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
	}
}

func TestMalformedRedisURLIsRefused(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"", "localhost:6379", "http://localhost", "redis:", "redis://", "redis:///0", "redis://:6379", "redis://a,b",
		"redis://a/zero", "redis://a/-1", "redis://a/1/2", "redis://a:port", "redis://a?db=x", "redis://a?db=-1",
		"redis://a#0", "redis://a b", "redis+cluster://a/0", "redis+cluster://a,,b", "redis+cluster://a?db=1",
		"redis+sentinel://a", "redis+sentinel://a/main/x", "redis+unix://a", "redis+sentinel://a/m?sentinel=1",
		"redis+sentinel://a/m?route_randomly=true", "redisx://a", "redis://a?sentinel_password=x", "redis://u:p%zz@a",
		"redis://a?client_name=x;y", "redis://a?pool_size=many", "unix://", "unix://run/redis.sock", "unix://a:1/redis.sock",
		"unix://redis.sock", "unix:///run/redis.sock?db=x", "unix+cluster:///run/redis.sock", "unix:///run/redis.sock#1",
		"rediss://a?skip_verify=true", "rediss+cluster://a?skip_verify=true", "rediss+sentinel://a/main?skip_verify=true",
	} {
		if c, err := newClient(RedisOptions{URL: secret.URL(url), Timeout: failFastTimeout}); err == nil {
			t.Errorf("%q was accepted", url)
			_ = c.Close()
		}
	}
}

func FuzzRedisURLErrorsHidePassword(f *testing.F) {
	f.Add("redis://u:", "@localhost:6379/0")
	f.Add("redis://u:", "/x@localhost")
	f.Add("redis://u:p?", "@localhost")
	f.Add("redis+cluster://u:p@a?addr=", "")
	f.Add("unix://u:", "@/run/redis.sock?db=x")
	f.Add("rediss+sentinel://", "@a,b/main/1?sentinel_password=")
	f.Fuzz(func(t *testing.T, before, after string) {
		const password = "aSecretThatIsNotShown"
		c, err := newClient(RedisOptions{URL: secret.URL(before + password + after), Timeout: failFastTimeout})
		if err == nil {
			_ = c.Close()
		} else if strings.Contains(err.Error(), password) {
			t.Errorf("%q + password + %q: %v", before, after, err)
		}
	})
}
