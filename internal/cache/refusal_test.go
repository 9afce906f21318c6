package cache_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"casbroker/internal/apikey"
	"casbroker/internal/cache"
	"casbroker/internal/ratelimit"
	"casbroker/internal/secret"
	"casbroker/internal/testkit/logtest"
	"casbroker/internal/testkit/services"
)

// documentedUser returns the command that config/README.md has for a Redis user, for the
// user name with the password "pass".
func documentedUser(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("../../config/README.md")
	if err != nil {
		t.Fatal(err)
	}
	command := regexp.MustCompile(`(?m)^\s*(ACL SETUSER casbroker .*)$`).FindSubmatch(text)
	if command == nil || !strings.HasSuffix(string(command[1]), cache.RedisRules(cache.DefaultPrefix)) {
		t.Fatalf("got %q in config/README.md, want the rules %s", command, cache.RedisRules(cache.DefaultPrefix))
	}
	return strings.NewReplacer("casbroker", name, "PASSWORD", "pass").Replace(string(command[1]))
}

// redisAdmin sends commands to a Redis as its default user.
func redisAdmin(t *testing.T, port string, commands ...string) {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	answers := bufio.NewReader(conn)
	for _, command := range commands {
		_, _ = fmt.Fprintf(conn, "%s\r\n", command)
		if answer, err := answers.ReadString('\n'); err != nil || !strings.HasPrefix(answer, "+OK") {
			t.Fatalf("%s: got %q, %v", command, answer, err)
		}
	}
}

