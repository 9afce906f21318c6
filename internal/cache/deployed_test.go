package cache_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"casbroker/internal/cache"
	"casbroker/internal/secret"
	"casbroker/internal/testkit/services"
)

// caPool returns the pool with the certificate of a.
func caPool(t *testing.T, a *services.Authority) *x509.CertPool {
	t.Helper()
	text, err := os.ReadFile(a.File)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	return pool
}

// clientCertificate returns a certificate of a for RedisOptions.
func clientCertificate(t *testing.T, a *services.Authority) func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(a.Issue(t, "broker", time.Hour))
	return func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, err }
}

func TestRedisWithTLSIsUsedOrSaysWhyNot(t *testing.T) {
	t.Parallel()
	ours, other := services.NewAuthority(t), services.NewAuthority(t)
	start := func(name string, life time.Duration) (port string) {
		cert, key := ours.Issue(t, name, life)
		server, port := services.OwnRedisTLS(t, ours, cert, key)
		redisAdmin(t, server.Port, documentedUser(t, "casbroker"))
		return port
	}
	right := start("127.0.0.1", time.Hour)
	expired := start("127.0.0.1", -time.Hour)
	named := start("redis.example", time.Hour)
	certificate, wrongCertificate := clientCertificate(t, ours), clientCertificate(t, other)
	for name, c := range map[string]struct {
		port    string
		ca      *x509.CertPool
		client  func(*tls.CertificateRequestInfo) (*tls.Certificate, error)
		refusal string // "" for none
	}{
		"right":                    {right, caPool(t, ours), certificate, ""},
		"not a CA of the system":   {right, nil, certificate, "cache.tls_ca_file"},
		"another CA":               {right, caPool(t, other), certificate, "cache.tls_ca_file"},
		"no certificate":           {right, caPool(t, ours), nil, "cache.tls_cert_file"},
		"a certificate of another": {right, caPool(t, ours), wrongCertificate, "cache.tls_cert_file"},
		"expired":                  {expired, caPool(t, ours), certificate, "renew the certificate of Redis"},
		"another name":             {named, caPool(t, ours), certificate, "as in its certificate"},
	} {
		r := newRedis(t, cache.RedisOptions{
			URL: secret.URL("rediss://casbroker:pass@127.0.0.1:" + c.port), Timeout: testTimeout, RootCAs: c.ca, ClientCertificate: c.client,
		})
		err := r.Check(t.Context())
		if c.refusal == "" {
			if err != nil {
				t.Errorf("%s: got %v", name, err)
			}
			useAll(t, r)
			continue
		}
		await(t, name+" to be named", func() bool { // the connection may be reset before the reason is read
			err = r.Check(t.Context())
			return errors.As(err, new(*cache.Refusal))
		})
		if !strings.Contains(err.Error(), c.refusal) || strings.Contains(err.Error(), "pass") {
			t.Errorf("%s: got %v, want a refusal with %q", name, err, c.refusal)
		}
	}
}

func TestRedisIsReachedThroughASocket(t *testing.T) {
	t.Parallel()
	path := filepath.Join(services.TempDir(t), "redis.sock")
	server := services.OwnRedis(t, "--unixsocket", path)
	redisAdmin(t, server.Port, documentedUser(t, "casbroker"))
	r := redisOf(t, "unix://casbroker:pass@"+path+"?db=3", nil)
	if err := r.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	useAll(t, r)
	raw := rawRedis(t, "redis://127.0.0.1:"+server.Port+"/3")
	if len(keys(t, raw)) == 0 {
		t.Error("the keys are not in the database of the URL")
	}
}

