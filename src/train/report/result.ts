/** The top of a report: title, results, and whether the base helped. */
import { transferGain } from '../../metrics/index.js';
import { metric, moment, type Naming, namingOf, percent, plural, signed } from './format.js';
import { type Html, html } from './html.js';
import type { ReportComparison, ReportData, ReportMetric } from './report-data.js';

/** Title and one line that says what this is. */
export function heading({ title, created, run }: ReportData, links: readonly Html[]): Html {
  const facts = [run.task, run.base, run.method];
  return html`<header>
    <h1 class="name">${title}</h1>
    <p class="soft">${facts.map((f) => html`<span class="name">${f}</span> · `)}<time datetime="${created}">${moment(created)}</time></p>
    <nav aria-label="Parts of the report">${links}</nav>
  </header>`;
}

function range({ interval }: ReportMetric): string | null {
  if (!interval) return null;
  return `${metric(interval.low)} to ${metric(interval.high)}`;
}

/** The results, the first one large. */
export function results({ metrics, split, run, comparison }: ReportData): Html {
  const [main, ...others] = metrics;
  const labelOf = namingOf(
    run.task,
    metrics.map((m) => m.name),
  );
  const samples = run.data.counts[split];
  const level = metrics.find((m) => m.interval)?.interval?.level;
  return html`<section id="result">
    <div class="hero">
      ${
        main &&
        html`<div>
        <div class="figure">${metric(main.value)}</div>
        <div class="name">${labelOf(main.name)}</div>
        ${main.interval && html`<div class="soft small">${range(main)}</div>`}
        <div class="soft small">on <span class="name">${split}</span>${
          samples !== undefined && `, ${plural(samples, 'sample')}`
        }</div>
      </div>`
      }
      <dl class="metrics">${others.map(
        (m) =>
          html`<div><dt class="name">${labelOf(m.name)}</dt><dd>${metric(m.value)}${
            m.interval && html`<small>${range(m)}</small>`
          }</dd></div>`,
      )}</dl>
    </div>
    ${
      level !== undefined &&
      html`<p class="soft small" style="margin-top:1.4rem">Ranges are ${percent(level).replace('.0', '')} intervals over samples (bootstrap); they do not speak of the noise between seeds.</p>`
    }
    ${comparison && comparable(comparison) && comparisonCard(comparison, labelOf)}
  </section>`;
}

/** A side without values, or one that diverged, cannot be compared. */
function comparable({ transfer, scratch }: ReportComparison): boolean {
  return [transfer, scratch].every((side) => side.length > 0 && side.every(Number.isFinite));
}

/** The verdict in words: a headline and the numbers behind it. */
function verdict(c: ReportComparison) {
  const { gain, low, high, verdict } = transferGain(c.transfer, c.scratch, c);
  const seeds = `${c.transfer.length} and ${plural(c.scratch.length, 'seed')}`;
  const between = `95 % interval ${signed(low)} to ${signed(high)} over ${seeds}`;
  switch (verdict) {
    case 'helped':
      return {
        verdict,
        head: `The base helped: ${signed(gain)}`,
        text: `The gain is beyond the noise between seeds (${between}).`,
      };
    case 'hurt':
      return {
        verdict,
        head: `Negative transfer: ${signed(gain)}`,
        text: `Training from scratch does better, beyond the noise between seeds (${between}).`,
      };
    case 'within-noise':
      return {
        verdict,
        head: `No clear gain: ${signed(gain)}`,
        text: `Seeds alone could make this difference (${between}).`,
      };
    case 'noise-unknown':
      return {
        verdict,
        head: `With the base: ${signed(gain)}`,
        text: 'The noise between seeds is not known; run at least two seeds on either side to judge the difference.',
      };
  }
}

function mean(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0) / values.length;
}

/** With the base and from scratch, a dot a seed. */
function comparisonCard(c: ReportComparison, labelOf: Naming): Html {
  const { verdict: kind, head, text } = verdict(c);
  const all = [...c.transfer, ...c.scratch];
  const [least, most] = [Math.min(...all), Math.max(...all)];
  // Room on both sides, so that no dot is cut; one point alone stands in the middle.
  const margin = (most - least || Math.abs(most) || 1) * 0.08;
  const [from, to] = [least - margin, most + margin];
  const place = (v: number) => `left:${((100 * (v - from)) / (to - from)).toFixed(2)}%`;
  const row = (name: string, kindOfRow: string, values: readonly number[]) => html`
    <span>${name}</span>
    <span class="track ${kindOfRow}">${values.map((v) => html`<i style="${place(v)}" title="${metric(v)}"></i>`)}<b style="${place(mean(values))}"></b></span>
    <strong>${metric(mean(values))}</strong>`;
  return html`<div class="card verdict ${kind}">
    <h3>${head} <span class="soft" style="font-weight:400">${labelOf(c.metric)}</span></h3>
    <p class="soft small" style="margin:0">${text} The same budget on both sides: <span class="name">${c.budget}</span>.${c.note && html` <strong>${c.note}</strong>`}</p>
    <div class="dots">
      ${row('with the base', 'transfer', c.transfer)}
      ${row('from scratch', 'scratch', c.scratch)}
      <span></span><span class="scale"><span>${metric(from)}</span><span>${metric(to)}</span></span><span></span>
    </div>
  </div>`;
}
