package app_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"casbroker/internal/sandbox"
)

// allWays is the configuration of a widget with all ways to import, which polls often.
func (h *host) allWays(more string) string {
	return fmt.Sprintf(`{ enableCdslFetch: true, enableGenerator: true, enableInbox: true, enableInboundEmail: true,
		inbox: { redirectUri: %q }, inboundEmail: { pollIntervalMs: 50, sessionTimeoutMs: 60000 }, %s }`, h.url+"/back", more)
}

// begin opens the widget by a click, with a configuration and further options, which are
// JavaScript.
func (h *host) begin(config, options string) {
	h.t.Helper()
	h.do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`globalThis.options = { accessToken: %q, apiBaseUrl: %q, config: %s, %s }`,
		h.token, h.broker.URL+"/gateway", config, options)))
	h.do(chromedp.Click(on("start")), chromedp.WaitVisible(in("file")))
}

// at waits for a step of the widget, and checks how it looks when it is reached first.
func (h *host) at(step string) {
	h.t.Helper()
	h.do(until(fmt.Sprintf(`%s?.dataset.step === %q`, in("widget-dialog"), step)))
	if h.seen[step] {
		return
	}
	h.seen[step] = true
	h.screenshot("widget-" + step)
	h.wantAccessible(step)
	h.wantFits(step)
}

// fill enters a value as a user does that replaces what is there.
func (h *host) fill(field, value string) {
	h.t.Helper()
	h.do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`{ const input = %s; input.value = %q; input.dispatchEvent(new Event("input", { bubbles: true })); }`, in(field), value)))
}

// submit clicks the button that submits a step.
func (h *host) submit() {
	h.t.Helper()
	h.do(chromedp.WaitEnabled(in("parse")), chromedp.Click(in("parse")))
}

// failure waits for an error in the widget and returns its text.
func (h *host) failure() string {
	h.t.Helper()
	return read(h.tab, chromedp.Text(in("error"), chromedp.NodeVisible))
}

// imported waits for the result and returns it. The broker must have saved the statement.
func (h *host) imported(method, source string) outcome {
	h.t.Helper()
	o := h.outcome()
	if o.Result.Status != "success" || o.Result.Metadata["method"] != method || o.Result.Metadata["source"] != source {
		h.t.Fatalf("got %+v, want a success by %s", o.Result, method)
	}
	if got := h.broker.latest(h.t, "asha"); got.Provenance != "verified" {
		h.t.Errorf("got %+v, want a verified portfolio", got)
	}
	for _, secret := range []string{h.token, "ZZZPV0000A", "123456", "ibt_"} {
		if strings.Contains(o.Log, secret) {
			h.t.Errorf("got events %s, want no secret", o.Log)
		}
	}
	h.wantNoErrors()
	return o
}

func wantEvents(t *testing.T, o outcome, want string) {
	t.Helper()
	if got := strings.Join(o.Events, " "); got != want {
		t.Errorf("got the events %s\nwant %s", got, want)
	}
}

func TestWidgetGetsStatementsFromCDSLWithAnOTP(t *testing.T) {
	t.Parallel()
	h := openHost(t, desktop)
	h.begin(h.allWays(`prefill: { pan: "zzzpv0000a" }`), "")
	h.at("home")
	h.do(chromedp.Click(in("way-cdsl_fetch")))
	h.at("cdsl")
	h.submit()
	has(t, h.failure(), "BO ID")
	h.fill("bo-id", "9900000100000014")
	h.fill("dob", "1991-01-15")
	h.submit()
	has(t, h.failure(), "not those of one investor", "Check them")
	h.fill("dob", "1990-01-15")
	h.submit()
	h.at("otp")
	h.do(chromedp.SendKeys(in("otp"), "000000"+kb.Enter))
	has(t, h.failure(), "Invalid OTP")
	h.fill("otp", "123456")
	h.submit()
	h.at("pick")
	h.do(chromedp.Click(in("pick-1")))
	h.submit() // the PAN is the password
	o := h.imported("cdsl_fetch", "CDSL_FETCH")
	wantEvents(t, o, "WIDGET_OPENED MODE_SWITCHED CDSL_FETCH_STARTED CDSL_ERROR CDSL_FETCH_STARTED CDSL_OTP_SENT CDSL_ERROR "+
		"CDSL_FILES_RECEIVED FILE_SELECTED PARSE_STARTED PARSE_SUCCESS WIDGET_CLOSED")
}

