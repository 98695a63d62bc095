/** The look of a report: one column that a phone shows too, light and dark, and print. */

/** Colours by role. Blue is what is right, orange what is wrong; both are told apart by the colour-blind. */
const LIGHT = `
  --page: #fbfbfa; --card: #ffffff; --ink: #16191d; --soft: #596068; --line: #e3e4e6;
  --faint: #f1f2f3; --right: #1f63c4; --right-rgb: 31 99 196; --wrong: #c2570c;
  --wrong-rgb: 217 104 21; --other: #8a9099; --good: #17774a; --bad: #b3261e;
  --series-1: #8a9099; --series-2: #1f63c4; --series-3: #c2570c; --series-4: #17774a;
  --series-5: #8b4fb3; --series-6: #b58900; --on-strong: #fff;`;
const DARK = `
  --page: #131518; --card: #1b1e22; --ink: #e9eaec; --soft: #9ba2ab; --line: #2e3238;
  --faint: #23272c; --right: #6aa5f8; --right-rgb: 88 152 245; --wrong: #f0954c;
  --wrong-rgb: 240 139 61; --other: #7f8791; --good: #4cc38a; --bad: #ff8a80;
  --series-1: #7f8791; --series-2: #6aa5f8; --series-3: #f0954c; --series-4: #4cc38a;
  --series-5: #c297e8; --series-6: #d9b84a; --on-strong: #0c0e10;`;

