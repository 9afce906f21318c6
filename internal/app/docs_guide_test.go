package app_test

import (
	"bufio"
	"context"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"casbroker/internal/config"
	"casbroker/internal/sandbox"
	"casbroker/internal/secret"
	"casbroker/internal/testkit/services"
	"casbroker/internal/testkit/storetest"
	"casbroker/web"
)

// fence is a block of code in a guide that names its file.
var fence = regexp.MustCompile("(?ms)^```\\w+ file=(\\S+)\n(.*?)^```$")

// snippets returns the blocks of a guide that name a file, by that name.
func snippets(t *testing.T, guide string) map[string]string {
	t.Helper()
	text, err := fs.ReadFile(web.Docs, "guides/"+guide+".md")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, block := range fence.FindAllStringSubmatch(string(text), -1) {
		if all[block[1]] != "" {
			t.Errorf("%s.md has %s twice", guide, block[1])
		}
		all[block[1]] = block[2]
	}
	if len(all) == 0 {
		t.Fatalf("%s.md has no code", guide)
	}
	return all
}

// reader is an app of a developer who follows a guide: pages of an origin of their own, a
// broker that knows it, and the emulated vendor.
type reader struct {
	t      *testing.T
	broker *broker
	key    string // a service key
	site   *httptest.Server
	pages  *http.ServeMux
}

