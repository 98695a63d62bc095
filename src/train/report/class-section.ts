/** Results by class. */
import { count } from './format.js';
import { type Html, html } from './html.js';
import type { ReportClasses, ReportGroups } from './report-data.js';
import { barCell, className, numberCell, sortable } from './tables.js';

/** Precision, recall and F1 of each class. */
export function classSection({ names, scores }: ReportClasses): Html {
  return html`<section id="classes"><h2>Classes</h2>
    <p>Precision: how many of the samples given the class belong to it. Recall: how many of its samples were found.</p>
    ${scoreTable(
      'Class',
      'Samples',
      scores.map((s, c) => ({ ...s, label: className(names, c) })),
    )}</section>`;
}

/** The same of labels that a sample may have several of, or of types of entities. */
export function groupSection({ named, rows }: ReportGroups): Html {
  return html`<section id="groups"><h2>By ${named}</h2>
    <p>Precision: how many of those that were predicted are right. Recall: how many of those that are there were found.</p>
    ${scoreTable('Name', 'Number', rows)}</section>`;
}

function scoreTable(first: string, last: string, rows: ReportGroups['rows']): Html {
  const number = { number: true };
  return html`<div class="card"><div class="scroll"><table data-sortable>
      <thead><tr>${sortable(first)}${sortable('Precision', number)}${sortable('Recall', number)}${sortable('F1', number)}${sortable(last, number)}</tr></thead>
      <tbody>${rows.map(
        (s) =>
          html`<tr><th scope="row" class="name">${s.label}</th>${barCell(s.precision)}${barCell(s.recall)}${barCell(s.f1)}${numberCell(s.support, count(s.support))}</tr>`,
      )}</tbody></table></div></div>`;
}