/** The style sheet. */
export const STYLE = `
:root { color-scheme: light; ${LIGHT} }
@media (prefers-color-scheme: dark) {
  :root:not([data-theme="light"]) { color-scheme: dark; ${DARK} }
}
* { box-sizing: border-box; }
html { scroll-behavior: smooth; scroll-padding-top: 1.5rem; -webkit-text-size-adjust: 100%; }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 400 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
  font-variant-numeric: tabular-nums;
}
.page { max-width: 66rem; margin: 0 auto; padding: 3.5rem 1.5rem 5rem; }
h1 { margin: 0; font-size: clamp(1.75rem, 5vw, 2.5rem); line-height: 1.15; letter-spacing: -0.02em; font-weight: 680; text-wrap: balance; overflow-wrap: anywhere; }
h2 { margin: 0 0 0.35rem; font-size: 1.35rem; line-height: 1.25; letter-spacing: -0.01em; font-weight: 650; }
h3 { margin: 0 0 0.6rem; font-size: 0.95rem; font-weight: 620; }
p { margin: 0 0 0.9rem; max-width: 44rem; }
a { color: var(--right); text-underline-offset: 0.15em; }
code, pre { font: 0.875em/1.55 ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace; }
.name { unicode-bidi: isolate; overflow-wrap: anywhere; }
.soft { color: var(--soft); }
.small { font-size: 0.875rem; }
header .soft { margin: 0.6rem 0 0; }
nav { display: flex; flex-wrap: wrap; gap: 0.25rem 1.1rem; margin: 1.4rem 0 0; font-size: 0.9rem; }
nav a { color: var(--soft); text-decoration: none; }
nav a:hover { color: var(--ink); text-decoration: underline; }
section { margin-top: 3.25rem; padding-top: 1.9rem; border-top: 1px solid var(--line); }
header + section { margin-top: 1.6rem; }
h2 + .columns { margin-top: 1rem; }
section > p:first-of-type { color: var(--soft); margin-bottom: 1.3rem; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 1.15rem 1.25rem; min-width: 0; }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(21rem, 100%), 1fr)); gap: 1.25rem; align-items: start; }

/* Result */
.hero { display: grid; grid-template-columns: minmax(13rem, 1fr) 2.2fr; gap: 1.25rem 3rem; align-items: start; }
.figure { font-size: clamp(3.25rem, 10vw, 4.75rem); line-height: 1; letter-spacing: -0.035em; font-weight: 640; }
.figure + div { margin-top: 0.5rem; font-weight: 600; }
.metrics { display: grid; grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr)); gap: 1.05rem 1.5rem; margin: 0.35rem 0 0; }
.metrics div { min-width: 0; }
.metrics dt { color: var(--soft); font-size: 0.85rem; }
.metrics dd { margin: 0; font-size: 1.2rem; font-weight: 560; }
.metrics small { display: block; font-size: 0.78rem; font-weight: 400; color: var(--soft); }
.verdict { margin-top: 2rem; border-left: 4px solid var(--other); }
.verdict.helped { border-left-color: var(--good); }
.verdict.hurt { border-left-color: var(--bad); }
.verdict h3 { font-size: 1.1rem; margin-bottom: 0.25rem; }
.dots { display: grid; grid-template-columns: max-content 1fr max-content; gap: 0.35rem 0.9rem; align-items: center; margin-top: 1rem; font-size: 0.9rem; max-width: 46rem; }
.track { position: relative; height: 1.6rem; min-width: 4rem; }
.track::before { content: ""; position: absolute; inset: 50% 0 auto; border-top: 1px solid var(--line); }
.track i { position: absolute; top: 50%; width: 0.7rem; height: 0.7rem; margin: -0.35rem; border-radius: 50%; background: rgb(var(--right-rgb) / 0.55); }
.track b { position: absolute; top: 15%; height: 70%; width: 2px; margin-left: -1px; background: var(--ink); }
.track.scratch i { background: var(--other); opacity: 0.75; }
.scale { display: flex; justify-content: space-between; color: var(--soft); font-size: 0.78rem; }

/* Charts */
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(26rem, 100%), 1fr)); gap: 1.25rem; }
.charts > :first-child:nth-last-child(odd) { grid-column: 1 / -1; }
.plot { min-height: 14rem; }
.segmented { display: inline-flex; gap: 0; margin: 0 0 1rem; padding: 0; border: 1px solid var(--line); border-radius: 8px; overflow: hidden; font-size: 0.875rem; }
.segmented label { padding: 0.3rem 0.85rem; cursor: pointer; color: var(--soft); }
.segmented input { position: absolute; opacity: 0; pointer-events: none; }
.segmented label:has(:checked) { background: var(--faint); color: var(--ink); font-weight: 600; }
.segmented label:has(:focus-visible) { outline: 2px solid var(--right); outline-offset: -2px; }
.uplot, .u-legend { font-family: inherit !important; }
.uplot { width: 100% !important; line-height: 1.3 !important; }
.u-legend { font-size: 0.8rem !important; text-align: left !important; margin: 0.4rem 0 0 !important; color: var(--soft); }
.u-legend .u-marker { width: 0.9em !important; height: 0.25em !important; border-radius: 2px; }
.u-legend .u-series > * { padding: 0.1rem 0.25rem 0.1rem 0 !important; }
.u-legend .u-value { min-width: 3.6em; display: inline-block; color: var(--ink); }
.u-legend .raw { display: none; }
.u-legend th, .u-legend td { border: 0; font-weight: 400; }
.u-legend .u-series:first-child .u-marker { display: none; }
.u-cursor-x { border-color: var(--soft) !important; }
details > summary { cursor: pointer; color: var(--soft); font-size: 0.9rem; padding: 0.4rem 0; }
details > summary:hover { color: var(--ink); }
details[open] > summary { margin-bottom: 0.75rem; }
.charts + details { margin-top: 1rem; }

/* Tables */
.scroll { overflow: auto; max-height: 32rem; -webkit-overflow-scrolling: touch; }
table { border-collapse: collapse; font-size: 0.9rem; width: 100%; }
th, td { padding: 0.4rem 0.7rem 0.4rem 0; text-align: left; border-bottom: 1px solid var(--line); vertical-align: baseline; }
thead th { color: var(--soft); font-weight: 500; white-space: nowrap; }
.scroll thead th { position: sticky; top: 0; background: var(--card); z-index: 1; }
tbody tr:last-child > * { border-bottom: 0; }
th.number, td.number { text-align: right; white-space: nowrap; }
tbody th { font-weight: 500; }
td.name, tbody th.name { min-width: 5.5rem; overflow-wrap: break-word; }
th button { font: inherit; color: inherit; background: none; border: 0; padding: 0; cursor: pointer; }
th button:hover, th[aria-sort] button { color: var(--ink); }
th button::after { content: "↕"; opacity: 0.35; margin-left: 0.25em; font-size: 0.85em; }
th[aria-sort="ascending"] button::after { content: "↑"; opacity: 1; }
th[aria-sort="descending"] button::after { content: "↓"; opacity: 1; }
.bar { display: inline-block; width: 3.6rem; height: 0.45rem; margin-left: 0.6rem; border-radius: 2px; background: var(--faint); vertical-align: 0.08em; overflow: hidden; }
.bar i { display: block; height: 100%; background: rgb(var(--right-rgb) / 0.75); }

/* Confusion matrix */
.confusion { display: grid; grid-template-columns: minmax(0, max-content) minmax(17rem, 1fr); gap: 1.25rem; align-items: start; }
.matrix { width: auto; font-size: 0.8rem; border-collapse: separate; border-spacing: 2px; }
.matrix th, .matrix td { border: 0; padding: 0; }
.matrix tbody th, .matrix .corner { position: sticky; left: 0; background: var(--card); z-index: 1; }
.matrix .corner { text-align: right; vertical-align: bottom; padding: 0 0.6rem 0.3rem 0; font-size: 0.75rem; line-height: 1.3; white-space: nowrap; }
.matrix thead th { text-align: center; vertical-align: bottom; height: 3rem; color: var(--ink); }
.matrix thead th span { writing-mode: vertical-rl; transform: rotate(180deg); max-height: 9rem; overflow: hidden; text-overflow: ellipsis; padding: 0.35rem 0; }
.matrix tbody th { text-align: right; padding-right: 0.6rem; vertical-align: middle; min-width: 0; max-width: 9rem; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.matrix td.cell { width: var(--cell); min-width: var(--cell); height: var(--cell); text-align: center; vertical-align: middle; border-radius: 3px; color: var(--soft); background: rgb(var(--wrong-rgb) / var(--part)); }
.matrix td.cell.hit { background: rgb(var(--right-rgb) / var(--part)); }
.matrix td.cell.strong { color: var(--on-strong); font-weight: 600; }
.matrix td.cell.weak { color: var(--ink); }
.matrix td.cell.none { background: var(--faint); }
.scroll-x { overflow-x: auto; -webkit-overflow-scrolling: touch; }
.readout { margin: 0.6rem 0 0; }
#matrix-readout { min-height: 3em; }
.matrix-canvas { width: 32rem; max-width: 100%; aspect-ratio: 1; image-rendering: pixelated; border: 1px solid var(--line); display: block; background: var(--card); }

/* Pictures */
.gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr)); gap: 1.4rem 1.1rem; }
.gallery.pairs { grid-template-columns: repeat(auto-fill, minmax(min(19rem, 100%), 1fr)); }
figure { margin: 0; break-inside: avoid; min-width: 0; }
figure img, .blank { display: block; width: 100%; aspect-ratio: 1; object-fit: cover; border-radius: 6px; background: var(--faint); }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 3px; }
.pair img:first-child { border-radius: 6px 0 0 6px; } .pair img:last-child { border-radius: 0 6px 6px 0; }
figcaption { margin-top: 0.45rem; font-size: 0.85rem; line-height: 1.4; }
figcaption .took { color: var(--wrong); font-weight: 600; }
figcaption .took.ok { color: var(--right); }
figcaption .id { display: block; color: var(--soft); font-size: 0.75rem; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }

/* Calibration, timing, facts */
.reliability { display: block; width: 100%; max-width: 26rem; height: auto; }
.reliability text { font-size: 11px; fill: var(--soft); }
.facts { display: grid; grid-template-columns: fit-content(10rem) minmax(0, 1fr); gap: 0.3rem 1.2rem; margin: 0; font-size: 0.9rem; }
.facts dt { color: var(--soft); overflow-wrap: break-word; } .facts dd { margin: 0; overflow-wrap: anywhere; }
pre { margin: 0 0 1.25rem; padding: 0.9rem 1.1rem; background: var(--faint); border-radius: 8px; white-space: pre-wrap; overflow-wrap: anywhere; user-select: all; }
.stack { display: flex; height: 0.85rem; border-radius: 4px; overflow: hidden; margin: 0.2rem 0 0.8rem; background: var(--faint); gap: 1px; }
.key { display: inline-block; width: 0.65rem; height: 0.65rem; border-radius: 2px; margin-right: 0.5rem; }
.plain { margin: 0; padding: 0; list-style: none; font-size: 0.9rem; }
.plain li { padding: 0.35rem 0; border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
.plain li:last-child { border-bottom: 0; }
footer { margin-top: 4rem; color: var(--soft); font-size: 0.8rem; }

@media (max-width: 46rem) {
  .page { padding: 2rem 1rem 3rem; }
  .hero, .confusion { grid-template-columns: minmax(0, 1fr); }
  section { margin-top: 2.4rem; padding-top: 1.5rem; }
  .metrics { grid-template-columns: repeat(auto-fill, minmax(8rem, 1fr)); }
  .gallery { grid-template-columns: repeat(auto-fill, minmax(8.5rem, 1fr)); }
  .card { padding: 0.95rem 1rem; }
  th, td { padding-right: 0.5rem; }
  .scroll table { font-size: 0.82rem; }
  th:not([aria-sort]) button::after { content: none; }
  .wide-only { display: none; }
  .matrix tbody th { max-width: 6rem; min-width: 0; }
  .matrix td.cell { width: 2.1rem; min-width: 2.1rem; height: 2.1rem; }
}
@media print {
  @page { margin: 15mm; }
  body { font-size: 10pt; background: #fff; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  .page { padding: 0; max-width: none; }
  nav, .segmented { display: none; }
  .scroll { max-height: none; overflow: visible; }
  .card, .chart, figure, tr { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
  section { margin-top: 1.8rem; padding-top: 1rem; }
  .card { border-color: #ccc; }
  .u-wrap { width: 100% !important; height: auto !important; }
  .uplot canvas { height: auto !important; }
  .u-over, .u-under { display: none; }
}
`;
