package app_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// outcome is the result of PortfolioConnect.open and its events.
type outcome struct {
	Result struct {
		Status   string         `json:"status"`
		Data     map[string]any `json:"data"`
		Metadata map[string]any `json:"metadata"`
		Error    struct {
			Code      string `json:"code"`
			Message   string `json:"message"`
			Retryable bool   `json:"retryable"`
		} `json:"error"`
	} `json:"result"`
	Events []string `json:"events"`
	Log    string   `json:"log"` // all events and their metadata as JSON
}

// openWidget opens the widget with options, which are JavaScript, on an idle page.
func (b *tab) openWidget(options string) {
	b.t.Helper()
	b.do(chromedp.Evaluate[chromedp.Void](`(() => {
		globalThis.eventLog = [];
		globalThis.outcome = undefined;
		const options = { accessToken: "at_0123456789abcdef", apiBaseUrl: "/sandbox", onEvent: (...event) => eventLog.push(event), ` + options + ` };
		PortfolioConnect.open(options).then((result) => { globalThis.outcome = result; });
	})()`))
}

// outcome waits for the result of the widget.
func (b *tab) outcome() outcome {
	b.t.Helper()
	b.do(until(`outcome !== undefined`))
	return read(b, chromedp.Evaluate[outcome](`({ result: outcome, events: eventLog.map(([name]) => name), log: JSON.stringify(eventLog) })`))
}

// openWithWidget opens the page and loads the widget's script.
func openWithWidget(t *testing.T) *tab {
	t.Helper()
	b := openTab(t, desktop)
	b.do(
		chromedp.Navigate(openDemo(t, nil).URL), chromedp.WaitVisible(on("user-asha")),
		chromedp.Evaluate[chromedp.Void](`document.head.append(Object.assign(document.createElement("script"), { src: "/widget/portfolio-connect.js" }))`),
		until(`typeof PortfolioConnect === "object"`),
	)
	return b
}

func TestWidgetClosesByButtonOrEscape(t *testing.T) {
	t.Parallel()
	b := openWithWidget(t)
	for name, leave := range map[string]chromedp.Action[chromedp.Void]{
		"close": chromedp.Click(in("close")), "cancel": chromedp.Click(in("cancel")), "Escape": chromedp.KeyEvent(kb.Escape),
	} {
		b.openWidget("")
		b.do(chromedp.WaitEnabled(in("file")), leave)
		o := b.outcome()
		if o.Result.Status != "closed" || strings.Join(o.Events, " ") != "WIDGET_OPENED WIDGET_CLOSED" {
			t.Errorf("%s: got %+v", name, o)
		}
	}
	b.wantNoErrors()
}

func TestWidgetRefusesInvalidOptions(t *testing.T) {
	t.Parallel()
	b := openWithWidget(t)
	b.openWidget(`accessToken: ""`)
	if o := b.outcome(); o.Result.Status != "error" || o.Result.Error.Retryable || !strings.Contains(o.Result.Error.Message, "accessToken") {
		t.Errorf("without a token: %+v", o)
	}
	b.openWidget("")
	b.do(chromedp.WaitEnabled(in("file")))
	b.openWidget("")
	if o := b.outcome(); o.Result.Status != "error" || !strings.Contains(o.Result.Error.Message, "already open") {
		t.Errorf("a second one: %+v", o)
	}
}

func TestWidgetPassesTheFileToOnSubmitWithoutSecretsInEvents(t *testing.T) {
	t.Parallel()
	b := openWithWidget(t)
	b.openWidget(`config: { title: "Bring your funds", theme: "dark", prefill: { pan: "aaapz9999a" } },
		onSubmit: async (input, password, onProgress) => {
			onProgress(50);
			if (password !== "AAAPZ9999A") throw { code: "INVALID_PASSWORD" };
			return { meta: { cas_type: "cdsl" }, got: [input.kind, input.source, input.filename, input.file.size > 0].join(" ") };
		}`)
	b.do(
		chromedp.WaitEnabled(in("file")), chromedp.SetUploadFiles(in("file"), []string{statement(t, "cdsl")}),
		until(string(in("picked"))+`.textContent.includes("kB")`),
		chromedp.SendKeys(in("password"), "!"+kb.Enter),
	)
	has(t, read(b, chromedp.Text(in("error"), chromedp.NodeVisible)), "password")
	b.do(chromedp.SendKeys(in("password"), kb.Backspace+"AAAPZ9999A"+kb.Enter))
	o := b.outcome()
	if o.Result.Status != "success" || o.Result.Data["got"] != "file UPLOAD cdsl.pdf true" {
		t.Errorf("got the result %+v", o.Result)
	}
	if o.Result.Metadata["filename"] != "cdsl.pdf" || o.Result.Metadata["parser_type"] != "CDSL" {
		t.Errorf("got the metadata %v", o.Result.Metadata)
	}
	want := "WIDGET_OPENED FILE_SELECTED UPLOAD_STARTED UPLOAD_PROGRESS PARSE_ERROR UPLOAD_STARTED UPLOAD_PROGRESS PARSE_SUCCESS WIDGET_CLOSED"
	if got := strings.Join(o.Events, " "); got != want {
		t.Errorf("got the events %s", got)
	}
	if strings.Contains(o.Log, "AAAPZ9999A") || strings.Contains(o.Log, "at_") {
		t.Errorf("got events %s, want no secret", o.Log)
	}
	b.wantNoErrors()
}

