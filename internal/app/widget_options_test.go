package app_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"casbroker/internal/sandbox"
	"casbroker/internal/testkit/services"
	"casbroker/web"
)

// called returns the names of the app's functions that the widget has called.
func (h *host) called() string {
	h.t.Helper()
	return strings.Join(read(h.tab, chromedp.Evaluate[[]string](`calls.map(([name]) => name)`)), " ")
}

func TestWidgetCallsTheAppWithDataAndMetadata(t *testing.T) {
	t.Parallel()
	h := openHost(t, desktop)
	h.begin(`{ prefill: { pan: "ZZZPV0000A" } }`, `onOpen() { calls.push(["onOpen"]); throw new Error("of the app"); },`)
	h.do(chromedp.SetUploadFiles(in("file"), []string{statement(t, "asha-nsdl")}), until(string(in("picked"))+`.textContent.includes("kB")`))
	h.vendor.AddFault(sandbox.Fault{Path: "/v4/smart/parse", Kind: sandbox.FaultStatus, Status: 503, Times: 1})
	h.submit()
	has(t, h.failure(), "cannot be reached")
	h.submit()
	o := h.outcome()
	if got := h.called(); got != "onOpen onError onSuccess onExit" {
		t.Errorf("got the calls %s", got)
	}
	both := read(h.tab, chromedp.Evaluate[[]string](`calls.filter(([name]) => name === "onSuccess").map(([, data, metadata]) =>
		[data.investor.name, metadata.filename, metadata.parser_type, metadata.source, data === outcome.data, metadata === outcome.metadata].join())`))
	if want := []string{"Asha Verma,asha-nsdl.pdf,NSDL,UPLOAD,true,true"}; !slices.Equal(both, want) {
		t.Errorf("got onSuccess with %q, want %q", both, want)
	}
	code := read(h.tab, chromedp.Evaluate[string](`calls.find(([name]) => name === "onError")[1].code`))
	if code != "NETWORK" || o.Result.Status != "success" {
		t.Errorf("got onError with %s and the result %s", code, o.Result.Status)
	}
	focused := read(h.tab, chromedp.Evaluate[string](`document.activeElement.dataset.testid`))
	if focused != "start" {
		t.Errorf("got the focus on %q, want it back on the button that opened the widget", focused)
	}
}

func TestWidgetEndsWhenItsTokenIsRefused(t *testing.T) {
	t.Parallel()
	h := openHost(t, desktop)
	h.begin(h.allWays(""), `accessToken: "at_unknown",`)
	h.do(chromedp.Click(in("way-inbound_email")))
	o := h.outcome()
	if o.Result.Status != "error" || o.Result.Error.Code != "AUTHENTICATION" || h.called() != "onOpen onError onExit" {
		t.Errorf("got %+v and the calls %s", o.Result, h.called())
	}
}

func TestWidgetPassesFilesOfTheVendorToOnSubmit(t *testing.T) {
	t.Parallel()
	h := openHost(t, desktop)
	h.begin(h.allWays(`prefill: { pan: "ZZZPV0000A", boId: "9900000100000014", dob: "1990-01-15" }`), `onSubmit: async (input, password) => {
		if (password === "ZZZPV0000A") throw new Error("This password does not fit.");
		return { meta: { cas_type: "CDSL" }, got: [input.kind, input.source, input.filename.startsWith("cdsl_"), input.filename === input.metadata.filename,
			new URL(input.pdfUrl).pathname.startsWith("/_sandbox/files/"), "url" in input.metadata].join() };
	},`)
	h.do(chromedp.Click(in("way-cdsl_fetch")))
	h.submit()
	h.do(chromedp.WaitEnabled(in("otp")), chromedp.SendKeys(in("otp"), sandbox.OTP+kb.Enter), chromedp.WaitEnabled(in("pick-0")))
	h.submit()
	has(t, h.failure(), "That password does not open", "This password does not fit.")
	h.fill("password", "other")
	h.submit()
	if got := h.outcome().Result.Data["got"]; got != "url,CDSL_FETCH,true,true,true,false" {
		t.Errorf("got the input %v", got)
	}
	if got := calls(h.vendor); got != 0 {
		t.Errorf("got %d parses, want none by the widget", got)
	}
	h.wantNoErrors()
}

