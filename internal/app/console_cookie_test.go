package app_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/security"
	"github.com/chromedp/chromedp"

	"casbroker/internal/secret"
	"casbroker/internal/testkit/storetest"
)

// neighbour is another program on the machine, whose pages the browser opens too. It sets the
// cookies of the query parameter set, and remembers those that it was sent last.
type neighbour struct {
	*httptest.Server
	mu   sync.Mutex
	sent []*http.Cookie
}

func newNeighbour(t *testing.T, page string) *neighbour {
	t.Helper()
	n := &neighbour{}
	n.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.mu.Lock()
		defer n.mu.Unlock()
		if r.URL.Path != "/favicon.ico" {
			n.sent = r.Cookies()
		}
		for _, set := range r.URL.Query()["set"] {
			w.Header().Add("Set-Cookie", set)
		}
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprintf(w, `<p data-testid="neighbour">%s</p>`, page)
	}))
	t.Cleanup(n.Close)
	return n
}

// named returns how many cookies of that name it was sent last.
func (n *neighbour) named(name string) (count int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range n.sent {
		if c.Name == name {
			count++
		}
	}
	return count
}

// portOf returns the port of an URL.
func portOf(t *testing.T, at string) string {
	t.Helper()
	u, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	return u.Port()
}

func TestTwoBrokersOnOneMachineKeepTheirSessions(t *testing.T) {
	t.Parallel()
	one, page, key := openConsole(t, desktop)
	settings, _ := settingsFor(t, secret.URL(storetest.SQLite(t)), "memory")
	otherKey := withOperator(t, &settings, "rohan")
	two := start(t, settings)
	page.signInOperator(key)
	page.do(chromedp.Navigate(two.URL+"/console/"), chromedp.WaitVisible(on("key")))
	page.signInOperator(otherKey)
	for at, who := range map[string]string{one.URL: "meera", two.URL: "rohan"} {
		page.do(chromedp.Navigate(at+"/console/"), chromedp.WaitVisible(on("who")))
		has(t, read(page, chromedp.Text(on("who"))), who)
	}
}

func TestLinkOnAnotherSiteOpensTheConsoleSignedIn(t *testing.T) {
	t.Parallel()
	b, page, key := openConsole(t, desktop)
	page.signInOperator(key)
	ticket := newNeighbour(t, fmt.Sprintf(`<a data-testid="link" href="%s/console/users">the user of the ticket</a>
		<form method="post" action="%s/console/sign-out"><button data-testid="form">a trap</button></form>`, b.URL, b.URL))
	at := "http://localhost:" + portOf(t, ticket.URL) // another site than 127.0.0.1
	page.do(chromedp.Navigate(at), chromedp.WaitVisible(on("link")))
	page.follow(on("link"), "who")
	page.do(chromedp.Navigate(at), chromedp.WaitVisible(on("form")))
	page.follow(on("form"), "who") // the browser sends no cookie with the form, but with the page that follows
}

func TestCookieOfAnotherProgramDoesNotEndTheSession(t *testing.T) {
	t.Parallel()
	b, page, key := openConsole(t, desktop)
	page.signInOperator(key)
	name := "casbroker_session_" + portOf(t, b.URL)
	other := newNeighbour(t, "")
	visit := func(path string) {
		page.do(chromedp.Navigate(other.URL+path), chromedp.WaitVisible(on("neighbour")))
	}
	visit("/?set=" + url.QueryEscape(name+"="+strings.Repeat("x", 43)+"; Path=/console"))
	if visit("/console/x"); other.named(name) != 2 {
		t.Fatalf("got %d cookies, want the planted one next to the session's", other.named(name))
	}
	page.do(chromedp.Navigate(b.URL+"/console/users"), chromedp.WaitVisible(on("who")))
	if visit("/console/x"); other.named(name) != 1 {
		t.Errorf("got %d cookies, want the planted one cleared", other.named(name))
	}
	page.do(chromedp.Navigate(b.URL+"/console/"), chromedp.WaitVisible(on("who")))
}

// TestSessionCookieOverTLSIsTheHostsOwn: the browser checks what the name promises.
func TestSessionCookieOverTLSIsTheHostsOwn(t *testing.T) {
	t.Parallel()
	b, page, key := openConsole(t, desktop)
	names := make(chan string, 100)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, c := range r.Cookies() {
			select {
			case names <- c.Name:
			default:
			}
		}
		b.app.Handler().ServeHTTP(w, r)
	}))
	s.Config.BaseContext = func(net.Listener) context.Context { return context.Background() }
	s.StartTLS()
	t.Cleanup(s.Close)
	page.do(func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, target, security.SetIgnoreCertificateErrors, security.SetIgnoreCertificateErrorsParams{Ignore: true})
		return chromedp.Void{}, err
	})
	page.do(chromedp.Navigate(s.URL+"/console/"), chromedp.WaitVisible(on("key")))
	page.signInOperator(key)
	if want, got := "__Host-casbroker_session_"+portOf(t, s.URL), <-names; got != want {
		t.Errorf("got the cookie %s, want %s", got, want)
	}
}
