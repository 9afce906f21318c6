/**
 * The widget's markup and style sheet. Both are used in a shadow root, so the page's
 * styles do not apply. The style sheet is constructed by script, because a strict
 * Content-Security-Policy forbids style elements but allows that.
 */

export const markup = `
<dialog aria-labelledby="title" data-testid="widget-dialog">
  <form novalidate>
    <div class="head">
      <img id="logo" alt="" width="32" height="32" hidden>
      <h2 id="title">Import your portfolio</h2>
      <button type="button" id="close" class="icon" aria-label="Close" data-testid="close">
        <svg viewBox="0 0 20 20" aria-hidden="true"><path d="m5 5 10 10M15 5 5 15"/></svg>
      </button>
    </div>
    <div class="body">
      <p id="intro">Add your Consolidated Account Statement, the PDF that <span id="sources"></span> sends you by email.</p>
      <div class="drop">
        <input type="file" id="file" accept="application/pdf,.pdf" aria-describedby="file-detail" data-testid="file">
        <label for="file">
          <svg viewBox="0 0 24 24" aria-hidden="true"><path d="M14 3H7a2 2 0 0 0-2 2v14a2 2 0 0 0 2 2h10a2 2 0 0 0 2-2V8zM14 3v5h5M12 18v-6m-2.5 2.5L12 12l2.5 2.5"/></svg>
          <span><strong id="file-label">Choose a PDF</strong> <span id="file-detail" data-testid="picked">or drop it here, up to 10 MB</span></span>
        </label>
      </div>
      <div class="field">
        <label for="password">Statement password</label>
        <div class="password">
          <input type="password" id="password" autocomplete="off" autocapitalize="off" autocorrect="off" spellcheck="false"
            maxlength="128" aria-describedby="hint" data-testid="password">
          <button type="button" id="reveal" aria-pressed="false" aria-controls="password" data-testid="reveal">Show</button>
        </div>
        <p id="hint">Usually your PAN in capitals, or the password you chose when you requested the statement.</p>
      </div>
      <div id="error" role="alert" data-testid="error" hidden>
        <strong></strong> <span></span>
        <small></small>
      </div>
      <div id="progress" hidden>
        <progress max="100" aria-label="Import" data-testid="progress"></progress>
      </div>
      <p id="status" role="status" data-testid="status"></p>
      <p id="note" hidden>This stand-in only imports uploaded PDFs. The vendor’s own widget has other ways to import.</p>
    </div>
    <div class="foot">
      <button type="button" id="cancel" data-testid="cancel">Cancel</button>
      <button type="submit" id="parse" class="primary" data-testid="parse">Parse statement</button>
    </div>
  </form>
</dialog>`;

