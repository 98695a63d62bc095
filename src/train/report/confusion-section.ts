/** Who is taken for whom: the matrix and the list of its mistakes. */
import { ConfigError } from '../../errors.js';
import { type Confusion, mostConfused } from '../../metrics/index.js';
import { count, percent } from './format.js';
import { type Html, html, jsonBlock } from './html.js';
import type { ReportClasses } from './report-data.js';
import { className, numberCell, sortable } from './tables.js';

/** Beyond this many classes a cell has no room for its count, and the matrix is painted. */
const MAX_TABLE_CLASSES = 40;
/** Mistakes that are listed; a long tail of single ones says little. */
const MAX_CONFUSIONS = 100;

/** One cell: blue or orange, as dark as its share of the row. */
function cell(names: readonly string[], t: number, p: number, n: number, total: number): Html {
  const share = total > 0 ? n / total : 0;
  // A single mistake in a large class is still to be seen.
  const part = 0.12 + 0.88 * share;
  const look = n === 0 ? 'none' : `${t === p ? 'hit' : 'miss'} ${part > 0.55 ? 'strong' : 'weak'}`;
  const said = `${className(names, t)} taken for ${className(names, p)}: ${count(n)} (${percent(share)})`;
  return html`<td class="cell ${look}" style="--part:${part.toFixed(3)}" title="${said}">${n > 0 ? count(n) : '·'}</td>`;
}

function matrixTable({ names, confusion }: ReportClasses): Html {
  const n = names.length;
  const size = n <= 4 ? '4.5rem' : n <= 7 ? '3.4rem' : n <= 14 ? '2.5rem' : '1.9rem';
  const rows = names.map((_, t) => confusion.slice(t * n, (t + 1) * n));
  return html`<div class="scroll-x"><table class="matrix" style="--cell:${size}">
    <thead><tr><th class="corner soft">right ↓<br>predicted →</th>${names.map(
      (name) => html`<th scope="col" title="${name}"><span class="name">${name}</span></th>`,
    )}</tr></thead>
    <tbody>${rows.map((row, t) => {
      const total = row.reduce((a, b) => a + b, 0);
      return html`<tr><th scope="row" class="name" title="${names[t]}">${names[t]}</th>${row.map(
        (k, p) => cell(names, t, p, k, total),
      )}</tr>`;
    })}</tbody>
  </table></div>`;
}

/** Painted by the page's script, which says what lies under the pointer. */
function matrixCanvas({ names, confusion }: ReportClasses): Html {
  const n = names.length;
  const cells = confusion.flatMap((k, i) => (k > 0 ? [[Math.floor(i / n), i % n, k]] : []));
  return html`<canvas class="matrix-canvas" width="${n}" height="${n}" role="img" aria-label="Confusion matrix of ${n} classes"></canvas>
    <p class="soft small readout" id="matrix-readout">Rows are right classes, columns predicted ones. Point at a cell to read it.</p>
    ${jsonBlock('matrix-data', { names, cells })}`;
}

function mistakeRow(names: readonly string[], c: Confusion): Html {
  return html`<tr><td class="name">${className(names, c.actual)}</td><td class="name">${className(names, c.predicted)}</td>${numberCell(c.count, count(c.count))}${numberCell(c.share, percent(c.share))}</tr>`;
}

function mistakeList(names: readonly string[], all: readonly Confusion[]): Html {
  if (all.length === 0) return html`<p class="soft small">No mistakes.</p>`;
  const listed = all.slice(0, MAX_CONFUSIONS);
  return html`<div class="scroll"><table data-sortable>
      <thead><tr>${sortable('Right')}${sortable('Taken for')}${sortable('Count', { number: true, sorted: 'descending' })}${sortable('Share', { number: true })}</tr></thead>
      <tbody>${listed.map((c) => mistakeRow(names, c))}</tbody></table></div>
    ${all.length > listed.length && html`<p class="soft small readout">The ${listed.length} most frequent of ${all.length} kinds of mistakes.</p>`}`;
}

/**
 * The confusion matrix beside the list of its mistakes.
 * @throws ConfigError when the matrix has not the size of the classes
 */
export function confusionSection(classes: ReportClasses): Html {
  const { names, confusion } = classes;
  if (confusion.length !== names.length ** 2) {
    throw new ConfigError(
      `report: ${confusion.length} cells of a confusion matrix for ${names.length} classes; expected [classes, classes].`,
      { cells: confusion.length, classes: names.length },
    );
  }
  const all = mostConfused({ classes: names.length, counts: Float64Array.from(confusion) });
  return html`<section id="confusion"><h2>Confusions</h2>
    <p>How often each class is taken for each. Blue is right, orange is wrong; the shade is the share of the class.</p>
    <div class="confusion">
      <div class="card">${names.length > MAX_TABLE_CLASSES ? matrixCanvas(classes) : matrixTable(classes)}</div>
      <div class="card"><h3>Most confused</h3>${mistakeList(names, all)}</div>
    </div></section>`;
}
