package app_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"casbroker/internal/testkit/services"
)

// axeRun is a script that returns the findings of axe-core on the page, also in shadow
// roots, as lines of text. The script is evaluated by the debugger, so a
// Content-Security-Policy does not matter.
const axeRun = `(async (rules) => {
	await document.fonts.ready;
	document.getAnimations().forEach((a) => a.finish && a.effect?.getTiming().iterations !== Infinity && a.finish());
	const options = { resultTypes: ["violations"], preload: false, ...(rules && { runOnly: { type: "rule", values: rules } }) };
	const { violations } = await axe.run(document, options);
	return violations.flatMap((v) => v.nodes.map((n) => v.id + ": " + n.target.flat().join(" ") + ": " + n.failureSummary.replaceAll("\n", " ")));
})`

// axe returns the findings of axe-core on the page in its present state, as text. With
// rules, only these are checked.
func (b *tab) axe(rules ...string) []string {
	b.t.Helper()
	if !read(b, chromedp.Evaluate[bool](`typeof axe === "object"`)) {
		script, err := os.ReadFile(filepath.Join(services.NodeModules(b.t), "axe-core", "axe.min.js"))
		if err != nil {
			b.t.Fatal(err)
		}
		b.do(chromedp.Evaluate[chromedp.Void](string(script) + ";undefined"))
	}
	list, err := json.Marshal(rules)
	if err != nil {
		b.t.Fatal(err)
	}
	return read(b, chromedp.Evaluate[[]string](axeRun+"("+string(list)+")", chromedp.EvalAwaitPromise))
}

// wantAccessible fails the test if axe-core has findings on the page, light or dark. step
// names the state of the page. Without Node.js packages it skips the rest of the test.
func (b *tab) wantAccessible(step string) {
	b.t.Helper()
	for _, finding := range b.axe() {
		b.t.Errorf("%s, %s: %s", step, b.look.scheme, finding)
	}
	other := map[string]string{"light": "dark", "dark": "light"}[b.look.scheme]
	b.setScheme(other)
	for _, finding := range b.axe("color-contrast") {
		b.t.Errorf("%s, %s: %s", step, other, finding)
	}
	b.setScheme(b.look.scheme)
}

// setScheme changes whether the system prefers light or dark pages.
func (b *tab) setScheme(scheme string) {
	b.t.Helper()
	b.setMedia("prefers-color-scheme", scheme)
}

// setMedia sets a feature of the device that style sheets ask for.
func (b *tab) setMedia(feature, value string) {
	b.t.Helper()
	b.do(chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: feature, Value: value}},
		})
		return err
	}))
}

// wantFits fails the test if the page, or the widget on it, is wider than a window
// of 320 or 1600 pixels.
func (b *tab) wantFits(step string) {
	b.t.Helper()
	for _, width := range []int64{320, 1600} {
		b.resize(width, b.look.height)
		wide := read(b, chromedp.Evaluate[[]string](`((width) => {
			const dialog = document.querySelector("[data-testid=widget]")?.shadowRoot.querySelector("dialog");
			return [document.documentElement, ...(dialog ? [dialog, ...dialog.querySelectorAll("*")] : [])]
				.filter((n) => n.scrollWidth > n.clientWidth + 1 && n.clientWidth > 0 && getComputedStyle(n).overflowX !== "visible" ||
					n === document.documentElement && n.scrollWidth > width || n.getBoundingClientRect().right > width + 1)
				.map((n) => n.tagName + " " + n.id + " " + n.className);
		})(`+strconv.FormatInt(width, 10)+`)`))
		for _, element := range wide {
			b.t.Errorf("%s at %d pixels: %s is too wide", step, width, element)
		}
	}
	b.resize(b.look.width, b.look.height)
}

// resize changes the size of the window.
func (b *tab) resize(width, height int64) {
	b.t.Helper()
	b.do(chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
			Width: width, Height: height, DeviceScaleFactor: 1, Mobile: b.look.width < 600,
		})
		return err
	}))
}
