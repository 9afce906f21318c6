package app_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"

	"casbroker/internal/access"
	"casbroker/internal/app"
	"casbroker/internal/config"
	"casbroker/internal/demo"
	"casbroker/internal/sandbox"
	"casbroker/internal/secret"
	"casbroker/internal/server"
	"casbroker/internal/testkit/logtest"
	"casbroker/internal/testkit/services"
	"casbroker/internal/testkit/storetest"
	"casbroker/web"
)

var screenshots = flag.String("screenshots", "", "write pictures of the demo page to this folder")

// stepTimeout bounds one step on the page, in a browser that shares its processor.
const stepTimeout = 30 * time.Second

// demoApp is the demo page with its broker and vendor.
type demoApp struct {
	URL    string
	vendor *sandbox.Sandbox
	access *access.Service
	parse  atomic.Pointer[func()] // called when the vendor has got a statement
}

// openDemo serves the demo until the test ends. before, if not nil, may answer a request
// instead of the broker, and reports whether it did. The vendor's clock does not move, so
// that a statement parsed twice gets the same answer.
func openDemo(t *testing.T, before func(w http.ResponseWriter, r *http.Request) bool) *demoApp {
	t.Helper()
	return openDemoWith(t, before)
}

// openDemoWith is openDemo with budgets.
func openDemoWith(t *testing.T, before func(w http.ResponseWriter, r *http.Request) bool, budgets ...config.Budget) *demoApp {
	t.Helper()
	now := time.Now()
	shop := &demoApp{}
	var broker http.Handler
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if before == nil || !before(w, r) {
			broker.ServeHTTP(w, r)
		}
	}))
	settings, vendor := settingsWith(t, secret.URL(storetest.SQLite(t)), "memory",
		sandbox.Options{Now: func() time.Time { return now }})
	settings.Token.Mode, settings.Budgets, settings.Web.StandIn = config.ModeBoth, budgets, true
	settings.Gateway.Features, settings.Gateway.RedirectHosts = config.GatewayFeatures(), []string{s.Listener.Addr().String()}
	at := httptest.NewServer(shop.callParse(vendor))
	t.Cleanup(at.Close)
	settings.Upstream.URL = at.URL
	page := &demo.Handler{
		Secret: demo.NewSecret(), Now: time.Now, Page: web.Demo, Sandbox: vendor,
		Modes: []string{config.ModeGateway, config.ModeDirect}, Features: settings.Gateway.Features,
	}
	settings.Auth.Verifiers = append(settings.Auth.Verifiers, config.Verifier{
		Name: "demo", Issuer: demo.Issuer, Audience: []string{demo.Audience},
		Algorithms: []string{demo.Algorithm}, Secret: page.Secret, MaxLifetime: demo.TokenLife,
	})
	a, err := app.New(t.Context(), settings, app.Options{LogTo: &logtest.Log{}, Public: []server.Routes{page}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	broker = a.Handler()
	s.Start()
	t.Cleanup(s.Close)
	shop.URL, shop.vendor, shop.access = s.URL, vendor, a.Access()
	return shop
}

// callParse returns vendor with calls of s.parse.
func (s *demoApp) callParse(vendor http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f := s.parse.Load(); f != nil && strings.HasSuffix(r.URL.Path, "/parse") {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return // the gateway broke off
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			(*f)()
		}
		vendor.ServeHTTP(w, r)
	})
}

// display is the screen of a browser.
type display struct {
	name          string
	width, height int64
	scheme        string // light or dark
}

var desktop = display{"wide-light", 1280, 860, "light"}

// tab is a tab of the browser, with storage and a window of its own.
type tab struct {
	t    *testing.T
	ctx  context.Context
	look display

	window target.ID // that consent saw last

	mu   sync.Mutex
	said []string // on the console
}

// browser is the browser of all tests, since to start one takes a second of processor time.
var browser struct {
	once  sync.Once
	ctx   context.Context
	close func()
	err   error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if browser.close != nil {
		browser.close()
	}
	os.Exit(code)
}

// unusedFeatures are the features of Chromium that the tests do without: those that chromedp
// disables, and the pages that each window opens for suggestions below its address bar, in
// processes of their own, which take more processor time than most pages of ours.
const unusedFeatures = "Translate,BlinkGenPropertyTrees,WebUIOmniboxPopup,WebUIOmniboxAimPopup"

