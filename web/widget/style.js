/**
 * The widget's style sheets, for its shadow root: the page's own do not apply there. They
 * are constructed by script, since a strict Content-Security-Policy forbids style elements
 * and attributes but allows that.
 */

const css = `
:host { all: initial; }
* { box-sizing: border-box; }
[hidden] { display: none !important; }
dialog {
  --primary: light-dark(#1b5e4b, #8fd6bb);
  --primary-hover: color-mix(in srgb, var(--primary) 88%, light-dark(black, white));
  --on-primary: light-dark(#ffffff, #0c2019);
  --accent: light-dark(#1b5e4b, #8fd6bb);
  --paper: light-dark(#ffffff, #1b211f);
  --sunken: light-dark(#f5f7f5, #141917);
  --ink: light-dark(#17211d, #eef3f0);
  --quiet: light-dark(#4f5c56, #aebbb5);
  --line: light-dark(#d5dcd8, #36413c);
  --edge: light-dark(#7b8781, #77857e);
  --bad: light-dark(#9c2b22, #ffb4a9);
  --bad-paper: light-dark(#fdf0ee, #35201d);
  --radius: 10px;
  color-scheme: light dark;
  width: min(30rem, calc(100vw - 1.5rem)); max-height: calc(100dvh - 1.5rem);
  margin: auto; padding: 0; border: 0; border-radius: calc(var(--radius) * 1.6); overflow: auto; overscroll-behavior: contain;
  background: var(--paper); color: var(--ink);
  box-shadow: 0 24px 64px rgb(0 0 0 / .28), 0 0 0 1px rgb(0 0 0 / .06);
  font: 15px/1.5 var(--font, system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif);
}
dialog[data-theme=light] { color-scheme: light; }
dialog[data-theme=dark] { color-scheme: dark; }
dialog::backdrop { background: rgb(10 18 15 / .55); }
form { display: flow-root; }
.head { display: flex; align-items: center; gap: .6rem; padding: 1.1rem 1rem 0 1.5rem; }
#back { margin: 0 -.4rem 0 -.9rem; }
h2 { flex: 1; min-width: 0; margin: 0; font-size: 1.2rem; line-height: 1.3; font-weight: 650; letter-spacing: -.01em; overflow-wrap: anywhere; }
h3 { margin: 1.5rem 0 .5rem; font-size: .95rem; font-weight: 600; }
#logo { border-radius: 8px; object-fit: contain; }
p { margin: 0; }
#subtitle { padding: .2rem 1.5rem 0; color: var(--quiet); }
#subtitle:empty { display: none; }
#body { padding: .35rem 1.5rem 0; }
#error, progress, #status { margin-inline: 1.5rem; }
#intro, .hint, #status, .by, .quiet { color: var(--quiet); }
.hint { font-size: .85rem; margin-top: .35rem; }
#status { font-size: .9rem; outline: none; }
#status:not(:empty) { margin-top: .75rem; }
button, input { font: inherit; color: inherit; }
button { cursor: pointer; min-height: 44px; padding: .3rem 1.1rem; line-height: 1.25; border: 1px solid var(--line); border-radius: var(--radius); background: transparent; font-weight: 550; }
button:hover { background: var(--sunken); }
button.primary { background: var(--primary); border-color: var(--primary); color: var(--on-primary); }
button.primary:hover { background: var(--primary-hover); border-color: var(--primary-hover); }
button:disabled { opacity: .55; cursor: default; }
button.icon { flex: none; padding: 0; width: 44px; border: 0; display: grid; place-items: center; color: var(--quiet); }
svg { flex: none; fill: none; stroke: currentColor; stroke-width: 1.6; stroke-linecap: round; stroke-linejoin: round; }
button.icon svg { width: 20px; }
a { color: var(--accent); text-underline-offset: .15em; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
h2:focus-visible { outline: none; }
.field { margin-top: 1.1rem; }
.field > label, legend { display: block; padding: 0; font-weight: 550; margin-bottom: .35rem; }
.field input { width: 100%; min-width: 0; min-height: 44px; padding: 0 .85rem; border: 1px solid var(--edge); border-radius: var(--radius); background: var(--paper); }
.field input[aria-invalid=true] { border-color: var(--bad); outline-color: var(--bad); }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(10rem, 1fr)); column-gap: .75rem; }
.row { display: flex; gap: .5rem; }
.row input { flex: 1; }
#reveal { flex: none; width: 4.75rem; padding: 0; }
.code { letter-spacing: .35em; font-variant-numeric: tabular-nums; }
#error { margin-top: 1rem; padding: .8rem 1rem; border-radius: var(--radius); background: var(--bad-paper); color: var(--ink); font-size: .925rem; outline: none; }
#error strong { display: block; color: var(--bad); font-weight: 600; }
#error small { display: block; margin-top: .25rem; color: var(--quiet); font-size: .78rem; overflow-wrap: anywhere; }
#error small:empty { display: none; }
progress { appearance: none; display: block; width: calc(100% - 3rem); height: 6px; margin-top: 1.1rem; border: 0; border-radius: 3px; overflow: hidden; background: var(--line); }
progress::-webkit-progress-bar { background: var(--line); }
progress::-webkit-progress-value { background: var(--primary); border-radius: 3px; transition: width .2s; }
progress::-moz-progress-bar { background: var(--primary); }
progress:indeterminate { background: linear-gradient(90deg, var(--line) 35%, var(--primary) 50%, var(--line) 65%) 50% 0 / 300% 100%; }
progress:indeterminate::-webkit-progress-bar { background: transparent; }
progress:indeterminate::-moz-progress-bar { background: transparent; }
.foot { position: sticky; bottom: 0; display: flex; justify-content: flex-end; gap: .6rem; margin-top: 1.25rem; padding: .9rem 1.5rem; border-top: 1px solid var(--line); background: var(--paper); }
.by { padding: 0 1.5rem .8rem; font-size: .78rem; text-align: right; }
`;

