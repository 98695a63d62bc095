/** Numbers that were predicted beside those that are right. */
import { metric, plural } from './format.js';
import { type Html, html } from './html.js';
import type { ReportData } from './report-data.js';

type Scatter = NonNullable<ReportData['scatter']>;

const SIDE = 300;
const LEFT = 52;
const TOP = 8;
/** More points than this hide each other and make the file large: evenly chosen ones are drawn. */
const MAX_POINTS = 2000;

/** Predicted against right: on the line are those that are exact. */
export function scatterSection({ expected, predicted, correlation }: Scatter): Html {
  const all = [...expected, ...predicted];
  const [least, most] = [
    all.reduce((a, b) => Math.min(a, b)),
    all.reduce((a, b) => Math.max(a, b)),
  ];
  const margin = (most - least || 1) * 0.04;
  const [low, high] = [least - margin, most + margin];
  const share = (v: number) => (v - low) / (high - low);
  const x = (v: number) => (LEFT + share(v) * SIDE).toFixed(1);
  const y = (v: number) => (TOP + (1 - share(v)) * SIDE).toFixed(1);
  const step = Math.max(1, expected.length / MAX_POINTS);
  const drawn = Array.from({ length: Math.ceil(expected.length / step) }, (_, i) =>
    Math.floor(i * step),
  );
  const tick = (v: number) => html`
    <line x1="${x(low)}" x2="${x(high)}" y1="${y(v)}" y2="${y(v)}" style="stroke:var(--line)"/>
    <text x="${LEFT - 7}" y="${y(v)}" dy="4" text-anchor="end">${metric(v)}</text>
    <text x="${x(v)}" y="${TOP + SIDE + 15}" text-anchor="middle">${metric(v)}</text>`;
  return html`<section id="scatter"><h2>Predicted against right</h2>
    <p>A point a sample: the nearer to the line, the better. Pearson's correlation is ${metric(correlation)} over ${plural(expected.length, 'sample')}.</p>
    <div class="card"><svg class="reliability" viewBox="0 0 ${LEFT + SIDE + 30} ${TOP + SIDE + 36}" role="img" aria-label="Predicted against right numbers">
      ${[least, (least + most) / 2, most].map(tick)}
      <line x1="${x(low)}" y1="${y(low)}" x2="${x(high)}" y2="${y(high)}" style="stroke:var(--soft);stroke-dasharray:4 4"/>
      ${drawn.map((i) => html`<circle cx="${x(expected[i]!)}" cy="${y(predicted[i]!)}" r="2.5" style="fill:rgb(var(--right-rgb) / 0.5)"/>`)}
      <text x="${LEFT + SIDE / 2}" y="${TOP + SIDE + 31}" text-anchor="middle">right; upwards: predicted</text>
    </svg></div></section>`;
}
