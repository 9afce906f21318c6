package cache

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"casbroker/internal/apikey"
)

// RedisRules returns the rules of a Redis user that may do all that the broker does with the
// keys of a prefix, on one server and in a cluster, and nothing else.
func RedisRules(prefix string) string {
	return "resetkeys ~" + prefix + "* resetchannels &" + prefix + "* -@all +ping +select +client|setname " +
		"+get +set +del +expire +incrby +eval +evalsha +time +publish +subscribe +unsubscribe +cluster|slots +command +asking"
}

// Refusal is returned when Redis can be reached but does not do what the broker needs: it
// refuses the user or the command, or one of the two refuses the other's certificate.
type Refusal struct {
	Err error
	// Remedy is what the operator must do.
	Remedy string
}

func (r *Refusal) Error() string { return r.Err.Error() + "; " + r.Remedy }

func (r *Refusal) Unwrap() error { return r.Err }

// remedyLoading is the remedy of a Redis that will be in use without an operator.
const remedyLoading = "wait until Redis has read its data from the disk; the broker itself needs none of it"

// remedies are what to do about answers of Redis that begin with one of the texts.
var remedies = []struct {
	remedy  string
	answers []string
}{
	{"correct the user and password in cache.url; special characters in them are percent-encoded", []string{"WRONGPASS", "ERR AUTH ", "ERR invalid password"}},
	{"put the user, a colon, the password and @ in front of the host in cache.url; without a user it begins with the colon", []string{"NOAUTH"}},
	{"give Redis more memory (maxmemory), or a Redis of its own to what else fills it", []string{"OOM"}},
	{"cache.url leads to a replica: name the master, or with redis+sentinel:// or redis+cluster:// all servers", []string{"READONLY", "MASTERDOWN"}},
	{remedyLoading, []string{"LOADING"}},
	{"free space on the disk of Redis, or turn its snapshots off (save \"\"); the broker needs none", []string{"MISCONF"}},
	{"start the nodes of the cluster that are down, or give their slots to others (redis-cli --cluster fix)", []string{"CLUSTERDOWN"}},
	{"start the replicas of Redis, or lower its min-replicas-to-write", []string{"NOREPLICAS"}},
	{"raise maxclients of Redis, or close connections of others", []string{"ERR max number of clients"}},
	{"correct the number of the database in cache.url; a cluster has none", []string{"ERR DB index", "ERR SELECT is not allowed"}},
	{"begin cache.url with redis:// or rediss://, without +cluster: Redis is not a cluster", []string{"ERR This instance has cluster support disabled"}},
}

// asRefusal returns err as a Refusal if that is one, else err.
func (r *Redis) asRefusal(err error) error {
	if err == nil || errors.As(err, new(*Refusal)) {
		return err
	}
	answer, ok := errors.AsType[redis.Error](err)
	if !ok {
		return asTLSRefusal(err)
	}
	text := answer.Error()
	if _, cluster := r.client.(*redis.ClusterClient); !cluster && strings.HasPrefix(text, "MOVED") {
		return &Refusal{err, "begin cache.url with redis+cluster://, since Redis is a cluster"}
	}
	for _, part := range []string{"NOPERM", "ACL failure", "can't run this command"} { // the last two are said of scripts
		if strings.Contains(text, part) {
			return &Refusal{err, "give the Redis user of cache.url the rules that the broker needs: ACL SETUSER <user> " + RedisRules(r.prefix)}
		}
	}
	for _, known := range remedies {
		for _, begin := range known.answers {
			if strings.HasPrefix(text, begin) {
				return &Refusal{err, known.remedy}
			}
		}
	}
	return err
}

// asTLSRefusal returns err as a Refusal if a handshake failed because of a certificate.
func asTLSRefusal(err error) error {
	invalid, isInvalid := errors.AsType[x509.CertificateInvalidError](err)
	switch {
	case errors.As(err, new(x509.HostnameError)):
		return &Refusal{err, "name Redis in cache.url as in its certificate, or give it a certificate with that name"}
	case errors.As(err, new(x509.UnknownAuthorityError)):
		return &Refusal{err, "name the CA that signed the certificate of Redis in cache.tls_ca_file"}
	case isInvalid && invalid.Reason == x509.Expired: // or not valid yet
		return &Refusal{err, "renew the certificate of Redis, or correct the clock of this machine"}
	case errors.As(err, new(tls.RecordHeaderError)):
		return &Refusal{err, "give the port of Redis for TLS in cache.url, or begin it with redis instead of rediss"}
	case isAboutOurCertificate(err.Error()):
		return &Refusal{err, "name a certificate that Redis accepts, and its key, in cache.tls_cert_file and cache.tls_key_file"}
	}
	return err
}

