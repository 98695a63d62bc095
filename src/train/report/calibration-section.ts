/** Whether the probabilities can be believed. */
import type { ReliabilityBin } from '../../metrics/index.js';
import { metric, percent, plural } from './format.js';
import { type Html, html } from './html.js';
import type { ReportData } from './report-data.js';

/** Size of the diagram: a square of accuracy over confidence, a strip of counts under it. */
const SIDE = 300;
const STRIP = 56;
const LEFT = 40;
const TOP = 8;
const GAP = 14;

type Calibration = NonNullable<ReportData['calibration']>;

const x = (v: number) => LEFT + v * SIDE;
const y = (v: number) => TOP + (1 - v) * SIDE;
const BOTTOM = TOP + SIDE + GAP + STRIP;
/** A tenth of a unit is finer than any screen. */
const at = (n: number) => n.toFixed(1);

/** The length of a bin's bar, with a hair's breadth to its neighbours. */
function bar(b: ReliabilityBin, from: number, to: number, fill: string): Html {
  const said = `${percent(b.low)} to ${percent(b.high)} sure: on average ${percent(b.confidence)}, right ${percent(b.accuracy)}, ${plural(b.count, 'sample')}`;
  return html`<rect x="${at(x(b.low) + 0.75)}" width="${at(x(b.high) - x(b.low) - 1.5)}" y="${at(Math.min(from, to))}" height="${at(Math.abs(from - to))}" style="fill:${fill}"><title>${said}</title></rect>`;
}

function grid(t: number): Html {
  return html`<line x1="${x(0)}" x2="${x(1)}" y1="${y(t)}" y2="${y(t)}" style="stroke:var(--line)"/>
    <text x="${LEFT - 7}" y="${y(t) + 4}" text-anchor="end">${t}</text>
    <text x="${x(t)}" y="${BOTTOM + 15}" text-anchor="middle">${t}</text>`;
}

function diagram({ bins }: Calibration): Html {
  const full = bins.filter((b) => b.count > 0);
  const most = Math.max(...bins.map((b) => b.count));
  return html`<svg class="reliability" viewBox="0 0 ${LEFT + SIDE + 12} ${BOTTOM + 34}" role="img" aria-label="Reliability diagram">
    ${[0, 0.25, 0.5, 0.75, 1].map(grid)}
    ${full.map((b) => bar(b, y(0), y(b.accuracy), 'rgb(var(--right-rgb) / 0.75)'))}
    <line x1="${x(0)}" y1="${y(0)}" x2="${x(1)}" y2="${y(1)}" style="stroke:var(--soft);stroke-dasharray:4 4"/>
    ${full.map((b) => bar(b, y(b.confidence) - 1.5, y(b.confidence) + 1.5, 'var(--wrong)'))}
    ${full.map((b) => bar(b, BOTTOM, BOTTOM - (STRIP * b.count) / most, 'var(--other)'))}
    <line x1="${x(0)}" x2="${x(1)}" y1="${BOTTOM}" y2="${BOTTOM}" style="stroke:var(--line)"/>
    <text x="${LEFT - 7}" y="${BOTTOM - STRIP / 2 + 4}" text-anchor="end">count</text>
    <text x="${x(0.5)}" y="${BOTTOM + 30}" text-anchor="middle">probability of the predicted class</text>
  </svg>`;
}

/** The reliability diagram and what it means in this case. */
export function calibrationSection(calibration: Calibration): Html {
  const { bins, error } = calibration;
  const total = bins.reduce((sum, b) => sum + b.count, 0);
  const mean = (name: 'confidence' | 'accuracy') =>
    bins.reduce((sum, b) => sum + (b.count > 0 ? b.count * b[name] : 0), 0) / total;
  const [sure, right] = [mean('confidence'), mean('accuracy')];
  const leaning =
    Math.abs(sure - right) < 0.01
      ? 'On the whole it is as sure as it is right'
      : sure > right
        ? 'On the whole it is surer than it is right'
        : 'On the whole it is less sure than it could be';
  return html`<section id="calibration"><h2>Can the probabilities be believed?</h2>
    <p>Bars: how often the model is right when it is so sure. Orange lines: how sure it says it is. With honest probabilities the bars end at the lines.</p>
    <div class="columns">
      <div class="card">${diagram(calibration)}</div>
      <div class="card"><h3>Expected calibration error ${metric(error)}</h3>
        <p class="small">${leaning}: mean probability ${percent(sure)}, right ${percent(right)} of the time.</p>
        <p class="small soft">The mean gap over the samples, in ${plural(bins.length, 'bin')} of equal width (Guo et al. 2017). With few samples it is never quite zero.</p>
      </div>
    </div></section>`;
}
