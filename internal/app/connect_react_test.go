package app_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"casbroker/internal/config"
)

// nonce is what scripts of the rendered page need; no origin may give it a script.
const nonce = "r4nd0m"

// rendered is a page that a server has rendered with React, and its script.
const rendered = `<!doctype html><html lang="en"><head><title>App</title><link rel="icon" href="data:,">
<script type="importmap" nonce="r4nd0m">{"imports":{"react":"/modules/react.js","casbroker-connect/react":"%s/connect/react.js"}}</script>
<script type="module" nonce="r4nd0m" src="/page.js"></script></head><body><div id="app">%s</div></body></html>`

const hydrating = `import { createElement } from "react";
import { hydrateRoot } from "/modules/react-dom-client.js";
import { App } from "/app.js";
globalThis.problems = [];
document.addEventListener("securitypolicyviolation", (e) => problems.push(e.violatedDirective + " " + e.blockedURI));
const root = hydrateRoot(document.getElementById("app"), createElement(App, %s), { onRecoverableError: (e) => problems.push(String(e)) });
globalThis.render = (props) => root.render(createElement(App, { key: "vendor", ...props }));`

// openRenderedPage serves a page of React that is rendered on the server, and returns its URL.
func openRenderedPage(t *testing.T, s *connectSite, l *httptest.Server) {
	t.Helper()
	folder := moduleFolder(t)
	cmd := exec.CommandContext(t.Context(), "node", "test/server.js", `{"brokerUrl":"`+s.broker+`"}`) //nolint:gosec // a program of the test
	cmd.Dir, cmd.Stderr = folder, os.Stderr
	html, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	app, err := os.ReadFile("../../web/connect/test/app.js")
	if err != nil {
		t.Fatal(err)
	}
	files := reactModules(t)
	files["/app.js"] = string(app)
	files["/page.js"] = fmt.Sprintf(hydrating, `{ brokerUrl: "`+s.broker+`", getUserToken: () => sessionStorage.getItem("jwt"), widget: { nonce: "`+nonce+`" }, token: { mode: "gateway" } }`)
	files["/"] = fmt.Sprintf(rendered, s.broker, html)
	files["/blank"] = "<!doctype html><title>Blank</title>"
	l.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, found := files[r.URL.Path]
		if !found {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", map[bool]string{true: "text/javascript", false: "text/html; charset=utf-8"}[strings.HasSuffix(r.URL.Path, ".js")])
		w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'nonce-"+nonce+"' 'strict-dynamic'; connect-src "+s.broker+"; img-src data:; base-uri 'none'")
		_, _ = fmt.Fprint(w, text)
	})
	l.Start()
	t.Cleanup(l.Close)
}

func TestPageThatItsServerRendersImportsWithReact(t *testing.T) {
	t.Parallel()
	l := httptest.NewUnstartedServer(nil)
	origin := "http://" + l.Listener.Addr().String()
	s := openConnectSite(t, func(c *config.Config) { c.Server.AllowedOrigins = []string{origin} })
	openRenderedPage(t, s, l)
	b := openTab(t, desktop)
	b.do(chromedp.Navigate(origin+"/blank"), chromedp.Evaluate[chromedp.Void](`sessionStorage.setItem("jwt", "`+bearer(t, "asha")+`")`))
	b.do(chromedp.Navigate(origin), chromedp.WaitEnabled(on("start")), chromedp.Click(on("start")), chromedp.WaitEnabled(in("file")),
		until(`document.querySelector("[data-testid=start]").textContent === "Open"`),
		chromedp.SetUploadFiles(in("file"), []string{statement(t, "cdsl")}), until(string(in("picked"))+`.textContent.includes("kB")`))
	b.parse("ABCDE1234F")
	b.do(until(`document.querySelector("[data-testid=text]").textContent.startsWith("Imported CDSL pf_") && notes.join() === "onExit"`))

	// Code for the vendor's component saves the result itself, and brings the token.
	saves := s.count("POST /v1/portfolios")
	b.do(chromedp.Evaluate[chromedp.Void](`(() => { globalThis.PortfolioConnect = { open: async (o) => (o.accessToken === "at_own" ?
		{ status: "success", data: { meta: { cas_type: "NSDL" } }, metadata: {} } : { status: "closed" }) }; render({ accessToken: "at_own" }); })()`),
		until(`document.querySelector("[data-testid=text]").textContent.startsWith("Nothing")`), chromedp.WaitEnabled(on("start")), chromedp.Click(on("start")),
		until(`document.querySelector("[data-testid=text]").textContent === "Imported NSDL by the app"`))
	if got := s.count("POST /v1/portfolios"); got != saves {
		t.Errorf("got %d more saves, want the app's only", got-saves)
	}

	// Two calls while it is open are one for the app; another user on the page closes it, and can open it again.
	b.run(`notes.length = 0; globalThis.finish = []; globalThis.PortfolioConnect = { open: () => new Promise((done) => finish.push(done)) }`)
	b.do(chromedp.Click(on("start")), chromedp.Click(on("start")), until(`finish.length === 1`), chromedp.Evaluate[chromedp.Void](`finish[0]({ status: "closed" })`),
		until(`document.querySelector("[data-testid=start]").textContent === "Import" && notes.join() === "onExit"`),
		chromedp.Click(on("start")), until(`finish.length === 2 && document.querySelector("[data-testid=start]").textContent === "Open"`),
		chromedp.Evaluate[chromedp.Void](`render({ accessToken: "at_own", user: "another" })`),
		until(`document.querySelector("[data-testid=start]").textContent === "Import"`),
		chromedp.Click(on("start")), until(`finish.length === 3 && notes.length === 1`))
	if got := read(b, chromedp.Evaluate[[]string](`problems`)); len(got) > 0 {
		t.Errorf("got %q: violations of the policy, or another page than the server's", got)
	}
	b.wantNoErrors()
}