// isAboutOurCertificate reports whether text has an alert of Redis about the broker's certificate.
func isAboutOurCertificate(text string) bool {
	for _, alert := range []string{"certificate required", "bad certificate", "unknown certificate authority"} {
		if strings.Contains(text, "remote error: tls: "+alert) {
			return true
		}
	}
	return false
}

// Check does once what the broker does with Redis. It returns a Refusal if Redis refuses
// any of that, and another error if Redis does not answer.
func (r *Redis) Check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*r.timeout)
	defer cancel()
	key := r.prefix + "probe:check"
	pipe := r.client.Pipeline()
	pipe.Ping(ctx)
	pipe.Del(ctx, key)
	pipe.IncrBy(ctx, key, 1)
	pipe.Expire(ctx, key, time.Minute)
	pipe.Set(ctx, key, 1, time.Minute)
	pipe.Get(ctx, key)
	pipe.Eval(ctx, "return 1", []string{key}) // which a script needs that Redis has not seen yet
	pipe.Publish(ctx, r.channel("probe"), "")
	commands, err := pipe.Exec(ctx)
	for _, c := range commands { // a refusal says more than the first error
		if refused := r.asRefusal(c.Err()); errors.As(refused, new(*Refusal)) {
			err = refused
			break
		}
	}
	if err != nil {
		return fmt.Errorf("redis: %w", r.asRefusal(err))
	}
	if _, _, err := r.Reserve(ctx, "check", apikey.Pace{Interval: time.Millisecond, Burst: 1, MaxWait: time.Hour}); err != nil {
		return r.asRefusal(err)
	}
	return r.checkSubscribe(ctx)
}

func (r *Redis) checkSubscribe(ctx context.Context) error {
	conn := r.client.Subscribe(ctx, r.channel("probe"))
	defer func() { _ = conn.Close() }()
	if _, err := conn.ReceiveTimeout(ctx, r.timeout); err != nil {
		return fmt.Errorf("redis: subscribe: %w", r.asRefusal(err))
	}
	return nil
}

// Time returns the clock of Redis.
func (r *Redis) Time(ctx context.Context) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	before := r.now()
	theirs, err := r.client.Time(ctx).Result()
	if err != nil {
		return time.Time{}, err
	}
	behind := theirs.Sub(before)
	if behind.Abs() < wrongClock {
		behind = 0
	}
	r.behind.Store(int64(behind.Round(time.Second) / time.Second))
	return theirs, nil
}

// Time returns the clock of Redis, the zero time while that is not used.
func (f *Fallback) Time(ctx context.Context) (time.Time, error) {
	if f.degraded.Load() {
		return time.Time{}, nil
	}
	return f.redis.Time(ctx)
}

// Check returns why Redis is not used now, or what it refuses; nil if all is well.
func (f *Fallback) Check(ctx context.Context) error {
	if f.degraded.Load() {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.cause
	}
	return f.redis.Check(ctx)
}

// setCause notes why Redis is not used, and logs it if it is the first reason or has another
// remedy than the one that was logged last. The caller holds f.mu.
func (f *Fallback) setCause(err error) {
	err = f.redis.asRefusal(err)
	first := f.cause == nil
	f.cause = err
	now, refused := errors.AsType[*Refusal](err)
	if !first && (!refused || now.Remedy == f.remedy) {
		return
	}
	if refused {
		f.remedy = now.Remedy
	}
	switch {
	case !refused:
		f.Log.Warn("Redis failed; using the cache in memory", "error", err)
	case now.Remedy == remedyLoading:
		f.Log.Warn("Redis is not ready; using the cache in memory", "error", now.Err, "remedy", now.Remedy)
	default:
		f.Log.Error("Redis refuses the broker; using the cache in memory", "error", now.Err, "remedy", now.Remedy)
	}
}