func TestWidgetStartsAgainWhenTheCodeOfCDSLHasEnded(t *testing.T) {
	t.Parallel()
	h := openHost(t, desktop)
	h.begin(h.allWays(`prefill: { pan: "ZZZPV0000A", boId: "9900000100000014", dob: "1990-01-15" }`), "")
	h.do(chromedp.Click(in("way-cdsl_fetch")))
	h.submit()
	for range 3 {
		h.do(chromedp.WaitEnabled(in("otp")))
		h.fill("otp", "000000")
		h.submit()
		has(t, h.failure(), "Invalid OTP")
	}
	h.fill("otp", "123456")
	h.submit()
	h.do(until(fmt.Sprintf(`%s.dataset.step === "cdsl"`, in("widget-dialog"))))
	has(t, h.failure(), "This code has ended", "Ask for another one")
	h.do(chromedp.Click(in("close")))
	if o := h.outcome(); o.Result.Status != "error" || o.Result.Error.Code != "CDSL_FETCH_ERROR" {
		t.Errorf("given up: %+v", o.Result)
	}
	h.wantNoErrors()
}

// forwardMail forwards the mail that an investor has got, on the page of the sandbox at vendor.
func forwardMail(t *testing.T, vendor, to string) {
	t.Helper()
	page := send(t, http.DefaultClient, request(t, http.MethodGet, vendor+"/_sandbox/mailbox")).must(t, 200)
	id := regexp.MustCompile(`value="(mail_[a-z0-9]+)"`).FindStringSubmatch(page.body)
	if id == nil {
		t.Fatalf("got %s, want a mail", page.body)
	}
	form := url.Values{"mail": {id[1]}, "to": {to}}.Encode()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, vendor+"/_sandbox/mailbox", strings.NewReader(form))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	has(t, send(t, http.DefaultClient, req).must(t, 200).body, "Forwarded to")
}

func TestWidgetImportsARequestedStatementThatWasForwarded(t *testing.T) {
	t.Parallel()
	h := openHost(t, display{"phone-dark", 360, 740, "dark"})
	h.begin(h.allWays(`prefill: { email: "asha@example.com" }`), "")
	h.at("home")
	h.do(chromedp.Click(in("way-generator")))
	h.at("generator")
	h.fill("email", "asha@")
	h.submit()
	has(t, h.failure(), "Enter your email address")
	h.fill("email", "asha@example.com")
	h.fill("password", "wrong")
	h.submit()
	h.at("mailed")
	h.submit()
	h.at("forward")
	h.do(chromedp.WaitVisible(in("address")))
	h.screenshot("widget-forward-waiting")
	forwardMail(t, h.settings.Upstream.URL, read(h.tab, chromedp.Text(in("address"))))
	h.at("pick")
	h.submit() // the password that was chosen
	has(t, h.failure(), "That password does not open this statement")
	h.screenshot("widget-pick-wrong")
	h.wantAccessible("a wrong password")
	h.do(chromedp.SendKeys(in("password"), "right"+kb.Enter))
	o := h.imported("generator", "INBOUND_EMAIL")
	wantEvents(t, o, "WIDGET_OPENED MODE_SWITCHED GENERATOR_STARTED GENERATOR_SUCCESS GENERATOR_HANDOFF INBOUND_EMAIL_CREATED "+
		"INBOUND_EMAIL_WAITING INBOUND_EMAIL_RECEIVED PARSE_STARTED PARSE_ERROR PARSE_STARTED PARSE_SUCCESS WIDGET_CLOSED")
}