// follow starts what a guide takes for granted. The app is ready to serve; its pages are added.
func follow(t *testing.T) *reader {
	t.Helper()
	r := &reader{t: t, pages: http.NewServeMux()}
	r.site = httptest.NewServer(r.pages)
	t.Cleanup(r.site.Close)
	now := time.Now()
	settings, _ := settingsWith(t, secret.URL(storetest.SQLite(t)), "memory", sandbox.Options{Now: func() time.Time { return now }})
	settings.Token.Mode, settings.Web.StandIn = config.ModeGateway, true
	settings.Server.AllowedOrigins = []string{r.site.URL, "capacitor://localhost", "https://localhost"}
	settings.Auth.Cookie = "app_session"
	settings.Link.Name, settings.Link.ReturnURLs = "Example Invest", []string{"https://app.example/done"}
	settings.Auth.Verifiers[0].MaxLifetime = time.Hour
	r.key = serviceKey(t, &settings, "backend", []string{"app"}, "casbroker:service")
	r.broker = start(t, settings)
	r.pages.HandleFunc("GET /api/broker-jwt", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"jwt":"`+bearer(t, "asha")+`"}`)
	})
	return r
}

// asIssuer is text in which the issuer of the users' JWTs stays as it is.
func (r *reader) asIssuer(text string) string {
	return strings.ReplaceAll(text, `setIssuer("https://app.example")`, `setIssuer("https://" + "app.example")`)
}

// here replaces the hosts of the guides by those of the test.
func (r *reader) here(text string) string {
	return strings.NewReplacer("https://broker.example", r.broker.URL, "https://app.example", r.site.URL).Replace(text)
}

// page serves a page of the app, and scripts by their names.
func (r *reader) page(path, text string, scripts map[string]string, header ...string) {
	serve := func(media, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", media)
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			_, _ = io.WriteString(w, text)
		}
	}
	r.pages.HandleFunc("GET "+path, serve("text/html; charset=utf-8", r.here(text)))
	folder := path[:strings.LastIndex(path, "/")+1]
	for name, script := range scripts {
		r.pages.HandleFunc("GET "+folder+name, serve("text/javascript", r.here(script)))
	}
}

// importOn opens a page of the app, imports a statement there, and waits until expression holds.
func (r *reader) importOn(path, expression string) *tab {
	r.t.Helper()
	b := openTab(r.t, desktop)
	r.importIn(b, path, expression)
	return b
}

// importIn is importOn in a tab that is open.
func (r *reader) importIn(b *tab, path, expression string) {
	r.t.Helper()
	b.do(chromedp.Navigate(r.site.URL + path))
	r.importHere(b, expression)
}

// importHere is importIn on the page that the tab shows.
func (r *reader) importHere(b *tab, expression string) {
	r.t.Helper()
	b.do(
		chromedp.Click(chromedp.CSS("button")),
		chromedp.WaitEnabled(in("file")),
		chromedp.SetUploadFiles(in("file"), []string{statement(r.t, "cdsl")}),
	)
	b.parse("ABCDE1234F")
	b.do(until(expression))
	b.wantNoErrors()
}

// hydrated is whether React has taken over the button of a page that its server has rendered: a click before
// that has no effect.
const hydrated = `Object.keys(document.querySelector("button") ?? {}).some((key) => key.startsWith("__reactProps"))`

// wantSaved fails the test unless the user has a statement of this provenance.
func (r *reader) wantSaved(user, provenance string) {
	r.t.Helper()
	var list struct{ Portfolios []struct{ Provenance string } }
	r.broker.call(r.t, user, http.MethodGet, "/v1/portfolios", "").must(r.t, 200).decode(r.t, &list)
	if len(list.Portfolios) != 1 || list.Portfolios[0].Provenance != provenance {
		r.t.Errorf("got %+v, want one portfolio that is %s", list.Portfolios, provenance)
	}
}

const saysSaved = `document.querySelector("[role=status]").textContent.startsWith("Saved: ₹ ")`

func TestGuideToAPlainPageWorks(t *testing.T) {
	t.Parallel()
	r, code := follow(t), snippets(t, "plain-page")
	r.page("/import.html", code["import.html"], map[string]string{"import.js": code["import.js"]})
	r.importOn("/import.html", saysSaved)
	r.wantSaved("asha", "verified")

	r.page("/owned/", `<!doctype html><title>x</title><script type="module" src="owned.js"></script>`, map[string]string{"owned.js": code["owned.js"]})
	b := openTab(t, desktop)
	b.do(chromedp.Navigate(r.site.URL+"/owned/"), until(`document.querySelectorAll("p").length > 5`))
	has(t, read(b, chromedp.Evaluate[string](`document.body.innerText`)), " units, ₹ ")
	b.wantNoErrors()
}

func TestGuideToUploadsByTheBrokerWorks(t *testing.T) {
	t.Parallel()
	r, code := follow(t), snippets(t, "plain-page")
	r.page("/import.html", code["import.html"], map[string]string{"import.js": code["upload.js"]})
	b := r.importOn("/import.html", `document.querySelector("[role=status]").textContent === "saved"`)
	r.wantSaved("asha", "verified")
	asked := read(b, chromedp.Evaluate[string](`performance.getEntriesByType("resource").map((e) => new URL(e.name).pathname).join(" ")`))
	if !strings.Contains(asked, "/v1/statements") || strings.Contains(asked, "/gateway/") {
		t.Errorf("the page asked for %s, want the broker to have parsed it", asked)
	}
}

func TestGuideToWebviewsWorks(t *testing.T) {
	t.Parallel()
	r, code := follow(t), snippets(t, "mobile")
	app := `globalThis.nativeApp = { token: async () => "` + bearer(t, "asha") + `", done: (id) => { document.title = id; } };`
	r.page("/app/", strings.Replace(snippets(t, "plain-page")["import.html"], "<script ", `<script src="app.js"></script><script `, 1),
		map[string]string{"import.js": code["webview.js"], "app.js": app})
	b := openTab(t, display{"webview", 390, 844, "light"})
	b.setUserAgent("Mozilla/5.0 (Linux; Android 15; Pixel 9; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/140.0.0.0 Mobile Safari/537.36")
	r.importIn(b, "/app/", `document.title.startsWith("pf_")`)
	r.wantSaved("asha", "verified")
	for _, origin := range []string{"capacitor://localhost", "https://localhost"} {
		if !strings.Contains(mustGuide(t, "mobile"), "`"+origin+"`") {
			t.Errorf("the guide does not have %s", origin)
		}
		a := r.broker.call(t, "asha", http.MethodPost, "/v1/token", "", "Origin", origin).must(t, 200)
		if got := a.header.Get("Access-Control-Allow-Origin"); got != origin {
			t.Errorf("an app at %s cannot read the answer: %q", origin, got)
		}
	}
}

// setUserAgent has the browser take itself for another.
func (b *tab) setUserAgent(name string) {
	b.t.Helper()
	set := func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetUserAgentOverride, emulation.SetUserAgentOverrideParams{UserAgent: name})
		return err
	}
	b.do(chromedp.Func(set))
}

func mustGuide(t *testing.T, name string) string {
	t.Helper()
	text, err := fs.ReadFile(web.Docs, "guides/"+name+".md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestGuideToPoliciesNamesWhatIsNeeded opens the widget under the policy of the guide, and under
// each that lacks a part of it.
func TestGuideToPoliciesNamesWhatIsNeeded(t *testing.T) {
	t.Parallel()
	r, code := follow(t), snippets(t, "csp")
	policy := strings.ReplaceAll(r.here(code["policy.txt"]), "\n", " ")
	withNonce := strings.Replace(policy, "script-src 'self'", "script-src 'nonce-r4nd0m'", 1)
	script := map[string]string{"import.js": snippets(t, "plain-page")["import.js"]}
	r.page("/csp/import.html", code["csp.html"], script, "Content-Security-Policy", policy)
	r.importOn("/csp/import.html", saysSaved)
	r.page("/nonce/import.html", code["csp.html"], script, "Content-Security-Policy", withNonce)
	r.importOn("/nonce/import.html", saysSaved)

	r.page("/less/import.html", code["csp.html"], script, "Content-Security-Policy", strings.Replace(policy, "connect-src 'self' "+r.broker.URL, "connect-src 'self'", 1))
	b := openTab(t, desktop)
	b.do(chromedp.Navigate(r.site.URL+"/less/import.html"), chromedp.Click(chromedp.CSS("button")), until(`document.querySelector("[role=status]").textContent !== ""`))
	if !strings.Contains(strings.Join(b.console(), "\n"), "connect-src") {
		t.Errorf("got %q, want a violation without the broker in connect-src", b.console())
	}
}

// runNode runs a module of a guide until the test ends, as a server at the address that it returns.
func (r *reader) runNode(folder, name, module string, env ...string) (url string) {
	r.t.Helper()
	path := filepath.Join(folder, name)
	// It says when it listens.
	module = strings.Replace(r.here(module), `listen(Number(process.env.PORT), "127.0.0.1")`, `listen(0, "127.0.0.1", function () { console.log(this.address().port); })`, 1)
	if err := os.WriteFile(path, []byte(module), 0o600); err != nil { //nolint:gosec // a folder of the test
		r.t.Fatal(err)
	}
	cmd := exec.CommandContext(r.t.Context(), "node", path) //nolint:gosec // code of our guides
	cmd.Dir, cmd.Env = folder, append(os.Environ(), env...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = cmd.Wait() }) // after its context has ended it
	port, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		r.t.Fatalf("%s does not listen: %v", name, err)
	}
	return "http://127.0.0.1:" + strings.TrimSpace(port)
}

// forward has the app's site answer path with the answer of another server.
func (r *reader) forward(path, to string) {
	r.pages.HandleFunc(path, func(w http.ResponseWriter, req *http.Request) {
		sent, err := http.NewRequestWithContext(req.Context(), req.Method, to+req.URL.Path, req.Body) //nolint:gosec // a server of the test
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		sent.Header = req.Header.Clone()
		sent.Header.Del("Accept-Encoding")
		res, err := http.DefaultTransport.RoundTrip(sent)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer func() { _ = res.Body.Close() }()
		for name, values := range res.Header {
			w.Header()[name] = values
		}
		w.WriteHeader(res.StatusCode)
		_, _ = io.Copy(w, res.Body)
	})
}

// project returns a folder in which Node finds the packages of the guides, and casbroker-connect as
// npm installs a copy of web/connect.
func project(t *testing.T) string {
	t.Helper()
	modules := services.NodeModulesOf(t, "testdata/guides/package.json")
	folder := t.TempDir()
	if err := os.Mkdir(filepath.Join(folder, "node_modules"), 0o700); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(modules)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if err := os.Symlink(filepath.Join(modules, e.Name()), filepath.Join(folder, "node_modules", e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.CopyFS(filepath.Join(folder, "node_modules", "casbroker-connect"), web.Connect); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"build.mjs", "tsconfig.json"} {
		copyFile(t, filepath.Join("testdata/guides", name), filepath.Join(folder, name))
	}
	write(t, filepath.Join(folder, "package.json"), `{"private": true, "type": "module"}`)
	return folder
}

// write writes a file, and the folders that it is in.
func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil { //nolint:gosec // a folder of the test
		t.Fatal(err)
	}
}

// node runs a program of Node in folder and returns what it writes.
func node(t *testing.T, folder string, env []string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "node", args...) //nolint:gosec // programs of the test
	cmd.Dir, cmd.Env = folder, append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("node %v: %v\n%s", args, err, out)
	}
	return string(out)
}

func TestGuideToCookieSessionsWorks(t *testing.T) {
	t.Parallel()
	folder, code := project(t), snippets(t, "cookie-sessions")
	r := follow(t)
	page := snippets(t, "plain-page")["import.html"]

	// The broker reads the cookie. Ports do not matter to cookies, so that it is of one site with the app.
	signIn := r.runNode(folder, "sign-in.mjs", strings.ReplaceAll(r.asIssuer(code["sign-in.mjs"]), "Secure; ", ""), "BROKER_JWT_SECRET="+jwtSecret)
	r.forward("GET /sign-in", signIn)
	r.page("/cookie/", page, map[string]string{"import.js": code["cookie.js"]})
	b := openTab(t, desktop)
	b.do(chromedp.Navigate(r.site.URL+"/sign-in"), until(`document.body.innerText === "signed in"`))
	r.importIn(b, "/cookie/", `document.querySelector("[role=status]").textContent === "saved"`)
	r.wantSaved("42", "verified")

	// The back end passes calls on.
	passOn := r.runNode(folder, "pass-on.mjs", code["pass-on.mjs"], "BROKER_URL="+r.broker.URL, "SERVICE_KEY="+r.key)
	r.forward("/api/casbroker/", passOn)
	r.page("/through/", page, map[string]string{"import.js": code["through-app.js"]})
	r.pages.HandleFunc("GET /session", func(w http.ResponseWriter, _ *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "session", Value: "meera", Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode}) //nolint:gosec // over http
	})
	b = openTab(t, desktop)
	b.do(chromedp.Navigate(r.site.URL + "/session"))
	r.importIn(b, "/through/", `document.querySelector("[role=status]").textContent === "saved"`)
	r.wantSaved("meera", "verified")
	if a := send(t, http.DefaultClient, request(t, http.MethodPost, r.site.URL+"/api/casbroker/token")); a.status != 401 {
		t.Errorf("got %d without a session, want 401", a.status)
	}
}

func TestGuideToVueWorks(t *testing.T) {
	t.Parallel()
	folder, code := project(t), snippets(t, "vue")
	r := follow(t)
	write(t, filepath.Join(folder, "src", "ImportStatement.vue"), r.here(code["ImportStatement.vue"]))
	write(t, filepath.Join(folder, "src", "main.ts"), `
		import { createApp, h } from "vue";
		import ImportStatement from "./ImportStatement.vue";
		createApp({ render: () => h(ImportStatement, { onSaved: (id: string) => { document.title = id; } }) }).mount("#app");`)
	r.bundle(folder, "src/main.ts")
	write(t, filepath.Join(folder, "src", "vue.d.ts"), `declare module "*.vue" { const c: import("vue").Component; export default c; }`)
	checkTypes(t, folder)
	r.importOn("/bundle/", saysSaved+` && document.title.startsWith("pf_")`)
	r.wantSaved("asha", "verified")
}

func TestGuideToReactWorks(t *testing.T) {
	t.Parallel()
	folder, code := project(t), snippets(t, "react")
	r := follow(t)
	for name, text := range code {
		write(t, filepath.Join(folder, name), r.here(text))
	}
	write(t, filepath.Join(folder, "src", "main.tsx"), `
		import { StrictMode } from "react";
		import { createRoot } from "react-dom/client";
		import { ImportStatement } from "./ImportStatement";
		import { ImportButton } from "./useStatement";
		const byHook = location.hash === "#hook";
		createRoot(document.getElementById("app")!).render(
			<StrictMode>{byHook ? <ImportButton /> : <ImportStatement onSaved={(p) => { document.title = p.id; }} />}</StrictMode>);`)
	checkTypes(t, folder)
	r.bundle(folder, "src/main.tsx")
	r.importOn("/bundle/", `document.title.startsWith("pf_")`)
	r.wantSaved("asha", "verified")
	r.importOn("/bundle/#hook", saysSaved)
}

// bundle builds an app and serves it at /bundle/.
func (r *reader) bundle(folder, main string) {
	r.t.Helper()
	node(r.t, folder, nil, "build.mjs", "browser", main, "out.js")
	script, err := os.ReadFile(filepath.Join(folder, "out.js")) //nolint:gosec // built by the test
	if err != nil {
		r.t.Fatal(err)
	}
	r.page("/bundle/", `<!doctype html><html lang="en"><title>My investments</title><div id="app"></div><script type="module" src="out.js"></script></html>`,
		map[string]string{"out.js": string(script)})
}

// checkTypes checks the files of a project, as strictly as TypeScript can.
func checkTypes(t *testing.T, folder string) {
	t.Helper()
	node(t, folder, nil, "node_modules/typescript/bin/tsc", "-p", ".")
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from) //nolint:gosec // a file of ours
	if err != nil {
		t.Fatal(err)
	}
	write(t, to, string(text))
}

// TestGuideToNextJSWorks runs the files of the guide without Next.js, which has 400 MB and builds
// for 20 seconds and more: its server is that of testdata/guides/next, which renders the page and
// calls the routes.
func TestGuideToNextJSWorks(t *testing.T) {
	t.Parallel()
	folder, code := project(t), snippets(t, "nextjs")
	r := follow(t)
	for name, text := range code {
		write(t, filepath.Join(folder, name), text)
	}
	for _, name := range []string{"server.tsx", "headers.ts", "navigation.ts", "auth.ts", "main.tsx"} {
		copyFile(t, filepath.Join("testdata/guides/next", name), filepath.Join(folder, name))
	}
	env := []string{"BROKER_URL=" + r.broker.URL, "NEXT_PUBLIC_BROKER_URL=" + r.broker.URL, "BROKER_JWT_SECRET=" + jwtSecret, "BROKER_SERVICE_KEY=" + r.key}
	checkTypes(t, folder)
	node(t, folder, env, "build.mjs", "browser", "main.tsx", "out.js")
	node(t, folder, env, "build.mjs", "node", "server.tsx", "built.mjs")
	server, err := os.ReadFile(filepath.Join(folder, "built.mjs")) //nolint:gosec // built by the test
	if err != nil {
		t.Fatal(err)
	}
	r.forward("/", r.runNode(folder, "server.mjs", r.asIssuer(string(server)), env...))

	b := openTab(t, desktop)
	b.do(chromedp.Navigate(r.site.URL+"/"), until(`document.body.innerText.includes("Please sign in.")`))
	b.do(chromedp.Evaluate[chromedp.Void](`document.cookie = "who=asha; path=/"`))
	b.do(chromedp.Navigate(r.site.URL+"/"), until(hydrated))
	r.importHere(b, `document.querySelector("[role=status]").textContent === "Saved." && document.title === "refreshed"`)
	b.do(chromedp.Navigate(r.site.URL+"/"), until(`document.querySelectorAll("li").length > 5`))
	r.wantSaved("asha", "verified")

	down := r.runNode(folder, "down.mjs", r.asIssuer(string(server)), append(env, "BROKER_URL=http://127.0.0.1:1")...)
	req := request(t, http.MethodGet, down+"/")
	req.Header.Set("Cookie", "who=asha")
	has(t, send(t, http.DefaultClient, req).must(t, 200).body, "not available at the moment", "Import a statement")

	pass := func(path, cookie string) answer {
		req := request(t, http.MethodPost, r.site.URL+path)
		req.Header.Set("Cookie", cookie)
		return send(t, http.DefaultClient, req)
	}
	if a := pass("/api/casbroker/token", "session="+bearer(t, "meera")).must(t, 200); !strings.Contains(a.body, `"access_token":"at_`) {
		t.Errorf("got %s, want an access token", a.body)
	}
	pass("/api/casbroker/token", "").must(t, 401)
	pass("/api/casbroker/none", "session="+bearer(t, "meera")).must(t, 404)
}

