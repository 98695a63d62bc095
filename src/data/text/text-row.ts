/** A row of text data as files give it. */
import { columnName } from '../table.js';

/**
 * A row by column, names in lower case. Blank texts are absent; JSON and Parquet keep their types.
 */
export interface TextRow {
  /** First and last line of the file, from 1; for Parquet and JSON the number of the row. */
  readonly line: number;
  readonly last: number;
  readonly values: ReadonlyMap<string, unknown>;
  /** What the row is called by itself, where it says so. */
  readonly name?: string;
}

/** Where a row stands, as messages, reports and predictions name it: `file:line`, or `file:first-last`. */
export function placeOf(file: string, { line, last, name }: TextRow): string {
  return `${file}:${name ?? (line === last ? line : `${line}-${last}`)}`;
}

/** A file of rows. */
export interface TextTable {
  /** All columns once the rows were read; those of a header with the first row. */
  readonly columns: ReadonlySet<string>;
  readonly rows: AsyncGenerator<TextRow>;
}

/** The values of a JSON object by column; null when it is none. */
export function objectValues(row: unknown, columns: Set<string>): Map<string, unknown> | null {
  if (typeof row !== 'object' || row === null || Array.isArray(row)) return null;
  const values = new Map<string, unknown>();
  for (const [key, value] of Object.entries(row)) {
    const name = columnName(key);
    // Hugging Face's translations: the languages lie in an object of their own.
    if (name === 'translation') {
      const inner = objectValues(value, columns);
      for (const [language, text] of inner ?? []) values.set(language, text);
      if (inner) continue;
    }
    columns.add(name);
    const blank = value === null || (typeof value === 'string' && value.trim() === '');
    if (!blank) values.set(name, value);
  }
  return values;
}