func TestWidgetSaysThatNoMailHasArrivedAndWaitsAgain(t *testing.T) {
	t.Parallel()
	h := openHost(t, desktop)
	address := h.broker.page(t, "asha").createAddress(t)
	h.begin(fmt.Sprintf(`{ enableInboundEmail: true, inboundEmail: { existingId: %q, pollIntervalMs: 20, sessionTimeoutMs: 60 } }`, address.ID), "")
	h.do(chromedp.Click(in("way-inbound_email")))
	has(t, h.failure(), "No mail has arrived", "Wait again")
	h.at("forward")
	if got := deliver(t, h.settings, address.ID); got != "delivered" {
		t.Fatalf("the callback is %s", got)
	}
	h.do(chromedp.Click(in("again")))
	h.do(until(fmt.Sprintf(`%s.dataset.step === "pick"`, in("widget-dialog"))))
	h.fill("password", "any")
	h.submit()
	o := h.imported("inbound_email", "INBOUND_EMAIL")
	if o.Log == "" || strings.Contains(strings.Join(o.Events, " "), "INBOUND_EMAIL_CREATED") {
		t.Errorf("got the events %v, want no other address than the app's", o.Events)
	}
}

// consent waits for the window of the mail provider, opened by step, and clicks a button.
func (h *host) consent(step chromedp.Action[chromedp.Void], button string) {
	h.t.Helper()
	h.tab.consent(step, func() { h.at("consent") }, button)
}

// consent waits for the window of the mail provider, opened by step, and clicks a button there
// once check has looked at this one.
func (b *tab) consent(step chromedp.Action[chromedp.Void], check func(), button string) {
	b.t.Helper()
	own, last := chromedp.FromContext(b.ctx).Target.TargetID, b.window
	opened := chromedp.WaitNewTarget(b.ctx, func(i *target.Info) bool { return i.OpenerID == own && i.TargetID != last }) // not one of another test
	b.do(step)
	check()
	ctx, cancel := context.WithTimeout(b.ctx, stepTimeout)
	defer cancel()
	select {
	case id := <-opened:
		b.window = id
		window, end := chromedp.NewContext(ctx, chromedp.WithTargetID(id))
		defer end()
		if err := chromedp.Do(window, chromedp.WaitVisible(chromedp.CSS(button))); err != nil {
			b.t.Fatalf("the window: %v; the widget: %s", err, read(b, chromedp.Evaluate[string](string(in("widget-dialog"))+".innerText")))
		}
		closed, err := chromedp.Detached(window)
		if err != nil {
			b.t.Fatal(err)
		}
		err = chromedp.Do(window, chromedp.Click(chromedp.CSS(button)))
		select {
		case <-closed: // by handleInboxCallback, perhaps before the click was reported as done
		case <-ctx.Done():
			b.t.Fatalf("the window did not close; click: %v", err)
		}
	case <-ctx.Done():
		b.t.Fatal("no window was opened")
	}
}

func TestWidgetFindsStatementsInTheMailbox(t *testing.T) {
	t.Parallel()
	h := openHost(t, display{"phone-light", 390, 844, "light"})
	h.begin(h.allWays(`homeLayout: "grid", showShortcuts: true, showPortalLinks: true`), "")
	h.at("home")
	h.do(chromedp.Click(in("way-inbox")))
	h.at("inbox")
	h.consent(chromedp.Click(in("provider-outlook")), `[name="deny"]`)
	has(t, h.failure(), "You did not allow it")
	h.at("inbox")
	h.consent(chromedp.Click(in("provider-gmail")), `[value="asha"]`)
	h.at("pick")
	h.do(chromedp.Click(in("pick-2")))
	h.fill("password", "any")
	h.submit()
	o := h.imported("inbox", "INBOX")
	if o.Result.Metadata["parser_type"] != "CAMS_KFINTECH" {
		t.Errorf("got the metadata %v, want the third statement, of CAMS", o.Result.Metadata)
	}
	wantEvents(t, o, "WIDGET_OPENED MODE_SWITCHED INBOX_CONNECT_STARTED INBOX_HANDOFF INBOX_ERROR INBOX_CONNECT_STARTED INBOX_HANDOFF "+
		"INBOX_CONNECTED INBOX_FILES_LISTED FILE_SELECTED PARSE_STARTED PARSE_SUCCESS WIDGET_CLOSED")
}

