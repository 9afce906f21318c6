package cache

import (
	"strings"
	"testing"
)

func TestARedisURLSaysWhereRedisIs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		url                    string
		addrs, user, pass      string
		database               int
		cluster, tls           bool
		master, sentinel, word string
	}{
		{url: "redis://localhost", addrs: "localhost:6379"},
		{url: "redis://cache.example:7000/3", addrs: "cache.example:7000", database: 3},
		{url: "redis://[2001:db8::1]:7000", addrs: "[2001:db8::1]:7000"},
		{url: "rediss://u:p%40ss@cache.example/", addrs: "cache.example:6379", user: "u", pass: "p@ss", tls: true},
		{url: "redis://:only@cache.example", addrs: "cache.example:6379", pass: "only"},
		{url: "redis+cluster://a.example", addrs: "a.example:6379", cluster: true},
		{url: "rediss+cluster://:p@a:1,b,[::1]:3", addrs: "a:1 b:6379 [::1]:3", pass: "p", cluster: true, tls: true},
		{url: "redis+sentinel://a,b:2/main", addrs: "a:26379 b:2", master: "main"},
		{
			url:   "rediss+sentinel://u:p@a/main/4?sentinel_username=s&sentinel_password=w",
			addrs: "a:26379", user: "u", pass: "p", master: "main", database: 4, tls: true, sentinel: "s", word: "w",
		},
	} {
		o, err := parseURL(c.url)
		if err != nil {
			t.Errorf("%s: %v", c.url, err)
			continue
		}
		if got := strings.Join(o.Addrs, " "); got != c.addrs || o.DB != c.database ||
			o.Username != c.user || o.Password != c.pass || o.IsClusterMode != c.cluster || (o.TLSConfig != nil) != c.tls ||
			o.MasterName != c.master || o.SentinelUsername != c.sentinel || o.SentinelPassword != c.word {
			t.Errorf("%s: got %+v", c.url, o)
		}
	}
}

func TestARedisURLThatCannotBeUnderstoodIsRefused(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"", "localhost:6379", "http://localhost", "redis:", "redis://", "redis:///0", "redis://:6379", "redis://a,b",
		"redis://a/zero", "redis://a/-1", "redis://a/1/2", "redis://a/99999999999", "redis://a:port", "redis://a?db=1",
		"redis://a#0", "redis://a b", "redis+cluster://a/0", "redis+cluster://a,,b",
		"redis+sentinel://a", "redis+sentinel://a/main/x", "redis+unix://a", "redis+sentinel://a/m?sentinel=1",
		"redisx://a", "redis://a?sentinel_password=x", "redis://u:p%zz@a",
	} {
		if o, err := parseURL(url); err == nil {
			t.Errorf("%q was taken: %v", url, o.Addrs)
		}
	}
}

func FuzzParseURL(f *testing.F) {
	f.Add("redis://u:", "@localhost:6379/0")
	f.Add("rediss+sentinel://", "@a,b/main/1?sentinel_password=")
	f.Fuzz(func(t *testing.T, before, after string) {
		const password = "aSecretThatIsNotShown"
		if _, err := parseURL(before + password + after); err != nil && strings.Contains(err.Error(), password) {
			t.Errorf("%q + password + %q: %v", before, after, err)
		}
	})
}
