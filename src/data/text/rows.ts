/** Any text file as rows of named values (Node), read one at a time. */
import { DataError } from '../../errors.js';
import { endingOf } from '../picture-format.js';
import { conllRows } from './conll.js';
import { delimitedRows } from './delimited.js';
import { jsonRows } from './json-file.js';
import { type ReadOptions, readLines } from './lines.js';
import { parquetRows } from './parquet.js';
import { plainRows } from './plain-text.js';
import { lineError } from './text-error.js';
import { objectValues, type TextRow, type TextTable } from './text-row.js';

/** Endings of files that {@link readRows} reads. */
export const TEXT_ENDINGS: ReadonlySet<string> = new Set([
  'csv',
  'tsv',
  'jsonl',
  'ndjson',
  'json',
  'parquet',
  'conll',
  'txt',
]);

function jsonLines(file: string, options: ReadOptions): TextTable {
  const columns = new Set<string>();
  async function* rows(): AsyncGenerator<TextRow> {
    for await (const { line, text } of readLines(file, options)) {
      if (text.trim() === '') continue;
      let row: unknown;
      try {
        row = JSON.parse(text);
      } catch {
        throw lineError(file, line, 'this is no JSON. Each line holds one JSON object.');
      }
      const values = objectValues(row, columns);
      if (!values) throw lineError(file, line, 'this is no JSON object.');
      yield { line, last: line, values };
    }
  }
  return { columns, rows: rows() };
}

/**
 * Reads a file by its ending. Memory is bounded: by a line, a record, a row group of Parquet; JSON
 * (not JSON lines) is read as a whole and capped.
 * @throws DataError (while rows are read) `table`, `encoding`, `parquet`, naming file and line
 */
export function readRows(file: string, options: ReadOptions): TextTable {
  switch (endingOf(file)) {
    case 'csv':
      return delimitedRows(file, 'comma', options);
    case 'tsv':
      return delimitedRows(file, 'tab', options);
    case 'jsonl':
    case 'ndjson':
      return jsonLines(file, options);
    case 'json':
      return jsonRows(file, options);
    case 'parquet':
      return parquetRows(file, options);
    case 'conll':
      return conllRows(file, options);
    case 'txt':
      return plainRows(file, options);
    default:
      throw new DataError(
        `${file} is no text data that can be read (.${[...TEXT_ENDINGS].join(', .')}).`,
        { file },
        { code: 'no-data' },
      );
  }
}