// TestTwoPrefixesShareOneRedis has two deployments use one Redis, each as a user who may only
// use the keys and channels of its prefix.
func TestTwoPrefixesShareOneRedis(t *testing.T) {
	t.Parallel()
	for name, scheme := range map[string]string{"one server": "redis", "cluster": "redis+cluster"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := services.OwnRedis(t)
			if scheme == "redis+cluster" {
				server = services.OwnRedis(t, "--cluster-enabled", "yes", "--dir", services.TempDir(t))
				redisAdmin(t, server.Port, "CLUSTER ADDSLOTSRANGE 0 16383")
			}
			deployment := func(user, prefix, may string) *cache.Redis {
				redisAdmin(t, server.Port, "ACL SETUSER "+user+" on >pass "+cache.RedisRules(may))
				return newRedis(t, cache.RedisOptions{
					URL: secret.URL(scheme + "://" + user + ":pass@127.0.0.1:" + server.Port), Timeout: testTimeout, Prefix: prefix,
				})
			}
			first, second := deployment("first", "", cache.DefaultPrefix), deployment("second", "cb-staging:", "cb-staging:")
			await(t, "the cluster", func() bool { return first.Check(t.Context()) == nil && second.Check(t.Context()) == nil })
			useAll(t, first) // counts from the first hit
			messages := subscribe(t, second, "other")
			wantMessage(t, messages, "")
			for topic, message := range map[string]string{"access": "8", "other": "9"} {
				if err := first.Publish(t.Context(), topic, message); err != nil {
					t.Fatal(err)
				}
			}
			useAll(t, second) // from the first hit, too
			if len(messages) > 0 {
				t.Errorf("got the message %q of another deployment", <-messages)
			}
			raw := rawRedis(t, "redis://127.0.0.1:"+server.Port)
			counts, all := map[string]int{}, raw.Keys(t.Context(), "*").Val() // in one answer: some keys live for a moment
			for _, key := range all {
				counts[strings.SplitAfter(key, ":")[0]]++
			}
			if n := counts["cb-staging:"]; n == 0 || n == len(all) || n+counts[cache.DefaultPrefix] != len(all) {
				t.Errorf("got the keys %q", all)
			}
			var refusal *cache.Refusal
			if err := deployment("third", "cb-third:", "cb-staging:").Check(t.Context()); !errors.As(err, &refusal) || !strings.Contains(refusal.Remedy, cache.RedisRules("cb-third:")) {
				t.Errorf("a user of another prefix: got %v, want the rules of cb-third:", err)
			}
		})
	}
}

func TestKilledConnectionsAndRestartsFailNoCall(t *testing.T) {
	t.Parallel()
	server := services.OwnRedis(t)
	w := newTestFallback(t, secret.URL(server.URL), testTimeout)
	go func() {
		for range w.changes {
		}
	}()
	stop := w.startLoad(t)
	for range 100 {
		server.Ask(t, "CLIENT KILL TYPE normal SKIPME yes")
	}
	for range 10 {
		server.Kill()
		server.Start(t)
	}
	await(t, "Redis to be used again", func() bool { return !w.Degraded() })
	stop()
	if w.inMemory.Load() == 0 {
		t.Error("no connection was in use when it was killed")
	}
}

// TestHungSentinelIsReplacedByAnother freezes the sentinel that was asked for the master.
func TestHungSentinelIsReplacedByAnother(t *testing.T) {
	t.Parallel()
	server := services.OwnRedisSentinel(t)
	w := newTestFallback(t, secret.URL(server.URL), 200*time.Millisecond)
	take(t, w, tokenHits(t, "app:asha")[0])
	var asked []*services.RedisProcess
	await(t, "a sentinel to be asked", func() bool {
		asked = nil
		for _, sentinel := range server.Sentinels {
			if strings.Contains(sentinel.Ask(t, "CLIENT LIST TYPE pubsub"), "cmd=subscribe") {
				asked = append(asked, sentinel)
			}
		}
		return len(asked) > 0
	})
	if len(asked) != 1 {
		t.Fatalf("%d sentinels were asked, want 1", len(asked))
	}
	asked[0].Freeze(t)
	server.Master.Ask(t, "CLIENT KILL TYPE normal SKIPME yes")
	await(t, "the call that needs a new connection", func() bool {
		take(t, w, tokenHits(t, "app:asha")[0])
		return w.inMemory.Load() > 0
	})
	await(t, "another sentinel", func() bool { return !w.Degraded() })
}