func TestWidgetShowsALinkWhenItsWindowIsBlocked(t *testing.T) {
	t.Parallel()
	h := openHost(t, desktop)
	h.begin(h.allWays(""), "")
	h.do(chromedp.Evaluate[chromedp.Void](`globalThis.open = () => null`), chromedp.Click(in("way-inbox")), chromedp.Click(in("provider-zoho")), chromedp.WaitVisible(in("consent")))
	has(t, read(h.tab, chromedp.Text(in("consent"))), "Open the sign-in page")
	h.consent(chromedp.Click(in("consent")), `[value="rohan"]`)
	h.do(chromedp.WaitEnabled(in("pick-0")))
	h.vendor.AddFault(sandbox.Fault{Path: "/v4/smart/parse", Kind: sandbox.FaultStatus, Status: http.StatusPaymentRequired, Times: 1})
	h.fill("password", "any")
	h.submit()
	o := h.outcome()
	if o.Result.Status != "error" || o.Result.Error.Retryable || h.called() != "onOpen onError onExit" {
		t.Errorf("without credits: got %+v and the calls %s, want the end", o.Result, h.called())
	}
	h.wantNoErrors()
}

func TestWidgetMakesANewAddressAfterAnImport(t *testing.T) {
	t.Parallel()
	h := openHost(t, desktop)
	address := func() string {
		h.do(chromedp.Click(in("way-inbound_email")), chromedp.WaitVisible(in("address")))
		return read(h.tab, chromedp.Text(in("address")))
	}
	h.begin(h.allWays(""), "")
	first := address()
	h.do(chromedp.Click(in("back")), chromedp.WaitVisible(in("file")))
	if again := address(); again != first {
		t.Errorf("got the address %s, then %s, want the same while it is waited for", first, again)
	}
	id, _, _ := strings.Cut(first, "@")
	deliver(t, h.settings, id)
	h.do(chromedp.WaitEnabled(in("pick-0")))
	h.fill("password", "any")
	h.submit()
	h.imported("inbound_email", "INBOUND_EMAIL")
	h.begin(h.allWays(""), "")
	if next := address(); next == first {
		t.Errorf("got the address %s after the import of its file, want another", next)
	}
}

func TestWidgetConnectsAMailboxAgainThatWasRevoked(t *testing.T) {
	t.Parallel()
	h := openHost(t, desktop)
	h.begin(h.allWays(""), "")
	h.do(chromedp.Click(in("way-inbox")))
	h.vendor.AddFault(sandbox.Fault{Path: "/v4/inbox/cas", Kind: sandbox.FaultStatus, Status: http.StatusServiceUnavailable, Times: 1})
	h.consent(chromedp.Click(in("provider-gmail")), `[value="asha"]`)
	has(t, h.failure(), "cannot be reached")
	// The mailbox is not known any more.
	h.do(chromedp.Evaluate[chromedp.Void](`{ const send = fetch; globalThis.fetch = (url, init) =>
		send(url, url.endsWith("/inbox/cas") ? { ...init, headers: { ...init.headers, "x-inbox-token": "ibt_revoked" } } : init); }`))
	h.consent(chromedp.Click(in("provider-gmail")), `[value="asha"]`)
	has(t, h.failure(), "The mailbox could not be searched", "Connect it again")
	h.do(chromedp.Click(in("close")))
	if o := h.outcome(); o.Result.Status != "error" || o.Result.Error.Code != "INBOX_ERROR" {
		t.Errorf("given up: %+v", o.Result)
	}
	h.wantNoErrors()
}