func TestWidgetAcceptsOnlyTheStatementsOfTheApp(t *testing.T) {
	t.Parallel()
	b := openWithWidget(t)
	b.openWidget(`config: { allowedTypes: ["NSDL"] }, onSubmit: async () => ({ meta: { cas_type: "CDSL" } })`)
	b.do(
		chromedp.WaitEnabled(in("file")), chromedp.Evaluate[chromedp.Void](`(() => {
			const dataTransfer = new DataTransfer();
			dataTransfer.items.add(new File(["%PDF-1.4"], "dropped.pdf"));
			`+string(in("widget-dialog"))+`.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
		})()`),
		until(string(in("picked"))+`.textContent.includes("kB")`),
		chromedp.SendKeys(in("password"), "any"+kb.Enter),
	)
	has(t, read(b, chromedp.Text(in("error"), chromedp.NodeVisible)), "It comes from CDSL", "Choose one from NSDL")
	b.do(chromedp.Click(in("close")))
	if o := b.outcome(); o.Result.Status != "error" || o.Result.Error.Code != "PARSE_ERROR" {
		t.Errorf("given up: %+v", o.Result)
	}
}

func TestPageShowsAmountsToTheLastDigit(t *testing.T) {
	t.Parallel()
	b := openTab(t, desktop)
	b.do(chromedp.Navigate(openDemo(t, nil).URL), chromedp.WaitVisible(on("user-asha")))
	for _, c := range []struct{ call, want string }{
		{`rupees("1234567.89")`, "₹12,34,567.89"},
		{`rupees("0")`, "₹0.00"},
		{`rupees("999.5")`, "₹999.50"},
		{`rupees("-100000")`, "−₹1,00,000.00"},
		{`rupees("12345678901234567890.123456")`, "₹1,23,45,67,89,01,23,45,67,890.123456"},
		{`rupees(null)`, "–"},
		{`rupees("n/a")`, "n/a"},
		{`quantity("4521.3380")`, "4,521.338"},
		{`sum(["0.1", "0.2", null, "9007199254740993"]).grouped(2)`, "9,00,71,99,25,47,40,993.30"},
		{`percent(Decimal.parse("1").perMille(Decimal.parse("3")))`, "33.3%"},
		{`percent(Decimal.parse("0.01").perMille(Decimal.parse("1000000")))`, "< 0.1%"},
		{`String(Decimal.parse("2.10").compare(Decimal.parse("2.1")))`, "0"},
		{`String(Decimal.parse("10").compare(Decimal.parse("9.99")))`, "1"},
	} {
		got := read(b, chromedp.Evaluate[string](
			fmt.Sprintf(`import("/demo/money.js").then(({ Decimal, rupees, quantity, percent, sum }) => %s)`, c.call), chromedp.EvalAwaitPromise))
		if got != c.want {
			t.Errorf("%s is %q, want %q", c.call, got, c.want)
		}
	}
}

func TestTransactionTypesHaveReadableNames(t *testing.T) {
	t.Parallel()
	b := openTab(t, desktop)
	b.do(chromedp.Navigate(openDemo(t, nil).URL), chromedp.WaitVisible(on("user-asha")))
	for code, want := range map[string]string{
		`"STT_TAX"`: "STT", `"TDS_TAX"`: "TDS", `"STAMP_DUTY_TAX"`: "Stamp duty", `"PURCHASE_SIP"`: "Purchase SIP",
		`"SWITCH_OUT_MERGER"`: "Switch out merger", `"Bonus issue"`: "Bonus issue", `null`: "–",
	} {
		got := read(b, chromedp.Evaluate[string](
			fmt.Sprintf(`import("/demo/format.js").then(({ typeName }) => typeName(%s))`, code), chromedp.EvalAwaitPromise))
		if got != want {
			t.Errorf("type %s: got %q, want %q", code, got, want)
		}
	}
}