const parts = `
.drop { position: relative; margin-top: 1rem; }
.drop input { position: absolute; inset: 0; width: 100%; height: 100%; opacity: 0; cursor: pointer; }
.drop label { display: flex; align-items: center; gap: 1rem; padding: 1.1rem 1.25rem; border: 1.5px dashed var(--edge); border-radius: calc(var(--radius) * 1.2); background: var(--sunken); }
.drop label > span { min-width: 0; }
.drop strong { display: block; font-weight: 600; overflow-wrap: anywhere; }
#file-detail { color: var(--quiet); font-size: .9rem; }
.drop svg { width: 34px; stroke: var(--accent); stroke-width: 1.4; }
.drop:hover label, .drop.over label { border-color: var(--accent); }
.drop.over label { background: color-mix(in srgb, var(--accent) 12%, var(--sunken)); }
.drop.filled label { border-style: solid; }
.drop input:focus-visible + label { outline: 2px solid var(--accent); outline-offset: 2px; }
ul, ol { margin: 0; padding: 0; list-style: none; }
.ways { display: grid; gap: .5rem; }
.ways.grid { grid-template-columns: repeat(auto-fit, minmax(11.5rem, 1fr)); }
.ways button { width: 100%; height: 100%; min-height: 56px; padding: .55rem .9rem; display: flex; align-items: center; gap: .8rem; text-align: start; font-weight: 400; }
.ways svg { width: 24px; color: var(--accent); }
.ways span { min-width: 0; overflow-wrap: anywhere; }
.ways strong { display: block; font-weight: 550; line-height: 1.35; }
.ways small { display: block; color: var(--quiet); font-size: .85rem; line-height: 1.35; }
.links { display: flex; flex-wrap: wrap; gap: .25rem 1.1rem; font-size: .9rem; }
.links a { display: inline-block; padding: .3rem 0; }
fieldset { margin: 1rem 0 0; padding: 0; border: 0; min-width: 0; }
.files { display: grid; gap: .5rem; max-height: 18.6rem; overflow: auto; padding: 3px; margin: -3px; }
.files label { display: flex; align-items: center; gap: .8rem; min-height: 52px; padding: .5rem .9rem; border: 1px solid var(--line); border-radius: var(--radius); cursor: pointer; }
.files label:has(:checked) { border-color: var(--accent); background: var(--sunken); }
.files input { flex: none; width: 18px; height: 18px; margin: 0; accent-color: var(--accent); }
.files span { min-width: 0; overflow-wrap: anywhere; }
.files small { display: block; color: var(--quiet); font-size: .83rem; line-height: 1.35; }
.steps { counter-reset: step; display: grid; gap: .75rem; margin-top: .9rem; }
.steps li { counter-increment: step; display: grid; grid-template-columns: 1.6rem 1fr; gap: .7rem; }
.steps li::before { content: counter(step); display: grid; place-items: center; width: 1.6rem; height: 1.6rem; border-radius: 50%; background: var(--primary); color: var(--on-primary); font-size: .85rem; font-weight: 600; }
.steps li > div { min-width: 0; overflow-wrap: anywhere; }
.address { display: flex; flex-wrap: wrap; align-items: center; gap: .5rem; margin-top: .5rem; padding: .6rem .7rem .6rem .9rem; border: 1px solid var(--line); border-radius: var(--radius); background: var(--sunken); }
.address:empty { display: none; }
.retry:not(:empty) { margin-top: 1rem; }
.address output { flex: 1 1 12rem; min-width: 0; font-family: ui-monospace, "Cascadia Mono", monospace; font-size: .9rem; overflow-wrap: anywhere; user-select: all; }
.total { margin: .75rem 0 .25rem; font-size: 1.9rem; font-weight: 650; letter-spacing: -.02em; line-height: 1.2; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: auto 1fr; gap: .3rem 1.2rem; margin: .9rem 0 0; }
dt { color: var(--quiet); }
dd { margin: 0; text-align: end; overflow-wrap: anywhere; }
.waiting { display: flex; align-items: center; gap: .7rem; margin-top: 1rem; color: var(--quiet); }
.waiting::before { content: ""; flex: none; width: 12px; height: 12px; border-radius: 50%; background: var(--primary); }
@media (max-width: 26rem) {
  .head { padding-left: 1.1rem; padding-right: .5rem; }
  #body, #subtitle, .by { padding-inline: 1.1rem; }
  #error, progress, #status { margin-inline: 1.1rem; }
  progress { width: calc(100% - 2.2rem); }
  .foot { padding-inline: 1.1rem; }
  .foot button { padding-inline: .8rem; }
  .foot .primary { flex: 1; }
}
@media (prefers-reduced-motion: no-preference) {
  dialog[open] { animation: rise .18s ease-out; }
  progress:indeterminate { animation: run 1.6s linear infinite; }
  .waiting::before { animation: pulse 1.6s ease-in-out infinite; }
}
@keyframes rise { from { transform: translateY(8px); } }
@keyframes run { from { background-position: 100% 0; } to { background-position: 0 0; } }
@keyframes pulse { 50% { opacity: .35; } }
@media (forced-colors: active) {
  dialog { border: 1px solid; }
  .waiting::before, .steps li::before { border: 1px solid; }
}
`;

