/** The data, the time, and how to repeat the run. */
import { bytes, count, duration, percent, plural } from './format.js';
import { type Html, type HtmlValue, html } from './html.js';
import type { ReportData, ReportTiming } from './report-data.js';

/** Files that stand open; the others are folded away. */
const OPEN_SKIPPED = 10;
/** Files that are listed at all. */
const MAX_SKIPPED = 1000;
/** Colours of the parts of a bar, in turn. */
const PART_COLOURS = [2, 3, 4, 5, 6].map((n) => `var(--series-${n})`);

function facts(rows: readonly (readonly [string, HtmlValue])[]): Html {
  return html`<dl class="facts">${rows.map(
    ([name, value]) => html`<dt class="name">${name}</dt><dd class="name">${value}</dd>`,
  )}</dl>`;
}

type Skipped = NonNullable<ReportData['skipped']>;

function skippedList(skipped: Skipped, piece: string): Html {
  const item = ({ id, reason }: Skipped[number]) =>
    html`<li><span class="name">${id}</span> <span class="soft name">${reason}</span></li>`;
  const open = skipped.slice(0, OPEN_SKIPPED);
  const folded = skipped.slice(OPEN_SKIPPED, MAX_SKIPPED);
  const beyond = skipped.length - open.length - folded.length;
  return html`<ul class="plain">${open.map(item)}</ul>
    ${
      folded.length > 0 &&
      html`<details><summary>${plural(folded.length, `more ${piece}`)}</summary><ul class="plain">${folded.map(item)}</ul>
        ${beyond > 0 && html`<p class="soft small">and ${count(beyond)} that are not listed.</p>`}</details>`
    }`;
}

/** What was learned from, and what was left out. */
export function dataSection({ run, classes, skipped = [], notes = [] }: ReportData): Html {
  const { path, split, counts, piece = 'file' } = run.data;
  const rows: [string, HtmlValue][] = [
    ['Path', html`<code>${path}</code>`],
    ...Object.entries(counts).map(([part, n]): [string, HtmlValue] => [part, plural(n, 'sample')]),
    ...(classes ? [['Classes', count(classes.names.length)] as [string, HtmlValue]] : []),
    ['Split', split],
  ];
  return html`<section id="data"><h2>Data</h2>
    <div class="columns">
      <div class="card">${facts(rows)}</div>
      <div class="card"><h3>${skipped.length > 0 ? `${plural(skipped.length, piece)} left out` : `No ${piece} was left out`}</h3>
        ${skipped.length > 0 ? skippedList(skipped, piece) : html`<p class="soft small" style="margin:0">All ${piece}s could be read.</p>`}
        ${notes.map((note) => html`<p class="small name">${note}</p>`)}</div>
    </div></section>`;
}

function timingCard({
  seconds,
  parts = {},
  stepMs,
  samplesPerSecond,
  peakBytes,
}: ReportTiming): Html {
  const named = Object.entries(parts);
  const rest = seconds - named.reduce((sum, [, s]) => sum + s, 0);
  const shares = [
    ...named.map(([name, s], i) => ({ name, s, colour: PART_COLOURS[i % PART_COLOURS.length]! })),
    // Clocks are read at different moments; less than half a per cent is no part.
    ...(rest > seconds * 0.005 ? [{ name: 'rest', s: rest, colour: 'var(--other)' }] : []),
  ];
  const rows: [string, HtmlValue][] = shares.map(({ name, s, colour }) => [
    name,
    html`<i class="key" style="background:${colour}"></i>${duration(s)} <span class="soft">${percent(s / seconds)}</span>`,
  ]);
  if (stepMs !== undefined) rows.push(['Median step', `${stepMs.toFixed(stepMs < 10 ? 2 : 0)} ms`]);
  if (samplesPerSecond !== undefined)
    rows.push(['Speed', `${count(Math.round(samplesPerSecond))} samples a second`]);
  if (peakBytes !== undefined) rows.push(['Peak memory', bytes(peakBytes)]);
  return html`<div class="card"><h3>${duration(seconds)}</h3>
    ${named.length > 0 && html`<div class="stack">${shares.map(({ s, colour }) => html`<i style="flex:${Math.max(s, 0).toFixed(3)};background:${colour}"></i>`)}</div>`}
    ${facts(rows)}</div>`;
}

/** What was run, with what, and how long it took. */
export function runSection({ run, best, timing }: ReportData): Html {
  const { total, trainable } = run.parameters;
  const rows: [string, HtmlValue][] = [
    ['Task', run.task],
    ['Base', run.base],
    ['Method', run.method],
    ['Seed', html`<code>${run.seed}</code>`],
    ['Device', run.device],
    [
      'Parameters',
      `${count(total)}, of which ${count(trainable)} (${percent(total > 0 ? trainable / total : 0)}) were trained`,
    ],
    ...(best
      ? [
          ['Model kept', `of step ${count(best.step)}, epoch ${Number(best.epoch.toFixed(2))}`] as [
            string,
            HtmlValue,
          ],
        ]
      : []),
  ];
  const table = (list: ReportData['run']['settings']) =>
    facts(Object.entries(list).map(([name, value]) => [name, html`<code>${String(value)}</code>`]));
  return html`<section id="repeat"><h2>How to repeat it</h2>
    <p>With the same versions, data and device the same command gives the same model.</p>
    <pre>${run.command}</pre>
    <div class="columns">
      <div class="card"><h3>Run</h3>${facts(rows)}</div>
      ${timing && timingCard(timing)}
      <div class="card"><h3>Settings</h3>${table(run.settings)}</div>
      <div class="card"><h3>Versions</h3>${table(run.versions)}</div>
    </div></section>`;
}