func TestWidgetShowsASummaryIfTheAppWantsIt(t *testing.T) {
	t.Parallel()
	h := openHost(t, display{"phone-dark", 360, 740, "dark"})
	h.begin(`{ successBehavior: "summary", successCta: "See my holdings", subtitle: "For your dashboard", hideFooter: true, logoUrl: "/icon.svg",
		theme: { mode: "dark", primary: "#ffd54a", accent: "gold", radius: 2, fontFamily: "serif", primaryHover: "}evil{" } }`, "")
	h.at("home")
	h.do(chromedp.SetUploadFiles(in("file"), []string{statement(t, "asha-cdsl")}), until(string(in("picked"))+`.textContent.includes("kB")`),
		chromedp.SendKeys(in("password"), "any"+kb.Enter))
	h.at("done")
	has(t, read(h.tab, chromedp.Text(in("widget-dialog"))), "Asha Verma", "CDSL", "See my holdings", "₹")
	if got := h.called(); got != "onOpen onSuccess" {
		t.Errorf("got the calls %s, want onSuccess before the summary is closed", got)
	}
	style := read(h.tab, chromedp.Evaluate[string](`(({ backgroundColor, color, borderRadius, fontFamily }) =>
		[backgroundColor, color, borderRadius, fontFamily].join(" "))(getComputedStyle(`+string(in("parse"))+`))`))
	if want := "rgb(255, 213, 74) oklch(0 0 0) 2px serif"; style != want {
		t.Errorf("got the style %s, want %s", style, want)
	}
	h.do(chromedp.Evaluate[chromedp.Void](string(in("parse")) + `.click()`))
	if o := h.outcome(); o.Result.Status != "success" {
		t.Errorf("got %+v", o.Result)
	}
	h.wantNoErrors()
}

func TestWidgetClosesItsSummaryByItself(t *testing.T) {
	t.Parallel()
	h := openHost(t, desktop)
	h.begin(`{ successBehavior: "summary", successAutoCloseMs: 10 }`, `onSubmit: async () => ({ meta: {}, summary: { total_value: 1 } }),`)
	h.do(chromedp.SetUploadFiles(in("file"), []string{statement(t, "cdsl")}), until(string(in("picked"))+`.textContent.includes("kB")`),
		chromedp.SendKeys(in("password"), "any"+kb.Enter))
	if o := h.outcome(); o.Result.Status != "success" {
		t.Errorf("got %+v", o.Result)
	}
}

func TestWidgetIsUsedByKeyboardAlone(t *testing.T) {
	t.Parallel()
	h := openHost(t, desktop)
	h.begin(h.allWays(""), "")
	focus := func() string {
		return read(h.tab, chromedp.Evaluate[string](`(({ activeElement: e }) => e?.dataset.testid ?? e?.tagName)(document.querySelector("[data-testid=widget]").shadowRoot)`))
	}
	var order []string
	for range 8 {
		order = append(order, focus())
		h.do(chromedp.KeyEvent(kb.Tab))
	}
	want := "file password reveal way-cdsl_fetch way-generator way-inbox way-inbound_email cancel"
	if got := strings.Join(order, " "); got != want {
		t.Errorf("got the order %s\nwant %s", got, want)
	}
	h.do(chromedp.Evaluate[chromedp.Void](string(in("way-cdsl_fetch"))+`.focus()`), chromedp.KeyEvent(kb.Enter), chromedp.WaitEnabled(in("bo-id")))
	if got := focus(); got != "pan" {
		t.Errorf("in the next step: got the focus on %s, want its first field", got)
	}
	h.do(chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible(in("error")))
	if got := focus(); got != "pan" {
		t.Errorf("after an error: got the focus on %s, want the field", got)
	}
	invalid := read(h.tab, chromedp.Evaluate[string](string(in("pan"))+`.getAttribute("aria-invalid") + `+string(in("error"))+`.getAttribute("role")`))
	if invalid != "truealert" {
		t.Errorf("got %s, want the field marked and the error in a live region", invalid)
	}
	h.do(chromedp.KeyEvent(kb.Escape))
	if o := h.outcome(); o.Result.Status != "closed" {
		t.Errorf("got %+v, want it closed by Escape", o.Result)
	}
	if got := read(h.tab, chromedp.Evaluate[string](`document.activeElement.dataset.testid`)); got != "start" {
		t.Errorf("got the focus on %q, want it back on the button", got)
	}
}

