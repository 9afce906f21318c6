package cache

import (
	"crypto/tls"
	"errors"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// What is wrong with a URL. It is not repeated, since it may hold a password.
var (
	errURL    = errors.New("redis URL: cannot be read")
	errScheme = errors.New("redis URL: want redis://, rediss://, redis+cluster://, rediss+cluster://, " +
		"redis+sentinel:// or rediss+sentinel://")
	errHost   = errors.New("redis URL: want host, host:port or several of them with commas between")
	errSingle = errors.New("redis URL: redis:// takes one host; for more say redis+cluster:// or redis+sentinel://")
	errPath   = errors.New("redis URL: want /number for the database, nothing for a cluster, and /master or " +
		"/master/number for sentinels")
	errQuery = errors.New("redis URL: no parameters but sentinel_username and sentinel_password with sentinels")
)

// parseURL understands
//
//	redis://user:password@host:6379/0
//	redis+cluster://user:password@host:6379,host:6379
//	redis+sentinel://user:password@sentinel:26379,sentinel:26379/master/0?sentinel_username=…&sentinel_password=…
//
// and the same with rediss for TLS. User and password are those of Redis itself.
func parseURL(text string) (*redis.UniversalOptions, error) {
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok {
		return nil, errScheme
	}
	authority, tail := rest, ""
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		authority, tail = rest[:i], rest[i:]
	}
	user, hosts := "", authority
	if i := strings.LastIndex(authority, "@"); i >= 0 {
		user, hosts = authority[:i+1], authority[i+1:]
	}
	u, err := url.Parse("redis://" + user + "host" + tail) // net/url knows one host alone
	if err != nil || u.Fragment != "" {
		return nil, errURL
	}
	o := &redis.UniversalOptions{Username: u.User.Username()}
	o.Password, _ = u.User.Password()
	kind, isTLS := strings.CutPrefix(scheme, "rediss")
	if isTLS {
		o.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	} else if kind, ok = strings.CutPrefix(scheme, "redis"); !ok {
		return nil, errScheme
	}
	return o, target(o, kind, hosts, u)
}

// target sets where to find Redis, by the part of the scheme behind "redis".
func target(o *redis.UniversalOptions, kind, hosts string, u *url.URL) error {
	path := strings.TrimPrefix(u.Path, "/")
	var port, database string
	switch kind {
	case "":
		port, database = "6379", path
		if strings.Contains(hosts, ",") {
			return errSingle
		}
	case "+cluster":
		port, o.IsClusterMode = "6379", true
		if path != "" {
			return errPath
		}
	case "+sentinel":
		port = "26379"
		o.MasterName, database, _ = strings.Cut(path, "/")
		if o.MasterName == "" {
			return errPath
		}
	default:
		return errScheme
	}
	return errors.Join(setAddrs(o, hosts, port), setDatabase(o, database), setQuery(o, u.Query()))
}

func setAddrs(o *redis.UniversalOptions, hosts, port string) error {
	for host := range strings.SplitSeq(hosts, ",") {
		u, err := url.Parse("redis://" + host)
		if err != nil || u.Hostname() == "" || u.User != nil || u.Path != "" {
			return errHost
		}
		p := u.Port()
		if p == "" {
			p = port
		}
		o.Addrs = append(o.Addrs, net.JoinHostPort(u.Hostname(), p))
	}
	return nil
}

func setDatabase(o *redis.UniversalOptions, text string) error {
	if text == "" {
		return nil
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return errPath
	}
	o.DB = int(n)
	return nil
}

func setQuery(o *redis.UniversalOptions, q url.Values) error {
	for name, values := range q {
		switch {
		case o.MasterName != "" && name == "sentinel_username":
			o.SentinelUsername = values[0]
		case o.MasterName != "" && name == "sentinel_password":
			o.SentinelPassword = values[0]
		default:
			return errQuery
		}
	}
	return nil
}
