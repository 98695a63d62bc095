/** Lists of pictures (Node): CSV, TSV and JSON lines. */
import { readFile, stat } from 'node:fs/promises';
import { parse } from 'csv-parse/sync';
import { DataError } from '../errors.js';
import { endingOf } from './picture-format.js';

/** A row by column; values are texts, missing ones are absent. */
export interface TableRow {
  /** Line of the file, from 1, for messages. */
  readonly line: number;
  readonly values: ReadonlyMap<string, string>;
}

/** A list as it was read. */
export interface Table {
  readonly columns: ReadonlySet<string>;
  readonly rows: readonly TableRow[];
}

/** Bytes of the longest list that is read: some million rows. More is no list of pictures. */
const MAX_TABLE_BYTES = 256 * 1024 * 1024;

/** Endings of files that {@link readTable} reads. */
export const TABLE_ENDINGS: ReadonlySet<string> = new Set(['csv', 'tsv', 'jsonl', 'ndjson']);

/** How columns are compared: without case and spaces around. */
export const columnName = (name: string): string => name.trim().toLowerCase();

function damaged(file: string, line: number, reason: string): DataError {
  return new DataError(
    `${file}, line ${line}: ${reason}`,
    { file, line, reason },
    { code: 'table' },
  );
}

function delimited(file: string, text: string, delimiter: string): Table {
  interface Parsed {
    readonly record: string[];
    readonly info: { readonly lines: number };
  }
  let parsed: Parsed[];
  try {
    parsed = parse(text, {
      bom: true,
      delimiter,
      info: true,
      relax_column_count: true,
      skip_empty_lines: true,
      trim: true,
      // A tab-separated list has no quoting; a lone quote in it is a quote.
      quote: delimiter === '\t' ? null : '"',
    }) as unknown as Parsed[];
  } catch (error) {
    const { message, lines } = error as Error & { lines?: number };
    throw damaged(file, lines ?? 1, message);
  }
  const [head, ...body] = parsed;
  if (!head) throw new DataError(`${file} is empty.`, { file }, { code: 'table' });
  const columns = head.record.map(columnName);
  const rows = body.map(({ record, info }): TableRow => {
    if (record.length > columns.length) {
      throw damaged(file, info.lines, `${record.length} values for ${columns.length} columns.`);
    }
    const values = new Map<string, string>();
    record.forEach((value, i) => {
      if (value !== '') values.set(columns[i]!, value);
    });
    return { line: info.lines, values };
  });
  return { columns: new Set(columns), rows };
}

function jsonLines(file: string, text: string): Table {
  const columns = new Set<string>();
  const rows = text.split('\n').flatMap((source, i): TableRow[] => {
    if (source.trim() === '') return [];
    let row: unknown;
    try {
      row = JSON.parse(source.replace(/^\uFEFF/, ''));
    } catch {
      throw damaged(file, i + 1, 'this is no JSON object.');
    }
    if (typeof row !== 'object' || row === null || Array.isArray(row)) {
      throw damaged(file, i + 1, 'this is no JSON object.');
    }
    const values = new Map<string, string>();
    for (const [key, value] of Object.entries(row)) {
      const plain = ['string', 'number', 'boolean'].includes(typeof value);
      if (plain && String(value).trim() !== '') values.set(columnName(key), String(value).trim());
      columns.add(columnName(key));
    }
    return [{ line: i + 1, values }];
  });
  return { columns, rows };
}

/**
 * Reads a list by its ending. Column names are compared in lower case.
 * @throws DataError `table`, naming file and line
 */
export async function readTable(file: string): Promise<Table> {
  const { size } = await stat(file);
  if (size > MAX_TABLE_BYTES) {
    throw new DataError(
      `${file} has ${size} bytes; lists of more than ${MAX_TABLE_BYTES} are not read.`,
      { file, size },
      { code: 'table' },
    );
  }
  const text = await readFile(file, 'utf8');
  switch (endingOf(file)) {
    case 'csv':
      return delimited(file, text, ',');
    case 'tsv':
      return delimited(file, text, '\t');
    default:
      return jsonLines(file, text);
  }
}
