package cli

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"casbroker/internal/netaddr"
)

// The variables that stand in for the flags.
const (
	urlVariable     = "BROKER_URL"
	keyVariable     = "BROKER_KEY"
	keyFileVariable = "BROKER_KEY_FILE"
)

// dialTime bounds how long it may take to reach a broker.
const dialTime = 10 * time.Second

// Faults of how a running broker is named.
var (
	errNoURL     = usageError{errors.New("which broker? Give --url or set " + urlVariable + ", such as https://broker.example")}
	errURL       = usageError{errors.New("--url: want the address of a broker alone, such as https://broker.example")}
	errPlainHTTP = usageError{errors.New("--url: the key would cross the network unencrypted, so http is for a broker on this machine alone: give an https address")}
)

// brokerFlags say which running broker is meant, and with which key. A key is never
// an argument, for everybody on a machine may read those.
type brokerFlags struct {
	URL     named `name:"url" placeholder:"URL" help:"The running broker, such as https://broker.example; or set BROKER_URL."`
	KeyFile named `name:"key-file" placeholder:"FILE" help:"A file with your admin key, - for standard input; or set BROKER_KEY_FILE or BROKER_KEY."`
}

// signedIn calls do with a client that is signed in, and signs it out however do ends.
func (f brokerFlags) signedIn(ctx context.Context, t *Terminal, do func(*client) error) error {
	base, err := f.base(t)
	if err != nil {
		return err
	}
	key, err := f.key(t)
	if err != nil {
		return err
	}
	c := &client{base: strings.TrimRight(base.String(), "/"), http: courier(base.Scheme)}
	defer c.http.CloseIdleConnections()
	if err := c.signIn(ctx, key); err != nil {
		return err
	}
	defer c.signOut(ctx, t)
	return do(c)
}

// base is where the broker is. It is never shown before it is known to hold no password.
func (f brokerFlags) base(t *Terminal) (*url.URL, error) {
	text := string(f.URL)
	if text == "" {
		text = t.variable(urlVariable)
	}
	if text == "" {
		return nil, errNoURL
	}
	u, err := url.Parse(text)
	switch {
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "", u.User != nil, u.RawQuery != "", u.Fragment != "":
		return nil, errURL
	case u.Scheme == "http" && !netaddr.IsLoopback(u.Hostname()):
		return nil, errPlainHTTP
	}
	return u, nil
}

// courier returns what carries requests to a broker. It follows no redirect, which
// would take the key to somebody else, and over http it leaves this machine never.
func courier(scheme string) *http.Client {
	dialer := &net.Dialer{Timeout: dialTime}
	transport := &http.Transport{DialContext: dialer.DialContext, TLSHandshakeTimeout: dialTime, ForceAttemptHTTP2: true}
	if scheme == "http" {
		dialer.Control = onlyThisMachine
	} else {
		transport.Proxy = http.ProxyFromEnvironment
	}
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// onlyThisMachine keeps a connection from being made to another machine, whatever
// "localhost" was made to mean.
func onlyThisMachine(_, address string, _ syscall.RawConn) error {
	if !netaddr.IsLoopback(address) {
		return errPlainHTTP
	}
	return nil
}

// variable returns a variable of the environment, "" when it is not set.
func (t *Terminal) variable(name string) (value string) {
	for _, line := range t.Environ {
		if text, ok := strings.CutPrefix(line, name+"="); ok {
			value = text
		}
	}
	return value
}
