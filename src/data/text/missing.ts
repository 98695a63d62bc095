/** What tables write where there is no value. */

/**
 * Values that stand for none, as pandas' `read_csv` has them by default; its writers, spreadsheets and
 * databases leave them. Exact: `none` and `na` are words.
 */
const MISSING: ReadonlySet<string> = new Set([
  '#N/A',
  '#N/A N/A',
  '#NA',
  '<NA>',
  'N/A',
  'NA',
  'NULL',
  'NaN',
  'None',
  'n/a',
  'nan',
  'null',
  '-NaN',
  '-nan',
]);

/** Whether a cell of a table has no value: it is blank, or holds a sign that stands for none. */
export const isMissing = (cell: string): boolean => cell === '' || MISSING.has(cell);