// startBrowser starts the browser at path, with its profile in folder.
func startBrowser(path, folder string) {
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(path), chromedp.UserDataDir(folder), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-features", unusedFeatures))
	allocator, end := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, closeTab := chromedp.NewContext(allocator)
	browser.ctx = ctx
	browser.close = func() {
		closeTab()
		end()
		_ = os.RemoveAll(folder)
	}
	browser.err = chromedp.Do(ctx, chromedp.Navigate("about:blank"))
}

// openTab opens a tab that shares nothing with those of other tests. Its window is its own,
// because background tabs are not painted.
func openTab(t *testing.T, l display) *tab {
	t.Helper()
	path := services.Chromium(t)
	browser.once.Do(func() { startBrowser(path, services.SharedDir(t)) })
	if browser.err != nil {
		t.Fatal(browser.err)
	}
	ctx, closeTab := chromedp.NewContext(browser.ctx, chromedp.WithNewBrowserContext())
	t.Cleanup(closeTab)
	b := &tab{t: t, ctx: ctx, look: l}
	if err := chromedp.Do(ctx, chromedp.Func(b.emulate)); err != nil {
		t.Fatal(err)
	}
	console := chromedp.Console(ctx)
	go func() {
		for m, err := range console {
			if err != nil {
				return
			}
			b.mu.Lock()
			b.said = append(b.said, m.String())
			b.mu.Unlock()
		}
	}()
	return b
}

// change gives the tab another screen.
func (b *tab) change(l display) {
	b.t.Helper()
	b.look = l
	b.do(chromedp.Func(b.emulate))
}

func (b *tab) emulate(ctx context.Context, target *chromedp.Target) error {
	if _, err := cdp.Call(ctx, target, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: b.look.width, Height: b.look.height, DeviceScaleFactor: 1, Mobile: b.look.width < 600,
	}); err != nil {
		return err
	}
	_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: b.look.scheme}},
	})
	return err
}

// do runs steps on the page and fails the test if one takes longer than stepTimeout.
func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, stepTimeout)
	defer cancel()
	for i, step := range steps {
		if err := chromedp.Do(ctx, step); err != nil {
			b.t.Fatalf("step %d: %v; the browser console has %q", i+1, err, b.console())
		}
	}
}

// read returns what an action reads on the page.
func read[T any](b *tab, a chromedp.Action[T]) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, stepTimeout)
	defer cancel()
	v, err := chromedp.Run(ctx, a)
	if err != nil {
		b.t.Fatalf("%v; the browser console has %q", err, b.console())
	}
	return v
}

func (b *tab) console() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.said)
}

// wantNoErrors fails the test if the page threw an error or violated its content policy.
func (b *tab) wantNoErrors() {
	b.t.Helper()
	for _, line := range b.console() {
		if strings.Contains(line, "Content Security Policy") || strings.HasPrefix(line, string(chromedp.ConsoleException)) {
			b.t.Errorf("the browser console has %s", line)
		}
	}
}

// screenshot saves an image of the whole page if the flag asks for it.
func (b *tab) screenshot(name string) {
	b.t.Helper()
	if *screenshots == "" {
		return
	}
	if err := os.MkdirAll(*screenshots, 0o700); err != nil {
		b.t.Fatal(err)
	}
	path := filepath.Join(*screenshots, fmt.Sprintf("%s-%s.png", b.look.name, name))
	if err := os.WriteFile(path, read(b, chromedp.FullScreenshot(100)), 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// on selects the element with this data-testid on the page.
func on(id string) chromedp.CSS {
	return chromedp.CSS(fmt.Sprintf("[data-testid=%q]", id))
}

// in selects the element with this data-testid in the widget's shadow root.
func in(id string) chromedp.JSPath {
	return chromedp.JSPath(fmt.Sprintf(`document.querySelector("[data-testid=widget]")?.shadowRoot.querySelector("[data-testid=%s]")`, id))
}

// until waits until a JavaScript expression is true.
func until(expression string) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		_, err := chromedp.Poll[bool](expression)(ctx, target)
		return chromedp.Void{}, err
	}
}
