package cache

import (
	"crypto/tls"
	"errors"
	"net"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Errors of newClient. They never repeat the URL or the parser's own error, which
// quotes it: a mistyped password can end up in any part of a URL.
var (
	errScheme = errors.New("redis URL: want redis://, rediss://, redis+cluster://, rediss+cluster://, " +
		"redis+sentinel://, rediss+sentinel:// or unix://")
	errURL    = errors.New("redis URL: cannot be parsed; percent-encode special characters in the user and password")
	errHost   = errors.New("redis URL: want host, host:port or, after +cluster and +sentinel, several of them separated by commas")
	errSingle = errors.New("redis URL: want redis://user:password@host:port/number?option=value " +
		"with the options of go-redis' ParseURL")
	errSocket = errors.New("redis URL: want unix://user:password@/path/to/redis.sock?db=number " +
		"with the options of go-redis' ParseURL")
	errUnverified = errors.New("redis URL: with skip_verify anyone between the broker and Redis could read the tokens; " +
		"instead, name the CA of Redis in cache.tls_ca_file")
	errCluster = errors.New("redis URL: want redis+cluster://user:password@host:port,host:port?option=value " +
		"with the options of go-redis' ParseClusterURL")
	errSentinel = errors.New("redis URL: want redis+sentinel://user:password@sentinel:port,sentinel:port/master/number?option=value " +
		"with the options of go-redis' ParseFailoverURL, sentinel_username and sentinel_password")
)

// newClient returns a client for the servers that o.URL names, with one of go-redis'
// URL parsers. It does not connect. It accepts
//
//	redis://user:password@host:6379/0
//	redis+cluster://user:password@host:6379,host:6379
//	redis+sentinel://user:password@sentinel:26379,sentinel:26379/master/0?sentinel_username=…&sentinel_password=…
//	unix://user:password@/path/to/redis.sock?db=0
//
// and the first three with rediss for TLS. User and password are those of Redis itself.
// Options of go-redis in the query override the defaults that o.Timeout implies;
// retries stay off, and certificates are verified.
func newClient(o RedisOptions) (redis.UniversalClient, error) {
	scheme, rest, _ := strings.Cut(o.URL.Reveal(), "://")
	scheme, kind, _ := strings.Cut(scheme, "+")
	if scheme != "redis" && scheme != "rediss" && (scheme != "unix" || kind != "") {
		return nil, errScheme
	}
	switch kind {
	case "":
		single, err := singleOptions(scheme, rest, o.Timeout)
		if err != nil {
			return nil, err
		}
		if err := o.secure(single.TLSConfig); err != nil {
			return nil, err
		}
		return redis.NewClient(single), nil
	case "cluster":
		cluster, err := clusterOptions(scheme, rest, o.Timeout)
		if err != nil {
			return nil, err
		}
		if err := o.secure(cluster.TLSConfig); err != nil {
			return nil, err
		}
		return redis.NewClusterClient(cluster), nil
	case "sentinel":
		sentinel, err := sentinelOptions(scheme, rest, o.Timeout)
		if err != nil {
			return nil, err
		}
		if err := o.secure(sentinel.TLSConfig); err != nil {
			return nil, err
		}
		return redis.NewFailoverClient(sentinel), nil
	default:
		return nil, errScheme
	}
}

// secure completes the TLS settings of a client, nil without TLS. It returns an error if
// certificates would not be verified.
func (o RedisOptions) secure(c *tls.Config) error {
	if c == nil {
		return nil
	}
	if c.InsecureSkipVerify {
		return errUnverified
	}
	c.RootCAs, c.GetClientCertificate = o.RootCAs, o.ClientCertificate
	return nil
}

func singleOptions(scheme, rest string, timeout time.Duration) (*redis.Options, error) {
	var u *url.URL
	var err error
	malformed := errSingle
	if scheme == "unix" {
		u, err = socketURL(rest)
		malformed = errSocket
	} else {
		u, err = splitHosts(scheme, rest, "6379")
	}
	if err != nil {
		return nil, err
	}
	failFast(u, timeout)
	o, err := redis.ParseURL(u.String())
	if err != nil || o.DB < 0 {
		return nil, malformed
	}
	o.ContextTimeoutEnabled = true
	o.DialerRetries = 1
	o.DisableIdentity = true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return o, nil
}

// clusterReload is how old the map of a cluster may be. go-redis reads it again after an
// answer that redirects, but a master that was replaced does not answer.
const clusterReload = 5 * time.Second

func clusterOptions(scheme, rest string, timeout time.Duration) (*redis.ClusterOptions, error) {
	u, err := splitHosts(scheme, rest, "6379")
	if err != nil {
		return nil, err
	}
	if strings.Trim(u.Path, "/") != "" { // a cluster has no numbered databases
		return nil, errCluster
	}
	failFast(u, timeout)
	o, err := redis.ParseClusterURL(u.String())
	if err != nil {
		return nil, errCluster
	}
	o.ClusterStateReloadInterval = clusterReload
	if o.TLSConfig != nil {
		o.TLSConfig.ServerName = "" // each node is verified by its own name, not by that of the first
	}
	o.ContextTimeoutEnabled = true
	o.DialerRetries = 1
	o.DisableIdentity = true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return o, nil
}

func sentinelOptions(scheme, rest string, timeout time.Duration) (*redis.FailoverOptions, error) {
	u, err := splitHosts(scheme, rest, "26379")
	if err != nil {
		return nil, err
	}
	query := u.Query()
	master, database, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	if master != "" {
		query.Set("master_name", master)
	}
	if u.User != nil { // go-redis takes these for the sentinels' own
		password, _ := u.User.Password()
		query.Set("username", u.User.Username())
		query.Set("password", password)
	}
	u.User = url.UserPassword(query.Get("sentinel_username"), query.Get("sentinel_password"))
	query.Del("sentinel_username")
	query.Del("sentinel_password")
	u.Path, u.RawPath, u.RawQuery = "/"+database, "", query.Encode()
	failFast(u, timeout)
	o, err := redis.ParseFailoverURL(u.String())
	if err != nil || o.MasterName == "" || o.DB < 0 || o.RouteByLatency || o.RouteRandomly {
		return nil, errSentinel // NewFailoverClient panics on the two routing options
	}
	if o.TLSConfig != nil {
		o.TLSConfig.ServerName = "" // each server is verified by its own name, not by that of the first sentinel
	}
	o.ContextTimeoutEnabled = true
	o.DialerRetries = 1
	o.DisableIdentity = true
	return o, nil
}

// socketURL parses what follows unix:// in the URL of a socket, which has no host.
func socketURL(rest string) (*url.URL, error) {
	u, err := url.Parse("unix://" + rest)
	switch {
	case err != nil || u.Fragment != "":
		return nil, errURL
	case u.Host != "" || !path.IsAbs(u.Path):
		return nil, errSocket
	}
	return u, nil
}

// splitHosts parses a URL whose authority may name several hosts. All but the first
// become addr parameters, as go-redis' parsers expect them. Each host gets a port.
func splitHosts(scheme, rest, port string) (*url.URL, error) {
	end := len(rest)
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		end = i
	}
	hostsAt := strings.LastIndexByte(rest[:end], '@') + 1
	u, err := url.Parse(scheme + "://" + rest[:hostsAt] + "host" + rest[end:])
	if err != nil || u.Fragment != "" {
		return nil, errURL
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, errURL
	}
	for i, host := range strings.Split(rest[hostsAt:end], ",") {
		h, err := url.Parse(scheme + "://" + host)
		if err != nil || h.Hostname() == "" {
			return nil, errHost
		}
		if h.Port() == "" {
			h.Host = net.JoinHostPort(h.Hostname(), port)
		}
		if i == 0 {
			u.Host = h.Host
		} else {
			query.Add("addr", h.Host)
		}
	}
	u.RawQuery = query.Encode()
	return u, nil
}

// maxIdle is how long a connection may be idle, unless the URL says otherwise. Servers and
// networks close those that are idle for long; with TLS, go-redis would only notice when a call
// fails on it.
const maxIdle = time.Minute

// failFast sets short timeouts and disables retries: callers have a fallback, and a
// retry could count a hit twice. Timeouts and pool size that the URL sets stay.
func failFast(u *url.URL, timeout time.Duration) {
	query := u.Query()
	for name, value := range map[string]string{
		"dial_timeout":       timeout.String(),
		"read_timeout":       timeout.String(),
		"write_timeout":      timeout.String(),
		"pool_timeout":       timeout.String(),
		"pool_size":          strconv.Itoa(2 * batchWorkers), // the batches, and as many tokens being stored
		"pipeline_pool_size": "-1",                           // a second pool, with larger buffers than our batches need
		"protocol":           "2",                            // with 3, each answer is searched for notifications, which are off
	} {
		if !query.Has(name) {
			query.Set(name, value)
		}
	}
	if !query.Has("idle_timeout") && !query.Has("conn_max_idle_time") {
		query.Set("conn_max_idle_time", maxIdle.String())
	}
	query.Set("max_retries", "-1")
	u.RawQuery = query.Encode()
}
