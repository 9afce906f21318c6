package app_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"casbroker/internal/testkit/services"
	"casbroker/web"
)

// reactPage renders the widget's React component.
const (
	reactPage = `<!doctype html><html lang="en"><head><title>An app</title>
<script type="importmap">{"imports":{"react":"/modules/react.js"}}</script><script type="module" src="/page.js"></script></head><body><main id="app"></main></body></html>`
	reactScript = `import { createElement, useState } from "react";
import { createRoot } from "/modules/react-dom-client.js";
import { PortfolioConnect } from "/widget/react.js";
globalThis.calls = [];
function App() {
	const [there, setThere] = useState(true);
	globalThis.leave = () => setThere(false);
	return there && createElement(PortfolioConnect, {
		accessToken: "at_1", apiBaseUrl: "/nowhere", onExit: () => calls.push("onExit"), onSubmit: async () => ({ meta: { cas_type: "CDSL" } }),
		onSuccess: (data, metadata) => calls.push(data.meta.cas_type + " " + metadata.filename),
	}, ({ open, isReady, isOpen }) => createElement("button", { "data-testid": "start", disabled: !isReady, onClick: open }, isOpen ? "Open" : "Import"));
}
createRoot(document.getElementById("app")).render(createElement(App));`
)

// reactModules returns the modules of React for browsers, by name. The packages have them for
// Node.js only.
func reactModules(t *testing.T) map[string]string {
	t.Helper()
	from := services.NodeModules(t)
	modules := map[string]string{}
	for name, file := range map[string]string{
		"react": "react/cjs/react.production.js", "react-dom": "react-dom/cjs/react-dom.production.js",
		"react-dom-client": "react-dom/cjs/react-dom-client.production.js", "scheduler": "scheduler/cjs/scheduler.production.js",
	} {
		text, err := os.ReadFile(filepath.Join(from, file)) //nolint:gosec // a package of the test
		if err != nil {
			t.Fatal(err)
		}
		needs := map[string][]string{"react-dom": {"react"}, "react-dom-client": {"react", "react-dom", "scheduler"}}[name]
		var b strings.Builder
		for i, need := range needs {
			fmt.Fprintf(&b, "import m%d from %q;\n", i, "/modules/"+need+".js")
		}
		b.WriteString("const all = {};\n")
		for i, need := range needs {
			fmt.Fprintf(&b, "all[%q] = m%d;\n", need, i)
		}
		fmt.Fprintf(&b, "const module = { exports: {} }, process = { env: {} };\n((exports, require) => {%s\n})(module.exports, (name) => all[name]);\nexport default module.exports;\n", text)
		b.WriteString("export const { createElement, createRoot, hydrateRoot, useState, useEffect, useMemo, useRef, useCallback } = module.exports;\n")
		modules["/modules/"+name+".js"] = b.String()
	}
	return modules
}

func TestWidgetIsAComponentOfReact(t *testing.T) {
	t.Parallel()
	files := reactModules(t)
	files["/page.js"], files["/"] = reactScript, reactPage
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, found := files[r.URL.Path]
		if !found {
			http.StripPrefix("/widget/", http.FileServerFS(web.Widget)).ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", map[bool]string{true: "text/html", false: "text/javascript"}[r.URL.Path == "/"])
		_, _ = w.Write([]byte(text))
	}))
	t.Cleanup(page.Close)
	b := openTab(t, desktop)
	b.do(chromedp.Navigate(page.URL), chromedp.WaitEnabled(on("start")), chromedp.Click(on("start")), chromedp.WaitEnabled(in("file")),
		until(`document.querySelector("[data-testid=start]").textContent === "Open"`),
		chromedp.SetUploadFiles(in("file"), []string{statement(t, "cdsl")}), until(string(in("picked"))+`.textContent.includes("kB")`),
		chromedp.SendKeys(in("password"), "any"), chromedp.Click(in("parse")),
		until(`calls.join() === "CDSL cdsl.pdf,onExit" && document.querySelector("[data-testid=start]").textContent === "Import"`))

	// A widget does not outlive its component.
	b.do(chromedp.Click(on("start")), chromedp.WaitEnabled(in("file")), chromedp.Evaluate[chromedp.Void](`leave()`), chromedp.WaitNotPresent(on("widget")),
		until(`calls.join() === "CDSL cdsl.pdf,onExit,onExit"`))
	b.wantNoErrors()
}