func TestWidgetDoesNotMoveForWhoAsksForNoMotion(t *testing.T) {
	t.Parallel()
	h := openHost(t, desktop)
	h.setMedia("prefers-reduced-motion", "reduce")
	h.begin(`{}`, `onSubmit: () => new Promise(() => {}),`)
	h.do(chromedp.SetUploadFiles(in("file"), []string{statement(t, "cdsl")}), until(string(in("picked"))+`.textContent.includes("kB")`),
		chromedp.SendKeys(in("password"), "any"+kb.Enter), chromedp.WaitVisible(in("progress")))
	h.screenshot("widget-busy")
	moving := read(h.tab, chromedp.Evaluate[int](`document.querySelector("[data-testid=widget]").shadowRoot.getAnimations().length`))
	if moving != 0 {
		t.Errorf("got %d animations, want none", moving)
	}
	h.wantAccessible("a parse in progress")
	h.do(chromedp.Click(in("cancel")))
	if o := h.outcome(); o.Result.Status != "closed" {
		t.Errorf("got %+v", o.Result)
	}
}

func TestWidgetIsClosedByItsHandle(t *testing.T) {
	t.Parallel()
	h := openHost(t, desktop)
	h.do(chromedp.Evaluate[chromedp.Void](`globalThis.handle = PortfolioConnect.create({ apiKey: "sk_demo" }); handle.open().then((r) => { globalThis.outcome = r; });
		globalThis.eventLog = []`), chromedp.WaitVisible(in("file")), chromedp.Evaluate[chromedp.Void](`handle.destroy(); handle.destroy()`))
	if o := h.outcome(); o.Result.Status != "closed" {
		t.Errorf("got %+v", o.Result)
	}
	h.do(chromedp.WaitNotPresent(on("widget")), chromedp.Evaluate[chromedp.Void](`globalThis.outcome = undefined; handle.open().then((r) => { globalThis.outcome = r; })`),
		chromedp.WaitVisible(in("file")), chromedp.Click(in("close")))
	if o := h.outcome(); o.Result.Status != "closed" {
		t.Errorf("opened again: got %+v", o.Result)
	}
}

func TestWidgetSummarizesResultsOfAllForms(t *testing.T) {
	t.Parallel()
	h := openHost(t, desktop)
	for data, want := range map[string]string{
		`{}`:   `{"accounts":0,"holdings":0}`,
		`null`: `{"accounts":0,"holdings":0}`,
		`{ meta: { cas_type: "cdsl", statement_period: { to: "2026-09-30" } }, investor: { name: "A", pan: "P" }, summary: { total_value: 5.5, accounts: { demat: { count: 1 }, nps: { count: 2 } } },
			demat_accounts: [{ holdings: { equities: [{}, {}], aifs: [] } }], mutual_funds: [{ schemes: [{}] }], insurance: [] }`: `{"investorName":"A","pan":"P","casType":"CDSL","totalValue":5.5,"asOnDate":"2026-09-30","accounts":3,"holdings":3}`,
		`{ cas_type: "NSDL", investor_info: { name: "B" }, folios: [{}], holdings: [{}, {}], summary: { total_value: 7, as_on_date: "2026-01-01" } }`: `{"investorName":"B","casType":"NSDL","totalValue":7,"asOnDate":"2026-01-01","accounts":1,"holdings":2}`,
	} {
		if got := read(h.tab, chromedp.Evaluate[string](`JSON.stringify(PortfolioConnect.extractPortfolioSummary(`+data+`))`)); got != want {
			t.Errorf("%s: got %s, want %s", data, got, want)
		}
	}
}

func TestTypesOfTheWidgetFitItsDocuments(t *testing.T) {
	t.Parallel()
	modules := services.NodeModules(t)
	folder := t.TempDir()
	if err := os.Symlink(modules, filepath.Join(folder, "node_modules")); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(folder, web.Widget); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(folder, os.DirFS("testdata/widget")); err != nil {
		t.Fatal(err)
	}
	tsc := exec.CommandContext(t.Context(), filepath.Join(modules, ".bin", "tsc"), "--strict", "--noEmit", "--skipLibCheck", "--types", "react", "--jsx", "react-jsx", //nolint:gosec // of the test
		"--target", "es2024", "--module", "esnext", "--moduleResolution", "bundler", "use.tsx")
	tsc.Dir = folder
	if out, err := tsc.CombinedOutput(); err != nil {
		t.Errorf("tsc: %v\n%s", err, out)
	}
	// The widget itself keeps to its types, as far as its comments have them.
	tsc = exec.CommandContext(t.Context(), filepath.Join(modules, ".bin", "tsc"), "--allowJs", "--checkJs", "--strict", "false", "--noEmit", "--skipLibCheck", //nolint:gosec // of the test
		"--target", "es2024", "--lib", "es2024,dom,dom.iterable", "--module", "esnext", "--moduleResolution", "bundler", "main.js", "portfolio-connect.js", "react.js")
	tsc.Dir = folder
	if out, err := tsc.CombinedOutput(); err != nil {
		t.Errorf("tsc: %v\n%s", err, out)
	}
}