// TestBundlersTakeTheModule looks for what bundlers take for files of the app: Next.js does not
// build with it.
func TestBundlersTakeTheModule(t *testing.T) {
	t.Parallel()
	text, err := fs.ReadFile(web.Connect, "connect.js")
	if err != nil {
		t.Fatal(err)
	}
	if found := regexp.MustCompile(`new URL\([^)]*import\.meta\.url`).Find(text); found != nil {
		t.Errorf("connect.js has %s", found)
	}
}

func TestGuideToOAuthClientsWorks(t *testing.T) {
	t.Parallel()
	folder, code := project(t), snippets(t, "plain-page")
	r := follow(t)
	module := strings.Replace(r.here(code["exchange.mjs"]), `algorithm: "oauth2"`, `algorithm: "oauth2", execute: [client.allowInsecureRequests]`, 1)
	write(t, filepath.Join(folder, "exchange.mjs"), module)
	out := node(t, folder, []string{"USER_JWT=" + bearer(t, "asha")}, "exchange.mjs")
	if !strings.HasPrefix(out, "at_") || !strings.Contains(out, r.broker.URL+"/gateway") {
		t.Errorf("got %s, want an access token and the gateway", out)
	}
}

// shell is a block of commands in a guide.
var shell = regexp.MustCompile("(?ms)^```sh\n(.*?)^```$")