func TestElementImportsAndExplainsErrors(t *testing.T) {
	t.Parallel()
	s := openConnectSite(t, nil)
	b := openTab(t, desktop)
	b.visit(s, "asha", `(o) => stub.parse(o)`)
	button := chromedp.JSPath(`document.querySelector("portfolio-connect-button").shadowRoot.querySelector("button")`)
	b.run(`import("` + s.broker + `/connect/element.js").then(() => {
		const element = document.createElement("portfolio-connect-button");
		element.textContent = "Add my statement";
		element.connect = make({ token: { mode: "gateway" } });
		globalThis.fired = [];
		for (const name of ["portfolio-saved", "portfolio-error"]) document.addEventListener(name, (e) => fired.push(name + " " + (e.detail.portfolio?.provenance ?? e.detail.error.code)));
		document.querySelector("main").append(element);
	})`)
	b.do(chromedp.WaitVisible(button), chromedp.Click(button), until(`fired.join() === "portfolio-saved verified"`))
	s.down.Store(true)
	b.run(`document.querySelector("portfolio-connect-button").connect = make({ language: "hi", token: { mode: "gateway" } })`)
	b.do(chromedp.Click(button), until(`fired[1] === "portfolio-error network"`))
	message := `document.querySelector("portfolio-connect-button").shadowRoot.querySelector("[role=status]").textContent`
	has(t, read(b, chromedp.Evaluate[string](message)), "इंटरनेट")
	b.wantAccessible("element")
	b.wantNoViolations()
}

func TestElementTakesPropertiesWheneverTheyAreSet(t *testing.T) {
	t.Parallel()
	s := openConnectSite(t, nil)
	b := openTab(t, desktop)
	b.visit(s, "asha", closeAtOnce)
	b.run(`const main = document.querySelector("main");
		main.innerHTML = "<portfolio-connect-button keep-unsaved='session'></portfolio-connect-button><portfolio-connect-button></portfolio-connect-button>";
		globalThis.tags = [...main.children];
		Object.assign(tags[0], { getUserToken: jwt, config: { title: "Early" } });
		import("` + s.broker + `/connect/element.js").then(() => {
			globalThis.before = tags[1].connect;
			tags[1].getUserToken = jwt;
			show(tags[0].open().then(() => tags[1].open()));
		})`)
	if r := b.result(); r.Status != "closed" {
		t.Errorf("got %+v: without the user's token", r)
	}
	if !read(b, chromedp.Evaluate[bool](`opened[0].config.title === "Early" && tags[1].connect !== before && opened.length === 2`)) {
		t.Error("properties of an element were lost")
	}
	b.wantNoViolations()
}

func TestThirdPartyCookiesAreNotNeeded(t *testing.T) {
	t.Parallel()
	s := openConnectSite(t, func(c *config.Config) { c.Auth.Cookie = "session" })
	b := openTab(t, desktop)
	secure := true
	same, other := s.broker, strings.Replace(s.broker, "127.0.0.1", "localhost", 1) // of the page's site, and of another
	b.do(chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		for _, cookie := range []network.SetCookieParams{{URL: same, SameSite: "Lax"}, {URL: other, SameSite: "None", Secure: &secure}} {
			cookie.Name, cookie.Value = "session", bearer(t, "asha")
			if _, err := cdp.Call(ctx, target, network.SetCookie, cookie); err != nil {
				return err
			}
		}
		if _, err := cdp.Call(ctx, target, network.Enable, network.EnableParams{}); err != nil {
			return err
		}
		_, err := cdp.Call(ctx, target, network.SetCookieControls, network.SetCookieControlsParams{EnableThirdPartyCookieRestriction: true})
		return err
	}))
	withCookies := `show(make({ getUserToken: undefined }).open())`
	b.visit(s, "asha", closeAtOnce)
	b.run(withCookies)
	if r := b.result(); r.Status != "closed" {
		t.Errorf("of the same site: got %+v", r)
	}
	s.moveBroker(other)
	b.visit(s, "asha", `(o) => stub.parse(o)`)
	b.run(withCookies)
	if r := b.result(); r.Error.Code != "unauthenticated" || r.Error.Retryable {
		t.Errorf("of another site: got %+v", r)
	}
	b.run(`show(make({ token: { mode: "gateway" }, keepUnsaved: true }).open())`)
	b.wantSaved()
	b.wantNoViolations()
}
