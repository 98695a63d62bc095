/** Parts of tables that the page's script can sort, and names of classes. */
import { metric } from './format.js';
import { type Html, html } from './html.js';

/** The name of a class; an index without a name is said as it is. */
export function className(names: readonly string[], index: number): string {
  return names[index] ?? `class ${index}`;
}

/** A column head that sorts its table, and how the table comes sorted. */
export function sortable(
  text: string,
  { number = false, sorted }: { number?: boolean; sorted?: 'ascending' | 'descending' } = {},
): Html {
  return html`<th scope="col"${number && html` class="number"`}${sorted && html` aria-sort="${sorted}"`}><button type="button">${text}</button></th>`;
}

/** A number as it is shown, with the number itself to sort by. */
export function numberCell(value: number, text: string): Html {
  return html`<td class="number" data-value="${value}">${text}</td>`;
}

/** A metric from 0 to 1 with a bar of its length. */
export function barCell(value: number): Html {
  return html`<td class="number" data-value="${value}">${metric(value)}<span class="bar wide-only"><i style="width:${(100 * value).toFixed(1)}%"></i></span></td>`;
}