export const styleSheet = new CSSStyleSheet();
styleSheet.replaceSync(`
:host { all: initial; }
* { box-sizing: border-box; }
[hidden] { display: none !important; }
dialog {
  --accent: light-dark(#1b5e4b, #8fd6bb);
  --on-accent: light-dark(#ffffff, #0c2019);
  --paper: light-dark(#ffffff, #1b211f);
  --sunken: light-dark(#f5f7f5, #141917);
  --ink: light-dark(#17211d, #eef3f0);
  --quiet: light-dark(#55625c, #a3b0aa);
  --line: light-dark(#d5dcd8, #36413c);
  --bad: light-dark(#9c2b22, #ffb4a9);
  --bad-paper: light-dark(#fdf0ee, #35201d);
  color-scheme: light dark;
  width: min(30rem, calc(100vw - 1.5rem)); max-height: calc(100dvh - 1.5rem);
  margin: auto; padding: 0; border: 0; border-radius: 16px; overflow: auto;
  background: var(--paper); color: var(--ink);
  box-shadow: 0 24px 64px rgb(0 0 0 / .28), 0 0 0 1px rgb(0 0 0 / .06);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
}
dialog[data-theme=light] { color-scheme: light; }
dialog[data-theme=dark] { color-scheme: dark; }
dialog::backdrop { background: rgb(10 18 15 / .55); }
.head { display: flex; align-items: center; gap: .75rem; padding: 1.1rem 1rem 0 1.5rem; }
h2 { flex: 1; margin: 0; font-size: 1.2rem; line-height: 1.3; font-weight: 650; letter-spacing: -.01em; overflow-wrap: anywhere; }
#logo { border-radius: 8px; object-fit: contain; }
.body { padding: .35rem 1.5rem 1.25rem; }
p { margin: 0; }
#intro, #hint, #note, #status { color: var(--quiet); }
#hint, #note { font-size: .85rem; margin-top: .35rem; }
#status { font-size: .9rem; }
#status:not(:empty) { margin-top: .5rem; }
button, input { font: inherit; color: inherit; }
button { cursor: pointer; min-height: 44px; padding: 0 1.1rem; border: 1px solid var(--line); border-radius: 10px; background: transparent; font-weight: 550; }
button:hover { background: var(--sunken); }
button.primary { background: var(--accent); border-color: var(--accent); color: var(--on-accent); }
button.primary:hover { filter: brightness(1.08); }
button:disabled { opacity: .55; cursor: default; }
button.icon { padding: 0; width: 44px; border: 0; display: grid; place-items: center; color: var(--quiet); }
button.icon svg { width: 20px; fill: none; stroke: currentColor; stroke-width: 1.75; stroke-linecap: round; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.drop { position: relative; margin-top: 1rem; }
.drop input { position: absolute; inset: 0; width: 100%; height: 100%; opacity: 0; cursor: pointer; }
.drop label { display: flex; align-items: center; gap: 1rem; padding: 1.1rem 1.25rem; border: 1.5px dashed var(--line); border-radius: 12px; background: var(--sunken); }
.drop label > span { min-width: 0; }
.drop strong { display: block; font-weight: 600; overflow-wrap: anywhere; }
#file-detail { color: var(--quiet); font-size: .9rem; }
.drop svg { flex: none; width: 34px; fill: none; stroke: var(--accent); stroke-width: 1.4; stroke-linecap: round; stroke-linejoin: round; }
.drop:hover label, .drop.over label { border-color: var(--accent); }
.drop.over label { background: color-mix(in srgb, var(--accent) 12%, var(--sunken)); }
.drop.filled label { border-style: solid; }
.drop input:focus-visible + label { outline: 2px solid var(--accent); outline-offset: 2px; }
.field { margin-top: 1.1rem; }
.field > label { display: block; font-weight: 550; margin-bottom: .35rem; }
.password { display: flex; gap: .5rem; }
#password { flex: 1; min-width: 0; min-height: 44px; padding: 0 .85rem; border: 1px solid light-dark(#87938d, #6b7972); border-radius: 10px; background: var(--paper); }
#password[aria-invalid=true] { border-color: var(--bad); }
#reveal { flex: none; width: 4.75rem; padding: 0; }
#error { margin-top: 1rem; padding: .8rem 1rem; border-radius: 10px; background: var(--bad-paper); color: var(--ink); font-size: .925rem; }
#error strong { display: block; color: var(--bad); font-weight: 600; }
#error small { display: block; margin-top: .25rem; color: var(--quiet); font-size: .78rem; overflow-wrap: anywhere; }
#error small:empty { display: none; }
#progress { margin-top: 1.1rem; }
progress { appearance: none; display: block; width: 100%; height: 6px; border: 0; border-radius: 3px; overflow: hidden; background: var(--line); }
progress::-webkit-progress-bar { background: var(--line); }
progress::-webkit-progress-value { background: var(--accent); border-radius: 3px; transition: width .2s; }
progress::-moz-progress-bar { background: var(--accent); }
progress:indeterminate { background: linear-gradient(90deg, var(--line) 35%, var(--accent) 50%, var(--line) 65%) 0 0 / 300% 100%; animation: run 1.6s linear infinite; }
progress:indeterminate::-webkit-progress-bar { background: transparent; }
progress:indeterminate::-moz-progress-bar { background: transparent; }
@keyframes run { from { background-position: 100% 0; } to { background-position: 0 0; } }
.foot { position: sticky; bottom: 0; display: flex; justify-content: flex-end; gap: .6rem; padding: .9rem 1.5rem; border-top: 1px solid var(--line); background: var(--paper); }
@media (max-width: 26rem) {
  .head { padding-left: 1.1rem; }
  .body { padding-inline: 1.1rem; }
  .foot { padding-inline: 1.1rem; }
  .foot .primary { flex: 1; }
}
@media (prefers-reduced-motion: no-preference) {
  dialog[open] { animation: rise .18s ease-out; }
  @keyframes rise { from { opacity: 0; transform: translateY(8px); } }
}
@media (prefers-reduced-motion: reduce) { progress:indeterminate { animation-duration: 6s; } }
`);
