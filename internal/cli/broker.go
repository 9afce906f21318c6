package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"casbroker/internal/netaddr"
)

// The environment variables that replace the flags.
const (
	urlVariable     = "BROKER_URL"
	keyVariable     = "BROKER_KEY"
	keyFileVariable = "BROKER_KEY_FILE"
)

// dialTimeout bounds connecting to a broker.
const dialTimeout = 10 * time.Second

// Errors about the URL of a running broker.
var (
	errNoURL     = usageError{errors.New("no broker: use --url or set " + urlVariable + ", such as https://broker.example")}
	errPlainHTTP = usageError{errors.New("--url or " + urlVariable + ": the key would cross the network unencrypted; use https, or http for a broker on this machine only")}
)

// brokerFlags select a running broker and the key to sign in with. The key is never an
// argument, because every user of a machine can read those.
type brokerFlags struct {
	URL     name `name:"url" placeholder:"URL" help:"The running broker, such as https://broker.example; or set BROKER_URL."`
	KeyFile name `name:"key-file" placeholder:"FILE" help:"A file with your admin key, - for standard input; or set BROKER_KEY_FILE or BROKER_KEY."`
}

// signedIn calls do with a client that is signed in, and signs it out afterwards.
func (f brokerFlags) signedIn(ctx context.Context, t *Terminal, do func(*client) error) error {
	base, err := f.base(t)
	if err != nil {
		return err
	}
	key, err := f.key(t)
	if err != nil {
		return err
	}
	c := &client{base: strings.TrimRight(base.String(), "/"), http: newHTTPClient(base.Scheme)}
	defer c.http.CloseIdleConnections()
	if err := c.signIn(ctx, key); err != nil {
		return err
	}
	defer c.signOut(ctx, t)
	return do(c)
}

// base returns the URL of the broker. Errors do not repeat it, because it may contain a
// password.
func (f brokerFlags) base(t *Terminal) (*url.URL, error) {
	text, source := string(f.URL), "--url"
	if text == "" {
		text, source = t.variable(urlVariable), urlVariable
	}
	if text == "" {
		return nil, errNoURL
	}
	u, err := url.Parse(text)
	switch {
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "", u.User != nil, u.RawQuery != "", u.Fragment != "":
		return nil, usageError{fmt.Errorf("%s: want only the address of a broker with http or https, such as https://broker.example", source)}
	case u.Scheme == "http" && !netaddr.IsLoopback(u.Hostname()):
		return nil, errPlainHTTP
	}
	return u, nil
}

// newHTTPClient returns a client for a broker. It does not follow redirects, which would
// send the key to another server, and with http it connects to this machine only.
func newHTTPClient(scheme string) *http.Client {
	dialer := &net.Dialer{Timeout: dialTimeout}
	transport := &http.Transport{DialContext: dialer.DialContext, TLSHandshakeTimeout: dialTimeout, ForceAttemptHTTP2: true}
	if scheme == "http" {
		dialer.Control = loopbackOnly
	} else {
		transport.Proxy = http.ProxyFromEnvironment
	}
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// loopbackOnly refuses connections to other machines, even if "localhost" resolves to one.
func loopbackOnly(_, address string, _ syscall.RawConn) error {
	if !netaddr.IsLoopback(address) {
		return errPlainHTTP
	}
	return nil
}

// variable returns an environment variable, "" if it is not set.
func (t *Terminal) variable(name string) (value string) {
	for _, line := range t.Environ {
		if text, ok := strings.CutPrefix(line, name+"="); ok {
			value = text
		}
	}
	return value
}