export const styleSheet = new CSSStyleSheet();
styleSheet.replaceSync(css + parts);

/** The CSS properties that a theme may set, and how their values are checked. */
const themed = {
  primary: ['--primary', 'color'],
  primaryColor: ['--primary', 'color'], // older name
  primaryHover: ['--primary-hover', 'background-color'],
  primaryForeground: ['--on-primary', 'color'],
  accent: ['--accent', 'color'],
  radius: ['--radius', 'border-radius'],
  fontFamily: ['--font', 'font-family'],
};

/**
 * Returns the style sheet of an app's theme. Values that CSS does not know are left out.
 * @param {import('./portfolio-connect').Config['theme']} theme
 */
export function themeSheet(theme) {
  const rules = [];
  const set = typeof theme === 'object' ? theme : {};
  for (const [name, [variable, property]] of Object.entries(themed)) {
    const value = set[name];
    const text = typeof value === 'number' ? `${value}px` : String(value ?? '');
    if (text && !/[;{}]/.test(text) && CSS.supports(property, text)) rules.push(`${variable}: ${text};`);
  }
  if (set.primary && !set.primaryForeground && CSS.supports('color', 'oklch(from red l 0 0)')) {
    rules.push('--on-primary: oklch(from var(--primary) clamp(0, (.66 - l) * 1000, 1) 0 0);'); // black or white
  }
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(`dialog { ${rules.join(' ')} }`);
  return sheet;
}