func TestCommandsOfGuidesWork(t *testing.T) {
	t.Parallel()
	services.Curl(t)
	for _, guide := range []string{"results", "hosted-link"} {
		t.Run(guide, func(t *testing.T) {
			t.Parallel()
			r := follow(t)
			script := "curl() { command curl -f \"$@\"; }\n"
			for _, block := range shell.FindAllStringSubmatch(mustGuide(t, guide), -1) {
				script += strings.ReplaceAll(block[1], "https://broker.example", r.broker.URL)
			}
			cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", script)
			cmd.Dir, cmd.Env = t.TempDir(), append(os.Environ(), "JWT="+bearer(t, "asha"), "SERVICE_KEY="+r.key)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v:\n%s", err, out)
			}
		})
	}
}

// TestEveryBlockOfGuidesIsTested fails for code that no test takes from the guide.
func TestEveryBlockOfGuidesIsTested(t *testing.T) {
	t.Parallel()
	tests, err := os.ReadFile("docs_guide_test.go")
	if err != nil {
		t.Fatal(err)
	}
	guides, err := fs.Glob(web.Docs, "guides/*.md")
	if err != nil || len(guides) == 0 {
		t.Fatal(err)
	}
	whole := map[string]bool{"react": true, "nextjs": true} // all files of which are written
	for _, path := range guides {
		name := strings.TrimSuffix(filepath.Base(path), ".md")
		for _, block := range regexp.MustCompile("(?ms)^```([^\n]*)\n(.*?)^```$").FindAllStringSubmatch(mustGuide(t, name), -1) {
			_, file, named := strings.Cut(block[1], " file=")
			switch {
			case block[1] == "sh" && (name == "back-end" || strings.Contains(string(tests), `"`+name+`"`)):
			case named && (whole[name] || strings.Contains(string(tests), `code["`+file+`"]`)):
			case strings.Contains(block[2], "openapi-generator-cli"): // needs Java
			default:
				t.Errorf("%s.md: no test runs the block %q", name, block[1])
			}
		}
	}
}
