/** Labels as tables write several of them: a list in a cell, or a column of 0 and 1 for each. */
import { DataError } from '../../errors.js';
import { strangeColumns, type TextColumns } from './columns.js';
import type { TextRow } from './text-row.js';

/** The texts of a list as Python writes it; null for anything else. */
function pythonList(text: string): string[] | null {
  const found: string[] = [];
  const entry = /\s*(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")\s*(,|$)/y;
  const inner = text.slice(1, -1);
  if (inner.trim() === '') return found;
  while (entry.lastIndex < inner.length) {
    const match = entry.exec(inner);
    if (!match) return null;
    found.push((match[1] ?? match[2]!).replaceAll(/\\(['"\\])/g, '$1'));
    if (match[3] === '') return found;
  }
  return found;
}

/** The list that a cell writes, in JSON or as Python prints it; null when it writes none. */
export function writtenList(value: unknown): readonly unknown[] | null {
  if (typeof value !== 'string') return null;
  const text = value.trim();
  if (!text.startsWith('[') || !text.endsWith(']')) return null;
  try {
    const list: unknown = JSON.parse(text);
    return Array.isArray(list) ? list : null;
  } catch {
    return pythonList(text);
  }
}

/** The row with lists in place of cells that write them. */
export function withLists(row: TextRow, columns: readonly string[]): TextRow {
  const lists = columns.flatMap((column) => {
    const list = writtenList(row.values.get(column));
    return list ? [[column, list] as const] : [];
  });
  return lists.length === 0 ? row : { ...row, values: new Map([...row.values, ...lists]) };
}

/** What to know of labels that look like several but are read as one each. */
export function severalNote(rows: readonly TextRow[], column: string): string[] {
  if (column === 'labels') return [];
  let [values, several] = [0, 0];
  let example: string | undefined;
  for (const row of rows) {
    const value = row.values.get(column);
    if (typeof value !== 'string') continue;
    values++;
    if (!value.includes('|') && writtenList(value) === null) continue;
    several++;
    example ??= value;
  }
  if (2 * several <= values) return [];
  return [
    `most of the column ${column} look like several labels (${JSON.stringify(example)}), and each is read as one name; call the column labels to have them apart`,
  ];
}

const ONE = new Set<unknown>([1, true, '1', '1.0', 'true', 'True']);
const ZERO = new Set<unknown>([0, false, '0', '0.0', 'false', 'False']);

/** Whether columns say of each row whether it has a label: two or more, all of 0 and 1. */
export function areFlags(rows: readonly TextRow[], columns: readonly string[]): boolean {
  const flag = (value: unknown) => ONE.has(value) || ZERO.has(value);
  return (
    columns.length > 1 &&
    rows.length > 0 &&
    rows.every((row) => columns.every((c) => flag(row.values.get(c))))
  );
}

/** The row with the columns that are 1 as its labels; without labels where one is neither 0 nor 1. */
export function withFlags(row: TextRow, columns: readonly string[]): TextRow {
  const values = new Map(row.values);
  const known = columns.every((c) => ONE.has(values.get(c)) || ZERO.has(values.get(c)));
  if (known)
    values.set(
      'labels',
      columns.filter((c) => ONE.has(values.get(c))),
    );
  return { ...row, values };
}

/**
 * Columns that nothing is known of beside a text, which would else be learned from alone.
 * @returns the columns of flags where these are labels; none when there is nothing unknown
 * @throws DataError `columns` when they may be labels under other names
 */
export function flagColumns(
  file: string,
  found: TextColumns,
  columns: ReadonlySet<string>,
  rows: readonly TextRow[],
): readonly string[] {
  const strange = strangeColumns(columns, found);
  if (strange.length === 0 || areFlags(rows, strange)) return strange;
  throw new DataError(
    `${file} has the ${strange.length > 1 ? 'columns' : 'column'} ${strange.join(', ')} beside ${Object.values(found.of).join(' and ')}, and what ${strange.length > 1 ? 'they stand' : 'it stands'} for is not known. Call the column with the labels label (labels for several, score for numbers); or say --task ${found.task} to leave ${strange.length > 1 ? 'them' : 'it'} out.`,
    { file, columns: strange },
    { code: 'columns' },
  );
}
