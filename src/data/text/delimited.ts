/** Rows of CSV and TSV files (Node), one at a time. */
import { Readable } from 'node:stream';
import { parse } from 'csv-parse';
import { DataError } from '../../errors.js';
import { columnName } from '../table.js';
import { decodeText } from './decode-text.js';
import { MAX_LINE, type ReadOptions, readLines } from './lines.js';
import { isMissing } from './missing.js';
import { sniffDelimiter } from './sniff.js';
import { lineError } from './text-error.js';
import type { TextRow, TextTable } from './text-row.js';

/** A record with the lines that it takes up. */
interface Cells {
  readonly line: number;
  readonly last: number;
  readonly cells: readonly string[];
}

const countBreaks = (text: string): number => text.match(/\r\n|\n|\r/g)?.length ?? 0;

/**
 * Records of a CSV file. Lines are counted from the cells: csv-parse counts CR LF within quotes as
 * two.
 */
async function* csvRecords(file: string, { progress, onNote }: ReadOptions): AsyncGenerator<Cells> {
  const sniffed = await sniffDelimiter(file);
  if (sniffed) onNote?.(`has ${sniffed.name} between its columns and is read so`);
  const source = Readable.from(decodeText(file, progress), { objectMode: true });
  let next = 1;
  let empty = 0;
  const places: Omit<Cells, 'cells'>[] = [];
  const parser = parse({
    ...(sniffed ? { delimiter: sniffed.delimiter } : {}),
    relax_column_count: true,
    skip_empty_lines: true,
    trim: true,
    max_record_size: MAX_LINE,
    // Called as records are parsed, not as they are taken: an error knows how far parsing went.
    on_record: (cells, { empty_lines }) => {
      const line = next + empty_lines - empty;
      const last = line + cells.reduce((n, cell) => n + countBreaks(cell), 0);
      [next, empty] = [last + 1, empty_lines];
      places.push({ line, last });
      return cells;
    },
  });
  source.on('error', (error) => parser.destroy(error));
  source.pipe(parser);
  try {
    for await (const cells of parser) yield { ...places.shift()!, cells: cells as string[] };
  } catch (error) {
    if (error instanceof DataError) throw error;
    const {
      message,
      code,
      empty_lines = empty,
    } = error as Error & {
      code?: string;
      empty_lines?: number;
    };
    if (code === undefined) throw error;
    const line = next + empty_lines - empty;
    throw lineError(
      file,
      line,
      code === 'CSV_MAX_RECORD_SIZE'
        ? `the record that begins here has more than ${MAX_LINE} characters. Is a quote opened and never closed?`
        : `the record that begins here is damaged: ${message}. A text with quotes, commas or line ends stands in quotes, and quotes in it are doubled.`,
    );
  } finally {
    source.destroy();
    parser.destroy();
  }
}

/**
 * A cell of a tab-separated file. There is no quoting in it, except that pandas and spreadsheets
 * put cells with quotes into quotes, those within doubled.
 */
function unquoted(cell: string): string {
  const inner = cell.length > 1 && cell.startsWith('"') && cell.endsWith('"') && cell.slice(1, -1);
  return typeof inner === 'string' && !inner.replaceAll('""', '').includes('"')
    ? inner.replaceAll('""', '"')
    : cell;
}

/** Records of a tab-separated file, a line each. */
async function* tsvRecords(file: string, options: ReadOptions): AsyncGenerator<Cells> {
  for await (const { line, text } of readLines(file, options)) {
    if (text !== '') yield { line, last: line, cells: text.split('\t').map(unquoted) };
  }
}

function readHeader(file: string, { line, cells }: Cells, columns: Set<string>): string[] {
  const names = cells.map(columnName);
  for (const [i, name] of names.entries()) {
    // Columns without a name are what some programs write for the row number.
    if (name === '') continue;
    if (columns.has(name)) {
      throw lineError(
        file,
        line,
        `the column ${cells[i]!.trim()} is there twice. Rename or drop one of them.`,
      );
    }
    columns.add(name);
  }
  return names;
}

/**
 * Rows of a CSV (`,`, or what {@link sniffDelimiter} finds) or TSV (tab) file with a header.
 * Signs for no value, such as `NaN`, are absent like blank cells.
 * @throws DataError `table` for a damaged file, naming the line; `encoding`
 */
export function delimitedRows(
  file: string,
  delimiter: 'comma' | 'tab',
  options: ReadOptions,
): TextTable {
  const columns = new Set<string>();
  async function* rows(): AsyncGenerator<TextRow> {
    const records = delimiter === 'comma' ? csvRecords(file, options) : tsvRecords(file, options);
    let header: string[] | undefined;
    for await (const record of records) {
      const { line, last, cells } = record;
      if (!header) {
        header = readHeader(file, record, columns);
        continue;
      }
      if (cells.length > header.length) {
        throw lineError(
          file,
          line,
          `${cells.length} values for ${header.length} columns. ${
            delimiter === 'comma'
              ? 'Put texts with commas in quotes.'
              : 'Take the tabs out of the texts.'
          }`,
        );
      }
      const values = new Map<string, unknown>();
      for (const [i, cell] of cells.entries()) {
        const [name, value] = [header[i]!, cell.trim()];
        if (name === '') continue;
        if (!isMissing(value)) values.set(name, cell);
        else if (value !== '') options.onMissing?.(name, value);
      }
      if (cells.some((cell) => cell !== '')) yield { line, last, values };
    }
    if (!header) throw new DataError(`${file} is empty.`, { file }, { code: 'table' });
  }
  return { columns, rows: rows() };
}
