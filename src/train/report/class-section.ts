/** Results by class. */
import { count } from './format.js';
import { type Html, html } from './html.js';
import type { ReportClasses } from './report-data.js';
import { barCell, className, numberCell, sortable } from './tables.js';

/** Precision, recall and F1 of each class. */
export function classSection({ names, scores }: ReportClasses): Html {
  const number = { number: true };
  return html`<section id="classes"><h2>Classes</h2>
    <p>Precision: how many of the samples given the class belong to it. Recall: how many of its samples were found.</p>
    <div class="card"><div class="scroll"><table data-sortable>
      <thead><tr>${sortable('Class')}${sortable('Precision', number)}${sortable('Recall', number)}${sortable('F1', number)}${sortable('Samples', number)}</tr></thead>
      <tbody>${scores.map(
        (s, c) =>
          html`<tr><th scope="row" class="name">${className(names, c)}</th>${barCell(s.precision)}${barCell(s.recall)}${barCell(s.f1)}${numberCell(s.support, count(s.support))}</tr>`,
      )}</tbody></table></div></div></section>`;
}