func redisOf(t *testing.T, url string, log *slog.Logger) *cache.Redis {
	t.Helper()
	r, err := cache.NewRedis(cache.RedisOptions{URL: secret.URL(url), Timeout: testTimeout, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

func TestDocumentedRedisUserMayDoAllThatTheBrokerDoes(t *testing.T) {
	t.Parallel()
	for name, schemeAndPath := range map[string][2]string{"one server": {"redis", "/2?client_name=casbroker"}, "cluster": {"redis+cluster", ""}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := services.OwnRedis(t)
			if schemeAndPath[0] == "redis+cluster" {
				server = services.OwnRedis(t, "--cluster-enabled", "yes", "--dir", t.TempDir())
				redisAdmin(t, server.Port, "CLUSTER ADDSLOTSRANGE 0 16383")
			}
			redisAdmin(t, server.Port, documentedUser(t, "casbroker"))
			var log bytes.Buffer
			r := redisOf(t, schemeAndPath[0]+"://casbroker:pass@127.0.0.1:"+server.Port+schemeAndPath[1], slog.New(slog.NewTextHandler(&log, nil)))
			await(t, "the check", func() bool { return r.Check(t.Context()) == nil }) // a cluster takes a moment
			useAll(t, r)
			if _, err := r.Time(t.Context()); err != nil {
				t.Error(err)
			}
			redisAdmin(t, server.Port, "ACL LOG RESET")
			if log.Len() > 0 {
				t.Errorf("got the log %s", &log)
			}
		})
	}
}

// useAll does all that the broker does with Redis.
func useAll(t *testing.T, r *cache.Redis) {
	t.Helper()
	key := keyOf("app:asha", 60)
	if err := r.KeepToken(t.Context(), key, []byte("sealed"), time.Minute); err != nil {
		t.Error(err)
	}
	hits := []ratelimit.Hit{{Rule: "token-user", Who: "app:asha", Rate: rate(t, "5-M")}, {Rule: "token-all", Rate: rate(t, "7-M")}}
	if states, sealed, err := r.Take(t.Context(), hits, fetch("app:asha")); err != nil || string(sealed) != "sealed" || states[0].Remaining != 4 {
		t.Errorf("Take: got %v, %q, %v", states, sealed, err)
	}
	if _, ok, err := r.Reserve(t.Context(), "key", apikey.Pace{Interval: time.Millisecond, Burst: 2, MaxWait: time.Minute}); err != nil || !ok {
		t.Errorf("Reserve: got %v, %v", ok, err)
	}
	messages := subscribe(t, r, "access")
	wantMessage(t, messages, "")
	if err := r.Publish(t.Context(), "access", "7"); err != nil {
		t.Error(err)
	}
	wantMessage(t, messages, "7")
}

func TestEachMissingRuleOfTheRedisUserIsFound(t *testing.T) {
	t.Parallel()
	server := services.OwnRedis(t)
	r := func(user string) *cache.Redis {
		return redisOf(t, "redis://"+user+":pass@127.0.0.1:"+server.Port, nil)
	}
	for i, rule := range []string{
		"+get", "+set", "+del", "+expire", "+incrby", "+eval ", "+evalsha", "+time", "+publish", "+subscribe", "~cb:*", "&cb:*",
	} {
		user := fmt.Sprint("user", i)
		command := documentedUser(t, user)
		if !strings.Contains(command, rule) {
			t.Fatalf("%s is not in %s", rule, command)
		}
		redisAdmin(t, server.Port, strings.Replace(command, strings.TrimSpace(rule)+" ", "", 1))
		var refusal *cache.Refusal
		if err := r(user).Check(t.Context()); !errors.As(err, &refusal) || !strings.Contains(refusal.Remedy, cache.RedisRules(cache.DefaultPrefix)) {
			t.Errorf("without %s: got %v, want a refusal with the rules", rule, err)
		}
	}
}

func TestWrongAndMissingRedisPasswordsAreNamed(t *testing.T) {
	t.Parallel()
	server := services.OwnRedis(t)
	redisAdmin(t, server.Port, documentedUser(t, "casbroker"), "CONFIG SET requirepass secret")
	for url, want := range map[string][2]string{
		"redis://casbroker:wrong@127.0.0.1:": {"WRONGPASS", "correct the user and password"},
		"redis://127.0.0.1:":                 {"NOAUTH", "in front of the host"},
	} {
		var log bytes.Buffer
		r := redisOf(t, url+server.Port, nil)
		var refusal *cache.Refusal
		err := r.Check(t.Context())
		if !errors.As(err, &refusal) || !strings.Contains(refusal.Err.Error(), want[0]) || !strings.Contains(refusal.Remedy, want[1]) {
			t.Errorf("%s: got %v, want %v", url, err, want)
		}
		memory, err := cache.NewMemory(cache.MemoryOptions{TokenBytes: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		f := cache.WithFallback(r, memory, cache.FallbackOptions{Log: slog.New(slog.NewTextHandler(&log, nil)), ProbeEvery: time.Hour})
		if _, _, err := f.Take(t.Context(), nil, fetch("app:asha")); err != nil {
			t.Error(err)
		}
		if _, _, err := r.Take(t.Context(), []ratelimit.Hit{{Rule: "token-all", Rate: rate(t, "7-M")}}, ratelimit.TokenKey{}); err == nil {
			t.Errorf("%s: got a count from a Redis that refuses the user", url)
		}
		if !errors.As(f.Check(t.Context()), &refusal) || !strings.Contains(log.String(), "level=ERROR") || !strings.Contains(log.String(), want[1]) || strings.Contains(log.String(), "wrong@") {
			t.Errorf("%s: got %v and the log %s", url, f.Check(t.Context()), &log)
		}
	}
}

func TestRefusedMessagesAreLoggedOnce(t *testing.T) {
	t.Parallel()
	server := services.OwnRedis(t)
	redisAdmin(t, server.Port, strings.Replace(documentedUser(t, "casbroker"), "+subscribe ", "", 1))
	log := &logtest.Log{}
	r := redisOf(t, "redis://casbroker:pass@127.0.0.1:"+server.Port, slog.New(slog.NewTextHandler(log, nil)))
	ctx, cancel := context.WithCancel(t.Context())
	subscribed, ended := make(chan struct{}, 100), make(chan struct{})
	go func() {
		defer close(ended)
		r.Subscribe(ctx, "access", func(string) { subscribed <- struct{}{} })
	}()
	await(t, "the log", func() bool { return strings.Contains(log.String(), cache.RedisRules(cache.DefaultPrefix)) })
	redisAdmin(t, server.Port, "ACL SETUSER casbroker +subscribe")
	<-subscribed
	cancel()
	<-ended
	if n := strings.Count(log.String(), "level=ERROR"); n != 1 {
		t.Errorf("got %d errors, want 1: %s", n, log)
	}
}
